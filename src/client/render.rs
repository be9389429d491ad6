//! How results are shown: tables that fit, JSON with the API's own field names, times that a
//! person reads. Only data goes to stdout, in one write.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::args::Globals;
use super::error::{Error, Kind};
use super::json::indented;
use crate::schedule::format_duration;
use crate::sys;
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
    let text = match format {
        Format::Table => table(),
        Format::Json => indented(&compact(serde_json::to_string(value))?),
        Format::Ndjson => compact(serde_json::to_string(value))? + "\n",
    };
    print(text.as_bytes())
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
    if format == Format::Table {
        return print(table().as_bytes());
    }
    let values = values.iter().map(serde_json::to_string);
    documents(format, &mut values.map(compact))
}

/// Shows a list of documents, each without spaces.
fn documents(
    format: Format,
    values: &mut dyn Iterator<Item = Result<String, Error>>,
) -> Result<(), Error> {
    let mut values: Vec<String> = values.collect::<Result<_, _>>()?;
    let text = if format == Format::Json {
        indented(&format!("[{}]", values.join(",")))
    } else {
        // So that the last one ends like the others.
        values.extend((!values.is_empty()).then(String::new));
        values.join("\n")
    };
    print(text.as_bytes())
}

fn compact(text: Result<String, serde_json::Error>) -> Result<String, Error> {
    text.map_err(|e| Error::new(Kind::Defect, format!("can't put the result in JSON: {e}")))
}

/// What stdout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// The width that tables must fit; `None` where lines may have any length.
    pub columns: Option<usize>,
    /// Whether to colour.
    pub colours: bool,
    /// Whether times are shown in UTC, not as a clock on this machine shows them.
    pub utc: bool,
}

impl Screen {
    /// stdout as it is now.
    pub fn of(globals: &Globals) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let set = |name: &str| super::settings::variable(name);
        let columns = set("COLUMNS")
            .and_then(|text| text.parse().ok())
            .or_else(|| sys::columns(stdout.as_fd()));
        Self {
            columns: terminal.then(|| columns.unwrap_or(80)),
            colours: terminal
                && !globals.no_color
                && set("NO_COLOR").is_none()
                && set("TERM").as_deref() != Some("dumb"),
            utc: globals.utc,
        }
    }

    /// The time to the second: `2026-01-02 03:04:05 UTC`, or in local time, with how far that
    /// is from UTC: `2026-01-02 11:04:05 +08:00`.
    pub fn when(self, time: Timestamp) -> String {
        let offset = if self.utc {
            0
        } else {
            sys::local_offset(time.as_second())
        };
        with_offset(time, offset)
    }
}

fn with_offset(time: Timestamp, offset: i64) -> String {
    let there = SignedDuration::from_secs(offset);
    let Some(moved) = time.checked_add(there).ok().filter(|_| offset != 0) else {
        return utc(time);
    };
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs() / 60;
    let clock = utc(moved);
    format!(
        "{} {sign}{:02}:{:02}",
        clock.trim_end_matches(" UTC"),
        minutes / 60,
        minutes % 60
    )
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
                    _ => return self.cards(screen),
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
                let pad = room.saturating_sub(width(&cell)) + GAP;
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

    /// The rows one below the other, a line for each cell, where they are too wide for lines of
    /// their own: what the next command needs is never cut.
    fn cards(&self, screen: Screen) -> String {
        let label = self.heads.iter().map(|head| width(head)).max();
        let label = label.unwrap_or_default() + GAP;
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                let head = self.heads.get(column).copied().unwrap_or_default();
                text.push_str(head);
                text.extend(std::iter::repeat_n(' ', label - width(head)));
                if screen.colours && self.status == Some(column) {
                    text.push_str(&coloured(cell));
                } else {
                    text.push_str(cell);
                }
                text.push('\n');
            }
        }
        text
    }
}

fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut taken = 0;
    for c in text.chars() {
        taken += width_of(c);
        if taken + 1 > room {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// How many columns the text takes on a terminal.
fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// How many columns a terminal gives a character: two in the scripts and pictures that Unicode's
/// East Asian Width calls wide, none for marks that join the character before, one for the rest.
fn width_of(c: char) -> usize {
    const WIDE: &[(u32, u32)] = &[
        (0x1100, 0x115f),
        (0x231a, 0x231b),
        (0x23e9, 0x23f3),
        (0x2614, 0x2615),
        (0x2648, 0x2653),
        (0x26a1, 0x26a1),
        (0x26bd, 0x26be),
        (0x26d4, 0x26d4),
        (0x2705, 0x2705),
        (0x270a, 0x270b),
        (0x2728, 0x2728),
        (0x274c, 0x274e),
        (0x2753, 0x2757),
        (0x2b50, 0x2b55),
        (0x2e80, 0x303e),
        (0x3041, 0xa4cf),
        (0xa960, 0xa97f),
        (0xac00, 0xd7a3),
        (0xf900, 0xfaff),
        (0xfe30, 0xfe6f),
        (0xff00, 0xff60),
        (0xffe0, 0xffe6),
        (0x1f18e, 0x1f19a),
        (0x1f200, 0x1f320),
        (0x1f32d, 0x1f64f),
        (0x1f680, 0x1f6fc),
        (0x1f7e0, 0x1f7eb),
        (0x1f90c, 0x1faff),
        (0x20000, 0x3fffd),
    ];
    const NONE: &[(u32, u32)] = &[
        (0x0300, 0x036f),
        (0x0483, 0x0489),
        (0x0591, 0x05bd),
        (0x064b, 0x065f),
        (0x0e34, 0x0e3a),
        (0x0e47, 0x0e4e),
        (0x1ab0, 0x1aff),
        (0x1dc0, 0x1dff),
        (0x200b, 0x200f),
        (0x20d0, 0x20ff),
        (0xfe00, 0xfe0f),
        (0xfe20, 0xfe2f),
        (0x1f3fb, 0x1f3ff),
    ];
    let code = u32::from(c);
    let within =
        |ranges: &[(u32, u32)]| ranges.iter().any(|&(from, to)| (from..=to).contains(&code));
    match code {
        0..0x300 => 1,
        _ if within(NONE) => 0,
        _ if within(WIDE) => 2,
        _ => 1,
    }
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

/// The text without what would steer a terminal, whatever a server or a job wrote: control
/// characters, and those that turn the direction of what follows.
pub fn clean(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .filter(|&c| !c.is_control() && !turns(c))
        .collect()
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
        utc: true,
    };

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "STATUS", "SLUG"], &[0]);
        table.row(["A very long name indeed".into(), "up".into(), "a".into()]);
        table.row(["B\u{1b}[31m".into(), "down".into(), "b".into()]);
        table
    }

    #[test]
    fn a_table_that_can_not_be_made_to_fit_becomes_a_line_for_each_cell() {
        let mut table = Table::new(&["NAME", "ID"], &[0]);
        let id = "7f0a2b1e-0000-4000-8000-000000000000";
        table.row(["nightly".to_owned(), id.to_owned()]);
        let screen = Screen {
            columns: Some(42),
            ..WIDE
        };
        assert_eq!(table.text(screen), format!("NAME  nightly\nID    {id}\n"));
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
            ..WIDE
        });
        assert!(
            text.lines().all(|line| line.chars().count() <= 24),
            "{text}"
        );
        assert!(text.contains("A very lo…"), "{text}");
    }

    #[test]
    fn wide_characters_take_the_room_that_a_terminal_gives_them() {
        for (text, columns) in [
            ("日本", 4),
            ("e\u{301}", 1),
            ("⏰", 2),
            ("👍🏽", 2),
            ("é…", 2),
        ] {
            assert_eq!(width(text), columns, "{text}");
        }
        assert_eq!(cut("日本語の名前", 8), "日本語…");
        assert_eq!(cut("日本語", 6), "日本語");
        let mut table = Table::new(&["NAME", "SLUG"], &[0]);
        table.row(["日本".into(), "a".into()]);
        table.row(["abcd".into(), "b".into()]);
        assert_eq!(table.text(WIDE), "NAME  SLUG\n日本  a\nabcd  b\n");
    }

    #[test]
    fn local_times_say_how_far_they_are_from_utc() {
        let at: Timestamp = "2026-01-02T23:04:05Z".parse().unwrap();
        assert_eq!(with_offset(at, 8 * 3_600), "2026-01-03 07:04:05 +08:00");
        assert_eq!(with_offset(at, -12_600), "2026-01-02 19:34:05 -03:30");
        assert_eq!(with_offset(at, 0), "2026-01-02 23:04:05 UTC");
    }

    #[test]
    fn only_statuses_are_coloured() {
        let text = table().text(Screen {
            colours: true,
            ..WIDE
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
