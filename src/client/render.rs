//! How results are shown: tables that fit, JSON with the API's own field names, times that a
//! person reads. Only data goes to stdout, in one write.

use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::args::Globals;
use super::error::{Error, Kind};
use crate::schedule::format_duration;
use crate::wire::Status;

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
    /// A document on each line.
    Ndjson,
}

impl Format {
    /// The format of that name.
    ///
    /// # Errors
    /// [`Kind::Usage`], naming `from`, where it is none of the three.
    pub fn named(text: &str, from: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(Error::new(
                Kind::Usage,
                format!(
                    "'{}' ({from}) is not a format; there are table, json and ndjson",
                    text.escape_debug()
                ),
            )),
        }
    }
}

/// Writes to stdout, all at once. A reader that went away (`| head`) has had enough, which is
/// no error.
///
/// # Errors
/// [`Kind::Refused`] where stdout can't be written, as on a full disk.
pub fn print(text: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(
            Kind::Refused,
            format!("Can't write the result to standard output: {e}"),
        )),
        _ => Ok(()),
    }
}

/// Shows one thing: as `table` says, or as JSON.
///
/// # Errors
/// As [`print`].
pub fn one(
    format: Format,
    value: &impl Serialize,
    table: impl FnOnce() -> String,
) -> Result<(), Error> {
    print(
        match format {
            Format::Table => table(),
            Format::Json => line(serde_json::to_string_pretty(value))?,
            Format::Ndjson => line(serde_json::to_string(value))?,
        }
        .as_bytes(),
    )
}

/// Shows a list: as `table` says, or as JSON.
///
/// # Errors
/// As [`print`].
pub fn list<T: Serialize>(
    format: Format,
    values: &[T],
    table: impl FnOnce() -> String,
) -> Result<(), Error> {
    let text = match format {
        Format::Table => table(),
        Format::Json => line(serde_json::to_string_pretty(values))?,
        Format::Ndjson => {
            let mut lines = String::new();
            for value in values {
                lines.push_str(&line(serde_json::to_string(value))?);
            }
            lines
        }
    };
    print(text.as_bytes())
}

fn line(text: Result<String, serde_json::Error>) -> Result<String, Error> {
    let mut text =
        text.map_err(|e| Error::new(Kind::Defect, format!("can't put the result in JSON: {e}")))?;
    text.push('\n');
    Ok(text)
}

/// What stdout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// The width that tables must fit; `None` where lines may have any length.
    pub columns: Option<usize>,
    /// Whether to colour.
    pub colours: bool,
}

impl Screen {
    /// stdout as it is now.
    pub fn of(globals: &Globals) -> Self {
        let terminal = io::stdout().is_terminal();
        let set = |name: &str| super::settings::variable(name);
        let columns = set("COLUMNS").and_then(|text| text.parse().ok());
        Self {
            columns: terminal.then(|| columns.unwrap_or(80)),
            colours: terminal
                && !globals.no_color
                && set("NO_COLOR").is_none()
                && set("TERM").as_deref() != Some("dumb"),
        }
    }
}

/// Rows and columns for people.
pub struct Table {
    heads: &'static [&'static str],
    rows: Vec<Vec<String>>,
    /// The columns that may be cut, by index.
    cut: &'static [usize],
    /// The column that holds statuses.
    status: Option<usize>,
}

/// Between two columns.
const GAP: usize = 2;
/// No column is cut to less than this.
const NARROWEST: usize = 8;

impl Table {
    /// A table with these heads, of which the columns `cut` may be cut to fit.
    pub fn new(heads: &'static [&'static str], cut: &'static [usize]) -> Self {
        Self {
            heads,
            rows: Vec::new(),
            cut,
            status: heads.iter().position(|head| *head == "STATUS"),
        }
    }

    /// Adds a row; control characters are left out, whatever a server sent.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| clean(&cell)).collect());
    }

    /// The table as text.
    pub fn text(&self, screen: Screen) -> String {
        let width = |text: &str| text.chars().count();
        let mut widths: Vec<usize> = self.heads.iter().map(|head| width(head)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = width(cell).max(*widest);
            }
        }
        if let Some(columns) = screen.columns {
            let gaps = GAP * widths.len().saturating_sub(1);
            while widths.iter().sum::<usize>() + gaps > columns {
                let widest = self
                    .cut
                    .iter()
                    .copied()
                    .max_by_key(|&column| widths[column]);
                match widest {
                    Some(column) if widths[column] > NARROWEST => widths[column] -= 1,
                    _ => break,
                }
            }
        }
        let mut text = String::new();
        let heads = self.heads.iter().map(|head| (*head).to_owned()).collect();
        for (index, row) in std::iter::once(&heads).chain(&self.rows).enumerate() {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let room = widths.get(column).copied().unwrap_or_default();
                let cell = cut(cell, room);
                let pad = room - width(&cell) + GAP;
                if index > 0 && screen.colours && self.status == Some(column) {
                    line.push_str(&coloured(&cell));
                } else {
                    line.push_str(&cell);
                }
                line.extend(std::iter::repeat_n(' ', pad));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(room.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A status in its colour, where it is one.
pub fn coloured(status: &str) -> String {
    let colour = match Status::from_name(status) {
        Some(Status::Up) => "32",
        Some(Status::Late) => "33",
        Some(Status::Down | Status::Overrunning) => "31",
        Some(Status::New) => "36",
        Some(Status::Paused) => "2",
        None => return status.to_owned(),
    };
    format!("\u{1b}[{colour}m{status}\u{1b}[0m")
}

/// The text without control characters: what a server or a job wrote must not steer a terminal.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// How long before or after `now`: `5m ago`, `in 2h`.
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(time.as_second());
    let size = seconds.unsigned_abs();
    let (number, unit) = match size {
        0..60 => (size, "s"),
        60..3_600 => (size / 60, "m"),
        3_600..86_400 => (size / 3_600, "h"),
        _ => (size / 86_400, "d"),
    };
    if seconds < 0 {
        format!("in {number}{unit}")
    } else {
        format!("{number}{unit} ago")
    }
}

/// The time to the second: `2026-01-02 03:04:05 UTC`.
pub fn utc(time: Timestamp) -> String {
    let text = format!("{time:.0}");
    format!("{} UTC", text.trim_end_matches('Z').replacen('T', " ", 1))
}

/// A measured duration: `812 ms`, `12.3 s`, `1h 30m`.
pub fn milliseconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format_duration(ms / 1_000),
    }
}

/// The value, or a dash where there is none.
pub fn or_dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Screen = Screen {
        columns: None,
        colours: false,
    };

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "STATUS", "SLUG"], &[0]);
        table.row(["A very long name indeed".into(), "up".into(), "a".into()]);
        table.row(["B\u{1b}[31m".into(), "down".into(), "b".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_control_characters_left_out() {
        assert_eq!(
            table().text(WIDE),
            "NAME                     STATUS  SLUG\n\
             A very long name indeed  up      a\n\
             B[31m                    down    b\n"
        );
    }

    #[test]
    fn a_table_is_cut_to_the_terminal_where_it_may_be() {
        let text = table().text(Screen {
            columns: Some(24),
            colours: false,
        });
        assert!(
            text.lines().all(|line| line.chars().count() <= 24),
            "{text}"
        );
        assert!(text.contains("A very lo…"), "{text}");
    }

    #[test]
    fn only_statuses_are_coloured() {
        let text = table().text(Screen {
            columns: None,
            colours: true,
        });
        assert_eq!(text.matches("\u{1b}[31m").count(), 1, "{text:?}");
        assert!(text.contains("\u{1b}[31mdown\u{1b}[0m"), "{text:?}");
    }

    #[test]
    fn times_are_told_as_people_read_them() {
        let now: Timestamp = "2026-01-02T03:04:05.9Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(relative(at("2026-01-02T03:04:01Z"), now), "4s ago");
        assert_eq!(relative(at("2026-01-02T05:04:06Z"), now), "in 2h");
        assert_eq!(relative(at("2025-12-30T00:00:00Z"), now), "3d ago");
        assert_eq!(utc(at("2026-01-02T03:04:05.4Z")), "2026-01-02 03:04:05 UTC");
        assert_eq!(milliseconds(12_345), "12.3 s");
        assert_eq!(milliseconds(5_400_000), "1h 30m");
    }
}
