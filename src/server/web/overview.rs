//! All checks of an organization, or of one of its projects: what is wrong first.

use askama::Template;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::moment::{Moment, lasting};
use super::page::Frame;
use super::visit::Visit;
use crate::server::clock;
use crate::server::engine::Millis;
use crate::server::http::Response;
use crate::server::store::accounts::{Role, memberships};
use crate::server::store::overview::{self, End, Glance};
use crate::server::store::{StoreError, projects};
use crate::wire::{Organization, Status};

/// How many checks a page shows: so many weigh less than 100 KB.
const PAGE: usize = 60;

/// How many runs a strip has, how far apart its bars are, and how high it is.
const RUNS: usize = 30;
const STEP: usize = 5;
const HEIGHT: i64 = 20;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: Frame<'a>,
    title: String,
    heading: String,
    /// The path of this page, without the query.
    path: String,
    org_id: Uuid,
    organizations: Vec<Organization>,
    counts: Vec<(&'static str, usize)>,
    query: String,
    status: String,
    tag: String,
    groups: Vec<Group>,
    none: bool,
    /// For the first steps, where there is no check yet.
    may_write: bool,
    public_url: &'a str,
    filtered: bool,
    /// The query of the page before this one, and of the one after it.
    before: Option<String>,
    after: Option<String>,
}

struct Group {
    /// None where the checks are of several projects.
    project_id: Option<Uuid>,
    name: String,
    rows: Vec<Line>,
}

/// A check as the page shows it.
struct Line {
    id: Uuid,
    project: Option<String>,
    name: String,
    tags: Vec<String>,
    status: Status,
    shape: &'static str,
    since: Moment,
    last: Option<Moment>,
    next: Option<Moment>,
    strip: Strip,
    why: Option<String>,
    said: Option<String>,
}

/// A strip of runs as paths, one for each way to end.
#[derive(Default)]
struct Strip {
    success: String,
    failure: String,
    missing: String,
    words: String,
}

pub(super) fn show(visit: &Visit<'_>, project: Option<&str>) -> Result<Response, StoreError> {
    let Some(person) = &visit.person else {
        return Ok(visit.go_to(&format!("/sign-in?next={}", visit.request.path)));
    };
    let asked = |name| visit.request.parameter(name).unwrap_or_default();
    let theirs = visit
        .app
        .store
        .read(|connection| memberships(connection, person.user_id))?;
    // Only organizations of theirs are looked through, so what is another's is not there.
    let found = match project {
        None => {
            let wanted = asked("org");
            let org = theirs
                .iter()
                .find(|org| wanted.is_empty() || org.id.to_string() == wanted);
            org.map(|org| (org.clone(), None))
        }
        Some(id) => visit.app.store.read(|connection| {
            let Ok(id) = id.parse() else { return Ok(None) };
            for org in &theirs {
                if let Some(project) = projects::get(connection, org.id, id)? {
                    return Ok(Some((org.clone(), Some(project))));
                }
            }
            Ok(None)
        })?,
    };
    if theirs.is_empty() {
        return Ok(visit.go_to("/account"));
    }
    let Some((org, project)) = found else {
        return Ok(visit.nothing_here());
    };
    let now = clock::now();
    let (query, status, tag) = (asked("q"), asked("status"), asked("tag"));
    let number: usize = asked("page").parse().unwrap_or(1).clamp(1, 1_000_000);
    let (groups, counts, none, more) = visit.app.store.read(|connection| {
        let mut all = overview::glances(connection, org.id, project.as_ref().map(|p| p.id))?;
        let none = all.is_empty();
        let counts = count(&all);
        let needle = query.trim().to_lowercase();
        all.retain(|check| {
            (status.is_empty() || check.status.as_str() == status)
                && (tag.is_empty() || check.tags.contains(&tag))
                && (check.name.to_lowercase().contains(&needle) || check.slug.contains(&needle))
        });
        all.sort_by_cached_key(|check| {
            let wrong = is_wrong(check.status);
            (
                !wrong,
                if wrong { rank(check.status) } else { 0 },
                if wrong {
                    String::new()
                } else {
                    check.project.to_lowercase()
                },
                rank(check.status),
                // Of what is wrong, the newest trouble is the news.
                if wrong { -check.since } else { 0 },
                check.name.to_lowercase(),
            )
        });
        let more = all.len() > number.saturating_mul(PAGE);
        let mut groups: Vec<Group> = Vec::new();
        for check in all
            .iter()
            .skip((number - 1).saturating_mul(PAGE))
            .take(PAGE)
        {
            let line = line(connection, check, now)?;
            let id = (!is_wrong(check.status)).then_some(check.project_id);
            match groups.last_mut().filter(|group| group.project_id == id) {
                Some(group) => group.rows.push(line),
                None => groups.push(Group {
                    project_id: id,
                    name: id.map_or("Needs a look".to_owned(), |_| check.project.clone()),
                    rows: vec![line],
                }),
            }
        }
        Ok((groups, counts, none, more))
    })?;
    let path = match &project {
        Some(project) => format!("/projects/{}", project.id),
        None => "/".to_owned(),
    };
    let link = |page: usize| {
        let pairs = [("q", &query), ("status", &status), ("tag", &tag)];
        let filters: String = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("&{name}={}", escape(value)))
            .collect();
        format!("?org={}&page={page}{filters}", org.id)
    };
    let heading = project.map_or(org.name.clone(), |project| project.name);
    let page = Overview {
        frame: visit.frame(),
        title: title(&heading, &counts),
        heading,
        path,
        org_id: org.id,
        organizations: theirs,
        counts,
        before: (number > 1).then(|| link(number - 1)),
        after: more.then(|| link(number + 1)),
        none,
        may_write: Role::named(&org.user_role).is_some_and(|role| role.scopes().contains(&"write")),
        public_url: &visit.app.public_url,
        filtered: !(query.is_empty() && status.is_empty() && tag.is_empty()),
        query,
        status,
        tag,
        groups,
    };
    Ok(visit.page(StatusCode::OK, &page))
}

fn line(
    connection: &rusqlite::Connection,
    check: &Glance,
    now: Millis,
) -> Result<Line, StoreError> {
    let (exit_code, said) = if check.failures > 0 {
        overview::last_words(connection, check.row)?
    } else {
        (None, None)
    };
    Ok(Line {
        id: check.id,
        project: is_wrong(check.status).then(|| check.project.clone()),
        name: check.name.clone(),
        tags: check.tags.iter().take(5).cloned().collect(),
        status: check.status,
        shape: shape(check.status),
        since: Moment::new(check.since, now),
        last: check.last_ping.map(|at| Moment::new(at, now)),
        next: check.expected.map(|at| Moment::new(at, now)),
        strip: strip(&overview::runs(connection, check.row, RUNS)?),
        why: why(check, exit_code, now),
        said,
    })
}

/// What is wrong with a check, in a few words.
fn why(check: &Glance, exit_code: Option<u8>, now: Millis) -> Option<String> {
    let ago = |at: Millis| lasting(now - at);
    match (check.status, check.running_since, check.expected) {
        (Status::Down, ..) if check.failures > 0 => {
            let code = exit_code.map_or(String::new(), |code| format!(" with exit code {code}"));
            Some(match check.failures {
                1 => format!("failed{code}"),
                many => format!("failed{code}, {many} times in a row"),
            })
        }
        (Status::Down, Some(at), _) => Some(format!("started {} ago and never finished", ago(at))),
        (Status::Down, None, Some(at)) if at <= now => {
            Some(format!("has not reported, overdue for {}", ago(at)))
        }
        (Status::Down, ..) => Some("has not reported".to_owned()),
        (Status::Overrunning, Some(at), _) => {
            Some(format!("has been running for {}, too long", ago(at)))
        }
        (Status::Overrunning, None, _) => Some("runs too long".to_owned()),
        (Status::Late, _, Some(at)) if at <= now => {
            Some(format!("late for {}, within its grace", ago(at)))
        }
        _ => None,
    }
}

/// The worst first.
const ORDER: [Status; 6] = [
    Status::Down,
    Status::Overrunning,
    Status::Late,
    Status::New,
    Status::Up,
    Status::Paused,
];

fn rank(status: Status) -> usize {
    ORDER.iter().position(|&one| one == status).unwrap_or(0)
}

fn is_wrong(status: Status) -> bool {
    matches!(status, Status::Down | Status::Overrunning | Status::Late)
}

fn count(checks: &[Glance]) -> Vec<(&'static str, usize)> {
    let of = |status| checks.iter().filter(|check| check.status == status).count();
    ORDER.map(|status| (status.as_str(), of(status))).to_vec()
}

/// What the page's tab says: what is wrong, for whoever looks at another.
fn title(heading: &str, counts: &[(&'static str, usize)]) -> String {
    let wrong: Vec<String> = counts
        .iter()
        .filter(|(name, count)| *count > 0 && Status::from_name(name).is_some_and(is_wrong))
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    match wrong.as_slice() {
        [] => heading.to_owned(),
        some => format!("{} · {heading}", some.join(", ")),
    }
}

/// A text as a part of a query (RFC 3986 section 2.1).
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The shape of a status, which tells it without its colour.
pub(super) fn shape(status: Status) -> &'static str {
    match status {
        Status::Down => "✕",
        Status::Overrunning => "◆",
        Status::Late => "▲",
        Status::New => "○",
        Status::Up => "●",
        Status::Paused => "‖",
    }
}

/// Bars from left to right, the newest at the right end; the longest run is the highest.
fn strip(runs: &[(End, Option<i64>)]) -> Strip {
    let longest = runs
        .iter()
        .filter_map(|run| run.1)
        .max()
        .unwrap_or(0)
        .max(1);
    let mut strip = Strip::default();
    let mut totals = [0; 3];
    for (index, (end, duration)) in runs.iter().enumerate() {
        let x = (RUNS.saturating_sub(runs.len()) + index) * STEP + 2;
        let share = duration.map_or(HEIGHT / 2, |one| {
            let share = i128::from(one.max(0)) * i128::from(HEIGHT) / i128::from(longest);
            i64::try_from(share).unwrap_or(HEIGHT)
        });
        let (path, height, total) = match end {
            End::Success => (&mut strip.success, share.max(3), &mut totals[0]),
            End::Failure => (&mut strip.failure, share.max(3), &mut totals[1]),
            End::Missing => (&mut strip.missing, HEIGHT, &mut totals[2]),
        };
        path.push_str(&format!("M{x} {HEIGHT}v-{height}"));
        *total += 1;
    }
    let [successes, failures, missing] = totals;
    strip.words = format!("{successes} succeeded, {failures} failed, {missing} missing");
    strip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_run_is_the_highest_bar_and_the_newest_the_last() {
        let strip = strip(&[
            (End::Failure, Some(10)),
            (End::Success, Some(1000)),
            (End::Missing, None),
        ]);
        assert_eq!(strip.failure, "M137 20v-3");
        assert_eq!(strip.success, "M142 20v-20");
        assert_eq!(strip.missing, "M147 20v-20");
        assert_eq!(strip.words, "1 succeeded, 1 failed, 1 missing");
    }
}
