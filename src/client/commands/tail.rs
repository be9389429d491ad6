//! `pakyas check tail`: what happened to a check, or to a project's checks, and what happens.
//!
//! Following is polling: a small question now and then, for what is newer than what was seen.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::patience::Following;
use super::{Context, check as checks, number, usage};
use crate::client::api::Api;
use crate::client::args::CheckTail;
use crate::client::error::{Error, Kind};
use crate::client::lookup;
use crate::client::render::{self, Format, clean};
use crate::schedule::parse_duration;
use crate::sys::{self, Await};
use crate::wire::Check;
use crate::wire::RecordId;
use crate::wire::history::{EVENT_CLASSES, EventPage, EventRecord};

/// How many events are shown where nothing is said.
const USUAL: usize = 20;
/// How many of one check are shown at most.
const MOST: usize = 10_000;
/// How many a page has (API.md: up to 1,000).
const PAGE: usize = 200;
/// How many checks are followed at once; each is asked about at the start.
const CHECKS: usize = 100;

/// After so many polls every check is asked about, also where nothing seems to have changed.
const SWEEP: u32 = 30;
/// Events may turn up with a time before that of the newest one, by some seconds.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(60);

pub fn run(context: &Context, typed: &CheckTail) -> Result<(), Error> {
    let types = types(typed.types.as_deref())?;
    let since = typed.since.as_deref().map(since).transpose()?;
    let limit = match &typed.limit {
        None => since.as_ref().map_or(USUAL, |_| MOST),
        Some(text) => usize::try_from(number("--limit", text, 1, MOST as u64)?).unwrap_or(MOST),
    };
    if typed.follow && context.format == Format::Json {
        return Err(usage(
            "What is followed has no end, and so is not one JSON document; use --format ndjson",
        ));
    }
    let api = context.api()?;
    let selection = context.settings.project()?;
    let (project, list) = match &typed.check {
        Some(text) => (None, vec![lookup::check_or_id(&api, &selection, text)?]),
        None => {
            let list = checks::checks(context)?;
            (Some(lookup::selected(&api, &selection)?), list)
        }
    };
    if list.len() > CHECKS {
        return Err(usage(format!(
            "The project has {} checks, and tail follows {CHECKS} at most; name one: \
             pakyas check tail SLUG",
            list.len()
        )));
    }
    let mut tail = Tail {
        context,
        api,
        types,
        project,
        width: 0,
        followed: Vec::new(),
    };
    tail.take_in(list);
    tail.begin(since.as_deref(), limit)?;
    if typed.follow { tail.follow() } else { Ok(()) }
}

/// The value for `types`.
fn types(typed: Option<&str>) -> Result<String, Error> {
    let Some(typed) = typed else {
        return Ok(EVENT_CLASSES.join(","));
    };
    let names: Vec<String> = typed
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    match names.iter().find(|n| !EVENT_CLASSES.contains(&n.as_str())) {
        None => Ok(names.join(",")),
        Some(bad) => Err(usage(format!(
            "--types takes {}, separated by commas, not '{}'",
            EVENT_CLASSES.join(", "),
            bad.escape_debug()
        ))),
    }
}

/// The value for `since`. How long ago is told as such: by the server's clock, not by ours.
fn since(typed: &str) -> Result<String, Error> {
    if let Ok(seconds) = parse_duration(typed) {
        let (number, unit) = [(86_400, 'd'), (3_600, 'h'), (60, 'm')]
            .into_iter()
            .find(|(unit, _)| seconds > 0 && seconds % unit == 0)
            .map_or((seconds, 's'), |(unit, name)| (seconds / unit, name));
        return Ok(format!("{number}{unit}"));
    }
    let midnight = format!("{}T00:00:00Z", typed.trim());
    [typed.trim(), &midnight]
        .iter()
        .find_map(|text| text.parse::<Timestamp>().ok())
        .map(|time| time.to_string())
        .ok_or_else(|| {
            usage(format!(
                "--since takes how long ago (30m, 2d) or a time (2026-01-02T03:04:05Z), not '{}'",
                typed.escape_debug()
            ))
        })
}

/// What changes of a check when something happens to it.
#[derive(PartialEq)]
struct Sign(
    crate::wire::Status,
    Option<Timestamp>,
    Option<Timestamp>,
    bool,
    u32,
    u32,
);

impl Sign {
    fn of(check: &Check) -> Self {
        Self(
            check.status,
            check.last_ping_at,
            check.last_start_at,
            check.running,
            check.consecutive_failures,
            check.consecutive_missed_pings,
        )
    }
}

/// A check, and how much of it was shown.
struct Followed {
    check: Check,
    sign: Option<Sign>,
    newest: Option<Timestamp>,
    /// What was shown lately, and when it was taken into account.
    seen: HashMap<RecordId, Timestamp>,
}

impl Followed {
    /// Keeps of these what was not shown before, and remembers it.
    fn unseen(&mut self, mut events: Vec<EventRecord>) -> Vec<EventRecord> {
        events.retain(|event| !self.seen.contains_key(&event.id));
        for event in &events {
            self.seen.insert(event.id.clone(), event.effective_at);
            self.newest = self.newest.max(Some(event.effective_at));
        }
        if let Some(from) = self.look_back() {
            self.seen.retain(|_, at| *at >= from);
        }
        events
    }

    fn look_back(&self) -> Option<Timestamp> {
        self.newest.map(|newest| {
            newest
                .checked_sub(LOOK_BACK)
                .unwrap_or(Timestamp::UNIX_EPOCH)
        })
    }
}

/// An event of one of several checks, as JSON.
#[derive(Serialize)]
struct Named<'a> {
    check_id: Uuid,
    check_slug: &'a str,
    #[serde(flatten)]
    event: &'a EventRecord,
}

struct Tail<'a> {
    context: &'a Context,
    api: Api<'a>,
    types: String,
    /// Where all checks of a project are followed, also those that are still to come: which.
    project: Option<Uuid>,
    /// That of the longest slug.
    width: usize,
    followed: Vec<Followed>,
}

impl Tail<'_> {
    /// Follows these checks, and forgets those that are no more.
    fn take_in(&mut self, list: Vec<Check>) {
        self.followed
            .retain(|known| list.iter().any(|check| check.id == known.check.id));
        for check in list {
            self.width = self.width.max(check.slug.chars().count());
            match self.followed.iter_mut().find(|k| k.check.id == check.id) {
                Some(known) => known.check = check,
                None => self.followed.push(Followed {
                    check,
                    sign: None,
                    newest: None,
                    seen: HashMap::new(),
                }),
            }
        }
        self.followed.truncate(CHECKS);
    }

    /// Shows the last `most` things that have happened, where a time is given since then.
    fn begin(&mut self, since: Option<&str>, most: usize) -> Result<(), Error> {
        let mut all = Vec::new();
        for index in 0..self.followed.len() {
            let known = &self.followed[index];
            let sign = Sign::of(&known.check);
            let events = self.events(known.check.id, since, most)?;
            if events.len() == MOST {
                self.context.talk.note(&format!(
                    "Only the newest {MOST} events of '{}' are shown",
                    clean(&known.check.slug)
                ));
            }
            let known = &mut self.followed[index];
            known.sign = Some(sign);
            let events = known.unseen(events);
            all.extend(events.into_iter().map(|event| (index, event)));
        }
        all.sort_by_key(|(_, event)| event.effective_at);
        if most < MOST {
            all.drain(..all.len().saturating_sub(most));
        }
        if all.is_empty() {
            self.context.talk.note("Nothing has happened in that time");
        }
        self.show(&all).map(drop)
    }

    /// Goes on for as long as somebody reads.
    fn follow(&mut self) -> Result<(), Error> {
        let talk = self.context.talk;
        let mut patience = Following::new();
        let mut polls = 0_u32;
        while wait(patience.pause()) {
            polls = polls.wrapping_add(1);
            match self.poll(polls.is_multiple_of(SWEEP)) {
                Ok(true) => {
                    if patience.answered() {
                        talk.note("The server answers again");
                    }
                }
                Ok(false) => return Ok(()),
                Err(error) if error.kind() == Kind::Network => {
                    if patience.failed(error.asked_pause()) {
                        talk.note(&format!("{}; trying again", error.first_line()));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Shows what is new; whether anybody reads it. `sweep`: asks about every check.
    fn poll(&mut self, sweep: bool) -> Result<bool, Error> {
        if let Some(project) = self.project {
            // Not by way of the cache, which would be written with each poll.
            let mut list: Vec<Check> = self.api.get(&format!("/checks?project_id={project}"))?;
            list.retain(|check| !check.soft_deleted);
            self.take_in(list);
        }
        let mut news = Vec::new();
        for index in 0..self.followed.len() {
            let known = &self.followed[index];
            let sign = Sign::of(&known.check);
            if self.project.is_some() && !sweep && known.sign.as_ref() == Some(&sign) {
                continue;
            }
            let from = known.look_back().map(|from| from.to_string());
            let events = self.events(known.check.id, from.as_deref(), MOST)?;
            let known = &mut self.followed[index];
            known.sign = Some(sign);
            let events = known.unseen(events);
            news.extend(events.into_iter().map(|event| (index, event)));
        }
        news.sort_by_key(|(_, event)| event.effective_at);
        self.show(&news)
    }

    /// Up to `most` of the newest events of a check, oldest first.
    fn events(
        &self,
        check: Uuid,
        since: Option<&str>,
        most: usize,
    ) -> Result<Vec<EventRecord>, Error> {
        let mut all: Vec<EventRecord> = Vec::new();
        let mut cursor = String::new();
        let since = since.map_or_else(String::new, |since| format!("&since={since}"));
        loop {
            let limit = PAGE.min(most - all.len());
            let page: EventPage = self.api.get(&format!(
                "/checks/{check}/events?limit={limit}&types={}{since}{cursor}",
                self.types
            ))?;
            let empty = page.events.is_empty();
            all.extend(page.events);
            match page.next_cursor {
                Some(next) if page.has_more && !empty && all.len() < most => {
                    cursor = format!("&cursor={}", escaped(&next));
                }
                _ => break,
            }
        }
        all.truncate(most);
        all.reverse();
        Ok(all)
    }

    /// Writes these events; `false` where nobody reads any more.
    fn show(&self, events: &[(usize, EventRecord)]) -> Result<bool, Error> {
        let text = match self.context.format {
            Format::Table => events
                .iter()
                .map(|(i, event)| self.line(*i, event))
                .collect(),
            Format::Ndjson => {
                let mut text = String::new();
                for (index, event) in events {
                    text.push_str(&self.json(*index, event)?.to_string());
                    text.push('\n');
                }
                text
            }
            Format::Json => {
                let values = events
                    .iter()
                    .map(|(index, event)| self.json(*index, event))
                    .collect::<Result<Vec<_>, _>>()?;
                return render::list(Format::Json, &values, String::new).map(|()| true);
            }
        };
        let mut stdout = io::stdout().lock();
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Ok(()) => Ok(true),
            // As with `| head`: the reader has had enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::new(
                Kind::Refused,
                format!("Can't write the result to standard output: {error}"),
            )),
        }
    }

    fn json(&self, index: usize, event: &EventRecord) -> Result<serde_json::Value, Error> {
        let value = if self.project.is_some() {
            let check = &self.followed[index].check;
            serde_json::to_value(Named {
                check_id: check.id,
                check_slug: &check.slug,
                event,
            })
        } else {
            serde_json::to_value(event)
        };
        value.map_err(|e| Error::new(Kind::Defect, format!("can't put an event in JSON: {e}")))
    }

    /// When the server took it into account, which check where there are several, and what.
    fn line(&self, index: usize, event: &EventRecord) -> String {
        let slug = if self.project.is_some() {
            let slug = clean(&self.followed[index].check.slug);
            format!("{slug:<width$}  ", width = self.width)
        } else {
            String::new()
        };
        let when = self.context.screen.when(event.effective_at);
        let said = clean(&event.summary);
        let kind = format!("{:<14}", event.event_type.as_str());
        let width = [&when, &slug, &kind, &said].map(|part| part.chars().count());
        // What would not fit the terminal is told on a line of its own.
        let gap = match self.context.screen.columns {
            Some(columns) if width.iter().sum::<usize>() + 4 > columns => "\n    ",
            _ => "  ",
        };
        let kind = match event.to_status {
            Some(status) if self.context.screen.colours => {
                // The colour of what it is now.
                render::coloured(status.as_str()).replacen(status.as_str(), &kind, 1)
            }
            _ => kind,
        };
        format!("{when}  {slug}{kind}{gap}{said}\n")
    }
}

/// Waits; `false` where nobody reads stdout any more.
fn wait(pause: Duration) -> bool {
    let stdout = io::stdout();
    let until = Instant::now() + pause;
    match sys::poll([(Some(stdout.as_fd()), Await::Break)], Some(until)) {
        Ok([stdout]) => !stdout.broken,
        Err(_) => {
            std::thread::sleep(pause);
            true
        }
    }
}

/// A cursor in a query: whatever another server's look like.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_told_by_the_servers_clock_or_as_a_time() {
        for (typed, sent) in [
            ("30m", "30m"),
            ("2 days", "2d"),
            ("1h 30m", "90m"),
            ("45", "45s"),
            ("0", "0s"),
            ("2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
        ] {
            assert_eq!(since(typed).ok().as_deref(), Some(sent), "{typed}");
        }
        assert!(since("yesterday").is_err());
    }

    #[test]
    fn types_are_those_of_the_api() {
        assert_eq!(types(None).ok().as_deref(), Some("signal,state,alert"));
        assert_eq!(
            types(Some("State, alert")).ok().as_deref(),
            Some("state,alert")
        );
        assert!(types(Some("state,ping")).is_err());
    }

    #[test]
    fn a_cursor_of_any_form_fits_into_a_query() {
        assert_eq!(escaped("a1-b_=+/&"), "a1-b_%3D%2B%2F%26");
    }
}
