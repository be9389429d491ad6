//! What an organization decides about itself: a page for each kind of thing, with the forms that
//! change it. Whether somebody may is asked of the API's own rules.

mod channels;
mod keys;
mod maintenance;
mod members;
mod organization;
mod projects;
mod subject;

use uuid::Uuid;

use super::place::{Page, Place, Stop, Token, nothing_here, ours, token};
use super::visit::Visit;
use crate::server::http::Response;
use crate::wire::Organization;

/// The pages, by their paths below `/settings`.
const SECTIONS: [(&str, &str); 6] = [
    ("api-keys", "API keys"),
    ("channels", "Channels"),
    ("members", "Members"),
    ("maintenance", "Maintenance"),
    ("projects", "Projects"),
    ("organization", "Time zone"),
];

/// What was done, as a redirect tells it to the page that is shown next.
const DONE: [(&str, &str); 12] = [
    ("added", "The person was added."),
    ("changed", "It was changed."),
    ("created", "It was created."),
    ("deleted", "It was deleted."),
    ("ended", "The maintenance is over: alerts go out again."),
    ("off", "The channel is off: it hears of nothing."),
    ("on", "The channel is on."),
    ("planned", "The maintenance is planned."),
    (
        "removed",
        "The person was removed, and their keys were revoked.",
    ),
    ("revoked", "The key was revoked: it opens nothing any more."),
    ("role", "The role was changed."),
    ("zone", "The time zone was changed."),
];

/// What all of these pages have in common.
pub(super) struct Head<'a> {
    /// The last part of the page's path.
    pub here: &'static str,
    pub org_id: Uuid,
    pub organizations: &'a [Organization],
    pub done: Option<&'static str>,
    pub sections: [(&'static str, &'static str); 6],
}

impl<'a> Head<'a> {
    fn new(visit: &'a Visit<'_>, place: &'a Place, here: &'static str) -> Self {
        let done = visit.request.parameter("done").unwrap_or_default();
        Self {
            here,
            org_id: place.org(),
            organizations: &place.organizations,
            done: DONE
                .iter()
                .find(|(word, _)| *word == done)
                .map(|(_, text)| *text),
            sections: SECTIONS,
        }
    }
}

/// To one of these pages, which then says what was done.
fn done(visit: &Visit<'_>, place: &Place, path: &str, word: &str) -> Response {
    visit.go_to(&format!("/settings/{path}?org={}&done={word}", place.org()))
}

/// The place that a button is about, where its form is ours and they may do what it asks.
fn acting(visit: &Visit<'_>, scope: &str) -> Result<Place, Stop> {
    ours(visit)?;
    let place = Place::of(visit)?;
    place.need(visit, scope)?;
    Ok(place)
}

/// The same for a form that people fill in, with what its token is worth.
fn filling_in(visit: &Visit<'_>, scope: &str) -> Result<(Token, Place), Stop> {
    let token = token(visit)?;
    let place = Place::of(visit)?;
    place.need(visit, scope)?;
    Ok((token, place))
}

/// An id in the path of a form; what is no id names nothing.
fn id(visit: &Visit<'_>, text: &str) -> Result<Uuid, Stop> {
    text.parse().map_err(|_| nothing_here(visit))
}

/// What a field of the form holds, without white space around it.
fn field(visit: &Visit<'_>, name: &str) -> String {
    let value = visit.request.form(name).unwrap_or_default();
    value.trim().to_owned()
}

/// Answers a request for what is below `/settings`.
pub(super) fn answer(visit: &Visit<'_>, method: &str, route: &[&str]) -> Page {
    match (method, route) {
        ("GET", []) => {
            let org = visit.request.parameter("org").unwrap_or_default();
            let org: Option<Uuid> = org.parse().ok();
            let query = org.map_or(String::new(), |org| format!("?org={org}"));
            Ok(visit.go_to(&format!("/settings/api-keys{query}")))
        }
        ("GET", ["api-keys"]) => keys::show(visit),
        ("POST", ["api-keys"]) => keys::create(visit),
        ("GET", ["api-keys", "new", ticket]) => keys::created(visit, ticket),
        ("POST", ["api-keys", key, "revoke"]) => keys::revoke(visit, key),
        ("GET", ["channels"]) => channels::list(visit),
        ("POST", ["channels"]) => channels::create(visit),
        ("GET", ["channels", id]) => channels::show(visit, id),
        ("POST", ["channels", id]) => channels::update(visit, id),
        ("POST", ["channels", id, "test"]) => channels::test(visit, id),
        ("POST", ["channels", id, "switch"]) => channels::switch(visit, id),
        ("POST", ["channels", id, "delete"]) => channels::delete(visit, id),
        ("GET", ["members"]) => members::show(visit),
        ("POST", ["members"]) => members::add(visit),
        ("POST", ["members", id, "role"]) => members::change(visit, id),
        ("POST", ["members", id, "remove"]) => members::remove(visit, id),
        ("GET", ["maintenance"]) => maintenance::show(visit),
        ("POST", ["maintenance"]) => maintenance::plan(visit),
        ("POST", ["maintenance", id, "end"]) => maintenance::end(visit, id),
        ("POST", ["maintenance", id, "delete"]) => maintenance::delete(visit, id),
        ("GET", ["projects"]) => projects::list(visit),
        ("POST", ["projects"]) => projects::create(visit),
        ("GET", ["projects", id]) => projects::show(visit, id),
        ("POST", ["projects", id]) => projects::update(visit, id),
        ("POST", ["projects", id, "delete"]) => projects::delete(visit, id),
        ("GET", ["organization"]) => organization::show(visit),
        ("POST", ["organization"]) => organization::update(visit),
        (_, []) => Ok(visit.not_so("GET, HEAD")),
        (_, [section]) if SECTIONS.iter().any(|(path, _)| path == section) => {
            Ok(visit.not_so("GET, HEAD, POST"))
        }
        (_, ["channels" | "projects", _]) => Ok(visit.not_so("GET, HEAD, POST")),
        (
            _,
            ["channels", _, "test" | "switch" | "delete"]
            | ["members", _, "role" | "remove"]
            | ["maintenance", _, "end" | "delete"]
            | ["projects", _, "delete"]
            | ["api-keys", _, "revoke"],
        ) => Ok(visit.not_so("POST")),
        _ => Err(nothing_here(visit)),
    }
}
