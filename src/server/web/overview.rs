//! All checks of an organization, or of one of its projects: what is wrong first.

use askama::Template;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::moment::{Moment, lasting};
use super::notices::Notices;
use super::page::{Frame, escape};
use super::strip::{RUNS, Strip};
use super::visit::Visit;
use crate::server::clock;
use crate::server::engine::Millis;
use crate::server::http::Response;
use crate::server::store::accounts::{Role, memberships};
use crate::server::store::overview::{self, Glance};
use crate::server::store::strip::Strips;
use crate::server::store::{StoreError, projects};
use crate::wire::{Organization, Status};

/// How many checks a page shows: so many weigh less than 100 KB.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: Frame<'a>,
    title: String,
    heading: String,
    now: Moment,
    summary: Summary,
    notices: Notices,
    /// The path of this page, without the query.
    path: String,
    /// The project that a new check is for.
    project_id: Option<Uuid>,
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
    /// What [`expected`] says.
    next: Option<(&'static str, Moment)>,
    is_held: bool,
    strip: Strip,
    why: Option<String>,
    said: Vec<String>,
}

/// How all of it is, and which check is the worst.
struct Summary {
    /// `trouble` or `fine`.
    class: &'static str,
    words: String,
    worst: Option<Worst>,
}

struct Worst {
    id: Uuid,
    name: String,
    why: String,
}

pub(super) fn show(visit: &Visit<'_>, project: Option<&str>) -> Result<Response, StoreError> {
    let Some(person) = &visit.person else {
        return Ok(visit.sign_in_first());
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
    let (groups, summary, notices, counts, none, more) = visit.app.store.read(|connection| {
        let mut all = overview::glances(connection, org.id, project.as_ref().map(|p| p.id))?;
        let none = all.is_empty();
        let counts = count(&all);
        let summary = summary(connection, &all, now)?;
        let notices = Notices::read(connection, org.id, &all, now)?;
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
                if wrong { gravity(check).1 } else { 0 },
                check.name.to_lowercase(),
            )
        });
        let more = all.len() > number.saturating_mul(PAGE);
        let mut strips = Strips::default();
        let mut groups: Vec<Group> = Vec::new();
        for check in all
            .iter()
            .skip((number - 1).saturating_mul(PAGE))
            .take(PAGE)
        {
            let bars = strips.read(connection, check.row, RUNS, now)?;
            let line = Line {
                is_held: notices.singles_out(check),
                strip: Strip::new(&bars),
                ..line(connection, check, now)?
            };
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
        Ok((groups, summary, notices, counts, none, more))
    })?;
    let path = match &project {
        Some(project) => format!("/projects/{}", project.id),
        None => "/".to_owned(),
    };
    let project_id = project.as_ref().map(|project| project.id);
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
        frame: visit.frame().within(org.id, &org.name, theirs.len() > 1),
        title: title(&heading, &counts),
        heading,
        now: Moment::new(now, now),
        summary,
        notices,
        path,
        project_id,
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
    let (exit_code, said) = last_words(connection, check)?;
    Ok(Line {
        id: check.id,
        project: is_wrong(check.status).then(|| check.project.clone()),
        name: check.name.clone(),
        tags: check.tags.iter().take(5).cloned().collect(),
        status: check.status,
        shape: shape(check.status),
        since: Moment::new(check.since, now),
        last: check.last_ping.map(|at| Moment::new(at, now)),
        next: expected(check, now),
        is_held: false,
        strip: Strip::default(),
        why: why(check, exit_code, now),
        said,
    })
}

/// When the next report is expected, or was; of what is late because it is under way, since when.
fn expected(check: &Glance, now: Millis) -> Option<(&'static str, Moment)> {
    let at = check.expected?;
    let runs = matches!(check.status, Status::Up | Status::Overrunning);
    Some(match check.running_since.filter(|_| runs) {
        _ if at > now => ("", Moment::new(at, now)),
        Some(started) => ("started ", Moment::new(started, now)),
        None => ("was due ", Moment::new(at, now)),
    })
}

fn last_words(
    connection: &rusqlite::Connection,
    check: &Glance,
) -> Result<(Option<u8>, Vec<String>), StoreError> {
    if check.failures > 0 {
        overview::last_words(connection, check.row)
    } else {
        Ok((None, Vec::new()))
    }
}

/// How many of these checks are broken, and which is the worst. What is only late may still come.
fn summary(
    connection: &rusqlite::Connection,
    checks: &[Glance],
    now: Millis,
) -> Result<Summary, StoreError> {
    let of = |status| checks.iter().filter(|check| check.status == status).count();
    let broken = of(Status::Down) + of(Status::Overrunning);
    let many = |count: usize| if count == 1 { "is" } else { "are" };
    let mut words = match (broken, checks.len()) {
        (0, _) => "Nothing is broken".to_owned(),
        (1, 1) => "The only check is broken".to_owned(),
        (broken, total) => format!("{broken} of {total} checks {} broken", many(broken)),
    };
    if let late @ 1.. = of(Status::Late) {
        words += &format!(", {late} {} late", many(late));
    }
    let worst = match checks.iter().min_by_key(|check| gravity(check)) {
        Some(check) if broken > 0 => {
            let (exit_code, _) = last_words(connection, check)?;
            Some(Worst {
                id: check.id,
                name: check.name.clone(),
                why: why(check, exit_code, now).unwrap_or_default(),
            })
        }
        _ => None,
    };
    Ok(Summary {
        class: if broken > 0 { "trouble" } else { "fine" },
        words,
        worst,
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

/// The worse a check is, the smaller. Of what is equally wrong, the newest trouble is the news.
pub(super) fn gravity(check: &Glance) -> (usize, i64) {
    (rank(check.status), -check.since)
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
