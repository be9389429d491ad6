//! In whose name a page acts: the person who is signed in, in one of their organizations. What
//! is another organization's is not there, and what they may not do is refused here.

use jiff::tz::TimeZone;
use rusqlite::Connection;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::fields::Problems;
use super::forms::{Sent, sent};
use super::page::Frame;
use super::visit::{Person, Visit};
use crate::schedule::zone;
use crate::server::api::{ApiError, lacks};
use crate::server::http::Response;
use crate::server::store::StoreError;
use crate::server::store::accounts::{Caller, Credential, Role, memberships};
use crate::wire::Organization;

/// Why a page is not what was asked for.
pub(super) enum Stop {
    /// This is answered in its place.
    Told(Box<Response>),
    /// The store does not answer.
    Store(StoreError),
}

/// What a function that answers for a page gives.
pub(super) type Page = Result<Response, Stop>;

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Response> for Stop {
    fn from(response: Response) -> Self {
        Self::Told(Box::new(response))
    }
}

/// What is answered in the end.
pub(super) fn answer(page: Page) -> Result<Response, StoreError> {
    match page {
        Ok(response) => Ok(response),
        Err(Stop::Told(response)) => Ok(*response),
        Err(Stop::Store(error)) => Err(error),
    }
}

/// Who acts, and where.
pub(super) struct Place {
    pub caller: Caller,
    /// All that they belong to, the oldest first.
    pub organizations: Vec<Organization>,
    /// The organization's time zone, by its IANA name.
    pub timezone: String,
    pub zone: TimeZone,
}

impl Place {
    /// In the organization that the form or the query names, else in their oldest.
    pub fn of(visit: &Visit<'_>) -> Result<Self, Stop> {
        let named = visit
            .request
            .form("org")
            .or_else(|| visit.request.parameter("org"))
            .filter(|id| !id.is_empty());
        let (person, theirs) = theirs(visit)?;
        let chosen = theirs
            .iter()
            .find(|org| named.as_ref().is_none_or(|id| org.id.to_string() == *id))
            .cloned()
            .ok_or_else(|| nothing_here(visit))?;
        Ok(Self::new(person, theirs, chosen))
    }

    /// In that one of their organizations which has what is looked for.
    pub fn with<T>(
        visit: &Visit<'_>,
        id: &str,
        find: impl Fn(&Connection, Uuid, Uuid) -> Result<Option<T>, StoreError>,
    ) -> Result<(Self, T), Stop> {
        let (person, theirs) = theirs(visit)?;
        let found = visit.app.store.read(|connection| {
            let Ok(id) = id.parse() else { return Ok(None) };
            for org in &theirs {
                if let Some(found) = find(connection, org.id, id)? {
                    return Ok(Some((org.clone(), found)));
                }
            }
            Ok(None)
        })?;
        let (org, found) = found.ok_or_else(|| nothing_here(visit))?;
        Ok((Self::new(person, theirs, org), found))
    }

    fn new(person: &Person, organizations: Vec<Organization>, org: Organization) -> Self {
        let role = Role::named(&org.user_role).unwrap_or(Role::ReadOnly);
        let zone = zone::named(&org.timezone).map_or(TimeZone::UTC, |(_, zone)| zone);
        Self {
            caller: Caller {
                org_id: org.id,
                org_name: org.name,
                user_id: person.user_id,
                email: person.email.clone(),
                role,
                scopes: role.scopes().iter().map(|&s| s.to_owned()).collect(),
                credential: Credential::Session(person.session),
            },
            organizations,
            timezone: org.timezone,
            zone,
        }
    }

    /// What a page of this organization has.
    pub fn frame<'v>(&self, visit: &'v Visit<'_>) -> Frame<'v> {
        let many = self.organizations.len() > 1;
        visit
            .frame()
            .within(self.org(), &self.caller.org_name, many)
    }

    /// The organization's id.
    pub fn org(&self) -> Uuid {
        self.caller.org_id
    }

    /// Whether they may do what this scope stands for.
    pub fn may(&self, scope: &str) -> bool {
        self.caller.may(scope)
    }

    /// That they may do what this scope stands for.
    pub fn need(&self, visit: &Visit<'_>, scope: &str) -> Result<(), Stop> {
        match self.may(scope) {
            true => Ok(()),
            false => Err(refuse(visit, &lacks(&self.caller, scope))),
        }
    }
}

/// Who is signed in, with their organizations: at least one.
fn theirs<'v>(visit: &'v Visit<'_>) -> Result<(&'v Person, Vec<Organization>), Stop> {
    let person = signed_in(visit)?;
    let theirs = visit
        .app
        .store
        .read(|connection| memberships(connection, person.user_id))?;
    if theirs.is_empty() {
        return Err(visit.go_to("/account").into());
    }
    Ok((person, theirs))
}

/// Who is signed in; others are led to the form, and back.
pub(super) fn signed_in<'v>(visit: &'v Visit<'_>) -> Result<&'v Person, Stop> {
    visit
        .person
        .as_ref()
        .ok_or_else(|| visit.sign_in_first().into())
}

/// What the token of a form is worth.
#[must_use]
pub(super) enum Token {
    /// What the form asks for may be done.
    Good,
    /// Its person may look at it once more: they have signed in anew since it was loaded.
    Stale,
}

impl Token {
    /// Goes on where it is good; else answers with the form as it came, which has a new token
    /// then.
    pub fn or_again(self, again: impl FnOnce(&Problems) -> Page) -> Result<(), Stop> {
        match self {
            Self::Good => Ok(()),
            Self::Stale => Err(again(&Problems::stale()).map_or_else(|stop| stop, Stop::from)),
        }
    }
}

/// What the token of the form is worth, where it comes from a page of ours and from somebody who
/// is signed in. Asked before anything that the form names is looked for.
pub(super) fn token(visit: &Visit<'_>) -> Result<Token, Stop> {
    signed_in(visit)?;
    match sent(visit) {
        Sent::Ours => Ok(Token::Good),
        Sent::Stale => Ok(Token::Stale),
        Sent::Foreign => Err(visit
            .message(
                StatusCode::FORBIDDEN,
                "Nothing was changed",
                "This form was too old, or does not come from this server. Load its page again, and try again.",
            )
            .into()),
    }
}

/// That the form was sent from a page of ours, by whoever is signed in now: for a button, whose
/// page is soon loaded again.
pub(super) fn ours(visit: &Visit<'_>) -> Result<(), Stop> {
    token(visit)?.or_again(|_| {
        Ok(visit.message(
            StatusCode::FORBIDDEN,
            "Nothing was changed",
            "You have signed in anew since the page was loaded. Go back to it, and press the button again.",
        ))
    })
}

/// What is not there, or another's: nobody is told which.
pub(super) fn nothing_here(visit: &Visit<'_>) -> Stop {
    visit
        .message(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "The address may be mistyped, or the page is gone.",
        )
        .into()
}

/// A page that says what the API would have said.
pub(super) fn refuse(visit: &Visit<'_>, error: &ApiError) -> Stop {
    let title = match error.status {
        StatusCode::FORBIDDEN => "You may not do that",
        StatusCode::NOT_FOUND => "It is not there",
        StatusCode::SERVICE_UNAVAILABLE => "Not at the moment",
        _ => "Nothing was changed",
    };
    let text = format!("{}.", error.body.error);
    visit.message(error.status, title, &text).into()
}
