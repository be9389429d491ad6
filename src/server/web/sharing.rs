//! Where the people of a project decide what everybody may see of it: its status page and its
//! badges, with lines to copy.

use askama::Template;
use ureq_proto::http::StatusCode;

use super::badge::{self, Subject};
use super::page::Frame;
use super::place::{Page, Place, token};
use super::visit::Visit;
use crate::server::store::overview::{self, Glance};
use crate::server::store::publications::{self, Publication};
use crate::server::store::{StoreError, projects};
use crate::wire::{Project, Status};

/// How many checks' badges are shown at once; the others are found by name.
const MOST: usize = 50;

/// The length of a path that a person chooses, characters.
const PATH_MIN: usize = 3;
const PATH_MAX: usize = 60;

/// The length of a random one: nobody may choose what looks like it.
const RANDOM: usize = 32;

#[derive(Template)]
#[template(path = "sharing.html")]
struct Sharing<'a> {
    frame: Frame<'a>,
    project: &'a Project,
    /// Whether they may change anything.
    may: bool,
    publication: Publication,
    /// What comes before the path of the status page, and the whole address where it is on.
    before: String,
    address: Option<String>,
    /// What the field for the path holds.
    path: String,
    listed: bool,
    problem: Option<&'a str>,
    badges: Vec<Badge>,
    query: String,
    more: usize,
}

/// A badge to copy.
struct Badge {
    of: String,
    picture: String,
    markdown: String,
}

pub(super) fn show(visit: &Visit<'_>, id: &str) -> Page {
    let (place, project) = Place::with(visit, id, projects::get)?;
    form(visit, &place, &project, StatusCode::OK, None)
}

fn form(
    visit: &Visit<'_>,
    place: &Place,
    project: &Project,
    status: StatusCode,
    problem: Option<&str>,
) -> Page {
    let (publication, mut checks) = visit.app.store.read(|connection| {
        let publication = publications::of_project(connection, project.id)?;
        let checks = overview::glances(connection, place.org(), Some(project.id))?;
        Ok((publication, checks))
    })?;
    checks.sort_by_cached_key(|check| check.name.to_lowercase());
    let query = visit.request.parameter("q").unwrap_or_default();
    let (badges, more) = badges(visit, &publication, project, &checks, &query);
    let public = publication.page.as_ref();
    let before = format!("{}/status/", visit.app.public_url);
    let path = match problem {
        // What was typed, so that it can be mended.
        Some(_) => visit.request.form("path").unwrap_or_default(),
        None => public
            .filter(|page| page.chosen)
            .map_or(String::new(), |page| page.path.clone()),
    };
    let page = Sharing {
        frame: place.frame(visit),
        project,
        may: place.may("manage"),
        address: public.map(|page| format!("{before}{}", page.path)),
        before,
        path,
        listed: public.is_some_and(|page| page.listed),
        publication,
        problem,
        badges,
        query,
        more,
    };
    Ok(visit.page(status, &page))
}

fn badges(
    visit: &Visit<'_>,
    publication: &Publication,
    project: &Project,
    checks: &[Glance],
    query: &str,
) -> (Vec<Badge>, usize) {
    let Some(keys) = &publication.badges else {
        return (Vec::new(), 0);
    };
    let badge = |of: String, label: &str, status: Status, subject: Subject<'_>| {
        let token = badge::token(keys, subject);
        let address = format!("{}/badge/{token}.svg", visit.app.public_url);
        Badge {
            of,
            picture: badge::svg(label, status),
            markdown: format!("![{}]({address})", plain(label)),
        }
    };
    let mut all = vec![badge(
        "the whole project".to_owned(),
        &project.name,
        badge::worst(checks),
        Subject::Project,
    )];
    let needle = query.trim().to_lowercase();
    let tags = badge::tags(checks);
    let tags = tags
        .iter()
        .filter(|tag| tag.to_lowercase().contains(&needle));
    all.extend(tags.take(MOST).map(|tag| {
        let of_it = checks.iter().filter(|check| check.tags.contains(tag));
        badge(
            format!("tag {tag}"),
            tag,
            badge::worst(of_it),
            Subject::Tag(tag),
        )
    }));
    let found: Vec<&Glance> = checks
        .iter()
        .filter(|check| check.name.to_lowercase().contains(&needle))
        .collect();
    all.extend(found.iter().take(MOST).map(|check| {
        badge(
            check.name.clone(),
            &check.name,
            check.status,
            Subject::Check(check.id),
        )
    }));
    (all, found.len().saturating_sub(MOST))
}

/// A text that stays one within the brackets of Markdown.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '[' | ']' | '\\' | '<' | '>' | '!' | '`' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

pub(super) fn change(visit: &Visit<'_>, id: &str) -> Page {
    let token = token(visit)?;
    let (place, project) = Place::with(visit, id, projects::get)?;
    token.or_again(|problems| {
        let problem = "You have signed in anew since this form was loaded. Look at it, and press the button again.";
        form(visit, &place, &project, problems.status(), Some(problem))
    })?;
    if !place.may("manage") {
        return Ok(visit.message(
            StatusCode::FORBIDDEN,
            "Nothing was changed",
            "Only owners and admins decide what everybody may see. Ask one of them.",
        ));
    }
    let value = |name| visit.request.form(name).unwrap_or_default();
    let id = project.id;
    let done = match value("action").as_str() {
        "page" | "random" => {
            let anew = value("action") == "random";
            let path = value("path").trim().to_ascii_lowercase();
            let chosen = Some(path).filter(|path| !anew && !path.is_empty());
            if chosen.as_deref().is_some_and(|path| !is_path(path)) {
                let problem = "An address has 3 to 60 small letters, digits and hyphens, and begins and ends with a letter or digit.";
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return form(visit, &place, &project, status, Some(problem));
            }
            let listed = value("listed") == "yes";
            visit.app.store.write(move |desk| {
                publications::set_page(desk, id, chosen.as_deref(), listed, anew)
            })
        }
        "no-page" => visit
            .app
            .store
            .write(move |desk| publications::remove_page(desk, id)),
        "badges" => visit
            .app
            .store
            .write(move |desk| publications::set_badges(desk, id)),
        "no-badges" => visit
            .app
            .store
            .write(move |desk| publications::remove_badges(desk, id)),
        _ => Ok(()),
    };
    match done {
        Err(StoreError::Taken(_)) => {
            let problem = "Another status page has this address. Choose another.";
            form(visit, &place, &project, StatusCode::CONFLICT, Some(problem))
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(visit.go_to(&format!("/projects/{id}/public"))),
    }
}

/// Whether a person may choose this path.
fn is_path(path: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let looks_random = path.len() == RANDOM && path.bytes().all(|b| b.is_ascii_hexdigit());
    (PATH_MIN..=PATH_MAX).contains(&path.len())
        && path.bytes().all(fits)
        && !path.starts_with('-')
        && !path.ends_with('-')
        && !looks_random
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_word_that_no_random_one_looks_like() {
        for path in ["acme", "acme-production-2", &"f".repeat(33)] {
            assert!(is_path(path), "{path}");
        }
        for path in [
            "",
            "ab",
            "-abc",
            "abc-",
            "a b",
            "a/b",
            "ä-ö",
            "a.b",
            &"f".repeat(32),
        ] {
            assert!(!is_path(path), "{path}");
        }
    }

    #[test]
    fn a_name_can_not_leave_its_brackets() {
        assert_eq!(plain("a](http://evil) [b"), "a (http://evil)  b");
    }
}
