//! Who belongs to the organization, and as what. Only an owner makes owners, and takes that from
//! them; the last one stays.

use askama::Template;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::super::fields::{Choice, Field, Problems};
use super::super::moment::Moment;
use super::super::page::Frame;
use super::super::place::{Page, Place, Stop, nothing_here, ours};
use super::super::visit::Visit;
use super::{Head, acting, done, field, filling_in, id};
use crate::random;
use crate::server::accounts::passwords;
use crate::server::alerts::is_address;
use crate::server::store::accounts::{Role, role_in};
use crate::server::store::{StoreError, users};

/// How many characters a first password has, out of 32 each: 80 bits.
const LENGTH: usize = 16;

/// None that is easily taken for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A person as the page lists them.
struct Row {
    id: Uuid,
    email: String,
    name: Option<String>,
    role: &'static str,
    since: Moment,
    has_password: bool,
    is_me: bool,
    /// Whether whoever looks may change what they are, and remove them.
    mine: bool,
}

#[derive(Template)]
#[template(path = "members.html")]
struct Members<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    rows: Vec<Row>,
    may: bool,
    roles: Vec<&'static str>,
    problems: &'a Problems,
    fields: [Field; 2],
}

#[derive(Template)]
#[template(path = "member-added.html")]
struct Added<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    email: &'a str,
    role: &'static str,
    password: &'a str,
    server: &'a str,
}

fn what(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner: all, and other owners",
        Role::Admin => "admin: all but owners",
        Role::Member => "member: checks and projects",
        Role::ReadOnly => "read-only: look",
    }
}

/// The roles that this person may give.
fn to_give(place: &Place) -> Vec<Role> {
    let is_owner = place.caller.role == Role::Owner;
    Role::ALL
        .into_iter()
        .filter(|role| is_owner || *role != Role::Owner)
        .collect()
}

pub(super) fn show(visit: &Visit<'_>) -> Page {
    let place = Place::of(visit)?;
    page(
        visit,
        &place,
        &Problems::default(),
        "",
        Role::Member.as_str(),
    )
}

fn page(visit: &Visit<'_>, place: &Place, problems: &Problems, email: &str, role: &str) -> Page {
    let members = visit
        .app
        .store
        .read(|connection| users::members(connection, place.org()))?;
    let rows = members.into_iter().map(|(user, role)| Row {
        is_me: user.id == place.caller.user_id,
        mine: place.may("manage") && to_give(place).contains(&role),
        id: user.id,
        email: user.email,
        name: user.name,
        role: role.as_str(),
        since: Moment::of(user.created_at),
        has_password: user.password_hash.is_some(),
    });
    let roles = to_give(place);
    let choices = roles
        .iter()
        .map(|role| Choice::new(role.as_str(), what(*role)))
        .collect();
    let template = Members {
        frame: place.frame(visit),
        head: Head::new(visit, place, "members"),
        rows: rows.collect(),
        may: place.may("manage"),
        roles: roles.into_iter().map(Role::as_str).collect(),
        problems,
        fields: [
            Field::new("email", "Email")
                .kind("email")
                .value(email)
                .required()
                .of(problems),
            Field::select("role", "Role", choices)
                .value(role)
                .of(problems),
        ],
    };
    Ok(visit.page(problems.status(), &template))
}

/// A role that this person may give, by its name.
fn given(visit: &Visit<'_>, place: &Place) -> Result<Role, Stop> {
    let role = Role::named(&field(visit, "role")).unwrap_or(Role::ReadOnly);
    match to_give(place).contains(&role) {
        true => Ok(role),
        false => Err(owners_only(visit)),
    }
}

fn owners_only(visit: &Visit<'_>) -> Stop {
    visit
        .message(
            StatusCode::FORBIDDEN,
            "You may not do that",
            "Only an owner may make somebody an owner, or change what an owner is. Ask one.",
        )
        .into()
}

fn last_owner(visit: &Visit<'_>) -> Stop {
    visit
        .message(
            StatusCode::CONFLICT,
            "Nothing was changed",
            "An organization always has an owner, and this is the last. Make somebody else an owner first.",
        )
        .into()
}

/// Adds a person. Who is new to the server gets a first password, which is shown in this answer
/// and nowhere else; who is known keeps theirs.
pub(super) fn add(visit: &Visit<'_>) -> Page {
    let (token, place) = filling_in(visit, "manage")?;
    let (email, role) = (field(visit, "email"), given(visit, &place)?);
    token.or_again(|problems| page(visit, &place, problems, &email, role.as_str()))?;
    let mut problems = Problems::default();
    if !is_address(&email) {
        problems.add("email", "Give one address, such as ops@example.com");
        return page(visit, &place, &problems, &email, role.as_str());
    }
    let store = &visit.app.store;
    let known = store.read(|connection| {
        let user = users::by_email(connection, &email)?;
        let here = match &user {
            Some(user) => role_in(connection, place.org(), user.id)?,
            None => None,
        };
        Ok(user.map(|user| (user.id, here)))
    })?;
    let org_id = place.org();
    match known {
        Some((_, Some(here))) => {
            let sentence = format!("{email} is {} here already", here.as_str());
            problems.add("email", sentence);
            page(visit, &place, &problems, &email, role.as_str())
        }
        Some((user, None)) => {
            store.write(move |desk| users::join(desk, org_id, user, role))?;
            Ok(done(visit, &place, "members", "added"))
        }
        None => {
            let password = password()?;
            let hash = passwords::hash(&password).map_err(StoreError::Unavailable)?;
            let address = email.clone();
            let added = store.write(move |desk| {
                let id = users::create(desk, &address, None, Some(&hash))?;
                users::join(desk, org_id, id, role)
            });
            match added {
                Ok(()) => {}
                // Somebody else added them at this moment.
                Err(StoreError::Taken(_)) => {
                    problems.add("email", "Somebody has just added them; look again");
                    return page(visit, &place, &problems, &email, role.as_str());
                }
                Err(error) => return Err(error.into()),
            }
            let template = Added {
                frame: place.frame(visit),
                head: Head::new(visit, &place, "members"),
                email: &email,
                role: role.as_str(),
                password: &password,
                server: &visit.app.public_url,
            };
            Ok(visit.page(StatusCode::CREATED, &template))
        }
    }
}

fn password() -> Result<String, StoreError> {
    let mut text = String::new();
    for (index, byte) in random::bytes::<LENGTH>()?.iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    Ok(text)
}

/// The person that a form is about, and what they are, where they belong to the organization.
fn member(visit: &Visit<'_>, place: &Place, user: &str) -> Result<(Uuid, Role), Stop> {
    let user = id(visit, user)?;
    let role = visit
        .app
        .store
        .read(|connection| role_in(connection, place.org(), user))?;
    Ok((user, role.ok_or_else(|| nothing_here(visit))?))
}

pub(super) fn change(visit: &Visit<'_>, user: &str) -> Page {
    let place = acting(visit, "manage")?;
    let (user, old) = member(visit, &place, user)?;
    if !to_give(&place).contains(&old) {
        return Err(owners_only(visit));
    }
    let (role, org_id) = (given(visit, &place)?, place.org());
    let changed = visit
        .app
        .store
        .write(move |desk| users::join(desk, org_id, user, role));
    match changed {
        Ok(()) => Ok(done(visit, &place, "members", "role")),
        Err(StoreError::LastOwner) => Err(last_owner(visit)),
        Err(error) => Err(error.into()),
    }
}

/// Takes a person out; anybody may take out themselves.
pub(super) fn remove(visit: &Visit<'_>, user: &str) -> Page {
    ours(visit)?;
    let place = Place::of(visit)?;
    let (user, role) = member(visit, &place, user)?;
    let is_me = user == place.caller.user_id;
    if !is_me {
        place.need(visit, "manage")?;
        if !to_give(&place).contains(&role) {
            return Err(owners_only(visit));
        }
    }
    let org_id = place.org();
    let left = visit
        .app
        .store
        .write(move |desk| users::leave(desk, org_id, user));
    match left {
        Ok(_) if is_me => Ok(visit.go_to("/account")),
        Ok(_) => Ok(done(visit, &place, "members", "removed")),
        Err(StoreError::LastOwner) => Err(last_owner(visit)),
        Err(StoreError::Gone) => Err(nothing_here(visit)),
        Err(error) => Err(error.into()),
    }
}
