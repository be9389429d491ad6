//! API keys: listed with their last use, made and shown once, revoked.

use askama::Template;
use ureq_proto::http::{Method, StatusCode};

use super::super::fields::{Field, Problems};
use super::super::moment::Moment;
use super::super::page::Frame;
use super::super::place::{Page, Place, ours, refuse, signed_in};
use super::super::visit::Visit;
use super::{Head, done, field, filling_in, id};
use crate::server::api::api_keys;
use crate::server::clock;
use crate::server::http::Response;
use crate::server::store::{StoreError, keys};
use crate::wire::account::SCOPES;
use crate::wire::{CreatedKey, NewApiKey};

/// A key as the page lists it.
struct Row {
    id: uuid::Uuid,
    name: String,
    prefix: String,
    scopes: String,
    maker: String,
    created: Moment,
    used: Option<Moment>,
    expires: Option<Moment>,
    expired: bool,
    /// Whether whoever looks may revoke it.
    mine: bool,
}

/// Something that a key may be allowed.
struct Scope {
    name: &'static str,
    what: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "api-keys.html")]
struct Keys<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    rows: Vec<Row>,
    problems: &'a Problems,
    fields: [Field; 2],
    scopes: Vec<Scope>,
}

#[derive(Template)]
#[template(path = "api-key-created.html")]
struct Created<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    key: CreatedKey,
    expires: Option<Moment>,
    server: &'a str,
}

#[derive(Template)]
#[template(path = "api-key-gone.html")]
struct Gone<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
}

pub(super) fn show(visit: &Visit<'_>) -> Page {
    let place = Place::of(visit)?;
    let usual: Vec<&str> = vec!["read", "write"];
    page(visit, &place, &Problems::default(), "", "", &usual)
}

fn page(
    visit: &Visit<'_>,
    place: &Place,
    problems: &Problems,
    name: &str,
    days: &str,
    chosen: &[&str],
) -> Page {
    let all = api_keys::all(visit.app, &place.caller)?;
    let owners = visit
        .app
        .store
        .read(|connection| keys::owners(connection, place.org()))?;
    let rows = all.into_iter().map(|key| {
        let (user, maker) = owners.get(&key.id).cloned().unwrap_or_default();
        Row {
            mine: place.may("manage") || user == place.caller.user_id,
            id: key.id,
            name: key.name,
            prefix: key.key_prefix,
            scopes: key.scopes.join(", "),
            maker,
            created: Moment::of(key.created_at),
            used: key.last_used_at.map(Moment::of),
            expires: key.expires_at.map(Moment::of),
            expired: key.is_expired,
        }
    });
    let scopes = SCOPES.into_iter().filter(|name| place.may(name));
    let template = Keys {
        frame: place.frame(visit),
        head: Head::new(visit, place, "api-keys"),
        rows: rows.collect(),
        problems,
        fields: [
            Field::new("name", "Name")
                .value(name)
                .hint("Where it will be: the name of the machine, or of the pipeline.")
                .required()
                .of(problems),
            Field::new("expires_in_days", "Expires after so many days")
                .value(days)
                .hint("1 to 3650. Left empty, it never expires.")
                .of(problems),
        ],
        scopes: scopes
            .map(|name| Scope {
                name,
                what: match name {
                    "read" => "see everything",
                    "write" => "create, change, pause and delete checks and projects",
                    _ => "API keys, channels and members too",
                },
                chosen: chosen.contains(&name),
            })
            .collect(),
    };
    Ok(visit.page(problems.status(), &template))
}

/// Makes a key for whoever is signed in, and leads to the page that shows it once.
pub(super) fn create(visit: &Visit<'_>) -> Page {
    let (token, place) = filling_in(visit, "read")?;
    let (name, days) = (field(visit, "name"), field(visit, "expires_in_days"));
    let chosen: Vec<&str> = SCOPES
        .into_iter()
        .filter(|scope| !field(visit, &format!("scope_{scope}")).is_empty())
        .collect();
    token.or_again(|problems| page(visit, &place, problems, &name, &days, &chosen))?;
    let expires_in_days = match days.as_str() {
        "" => None,
        // What is no number is none of the days that the API allows.
        text => Some(text.parse().unwrap_or(0)),
    };
    let new = NewApiKey {
        org_id: place.org(),
        name: name.clone(),
        scopes: chosen.iter().map(|&scope| scope.to_owned()).collect(),
        expires_in_days,
    };
    let key = match api_keys::make(visit.app, &place.caller, &new) {
        Ok(key) => key,
        Err(error) => {
            let mut problems = Problems::default();
            match error.body.field.as_deref() {
                Some("expires_in_days") => problems.add(
                    "expires_in_days",
                    "A key can expire in 1 to 3650 days; leave this empty for one that never does",
                ),
                Some("scopes") => problems.add("scope_read", "Choose what the key may do"),
                _ => problems.take(visit, &error)?,
            }
            return page(visit, &place, &problems, &name, &days, &chosen);
        }
    };
    let session = signed_in(visit)?.session;
    let shown = &visit.app.accounts.shown;
    let ticket = shown
        .keep(session, key, clock::now())
        .map_err(StoreError::from)?;
    let org = place.org();
    Ok(visit.go_to(&format!("/settings/api-keys/new/{ticket}?org={org}")))
}

/// Shows a key that was just made: in this answer and nowhere else.
pub(super) fn created(visit: &Visit<'_>, ticket: &str) -> Page {
    let place = Place::of(visit)?;
    // An answer without a body would cost the key.
    if visit.request.method == Method::HEAD {
        return Ok(visit.not_so("GET"));
    }
    let (session, ticket) = (signed_in(visit)?.session, id(visit, ticket)?);
    let shown = &visit.app.accounts.shown;
    let Some(key) = shown.take(session, ticket, clock::now()) else {
        let gone = Gone {
            frame: place.frame(visit),
            head: Head::new(visit, &place, "api-keys"),
        };
        return Ok(visit.page(StatusCode::GONE, &gone));
    };
    let template = Created {
        frame: place.frame(visit),
        head: Head::new(visit, &place, "api-keys"),
        expires: key.expires_at.map(Moment::of),
        key,
        server: &visit.app.public_url,
    };
    Ok(visit.page(StatusCode::OK, &template))
}

pub(super) fn revoke(visit: &Visit<'_>, key: &str) -> Page {
    ours(visit)?;
    let place = Place::of(visit)?;
    let answer: Result<Response, _> = api_keys::end(visit.app, &place.caller, id(visit, key)?)
        .map(|()| done(visit, &place, "api-keys", "revoked"));
    answer.map_err(|error| refuse(visit, &error))
}
