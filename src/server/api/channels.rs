//! Alert channels: created, listed, changed, tried out, and what became of their deliveries.

use ureq_proto::http::{StatusCode, Uri};
use uuid::Uuid;

use super::{Answer, ApiError, App, id, id_parameter, json, json_and_nulls, name, own_org};
use crate::random;
use crate::server::alerts::is_address;
use crate::server::http::{Request, Response};
use crate::server::store::accounts::Caller;
use crate::server::store::{StoreError, channels, checks, deliveries, projects};
use crate::wire;
use crate::wire::webhook::{Alert, CheckRef, Delivery, Event, NamedRef};
use crate::wire::{Channel, ChannelChange, ChannelKind, ChannelTest, NewChannel, Status};

/// The longest target and the longest secret, characters.
const TARGET_MAX: usize = 2000;
const SECRET_MAX: usize = 1000;

/// How many deliveries are listed where nobody says, and at most.
const DELIVERIES_USUAL: u32 = 50;
const DELIVERIES_MAX: u32 = 1000;

pub(super) fn list(app: &App, caller: &Caller, request: &Request) -> Answer {
    own_org(caller, id_parameter(request, "org_id")?)?;
    let channels = app
        .store
        .read(|connection| channels::list(connection, caller.org_id))?;
    Ok(Response::json(StatusCode::OK, &channels))
}

pub(super) fn create(app: &App, caller: &Caller, request: &Request) -> Answer {
    let new: NewChannel = json(request)?;
    own_org(caller, Some(new.org_id))?;
    Ok(Response::json(
        StatusCode::CREATED,
        &make(app, caller, new)?,
    ))
}

/// Creates a channel of the caller's organization, whichever way it was asked for.
pub(in crate::server) fn make(
    app: &App,
    caller: &Caller,
    new: NewChannel,
) -> Result<Channel, ApiError> {
    if let Some(project) = new.project_id {
        app.store
            .read(|connection| projects::get(connection, caller.org_id, project))?
            .ok_or_else(|| ApiError::not_found("There is no project with this id"))?;
    }
    if let Some(check) = new.check_id {
        if new.project_id.is_some() {
            return Err(ApiError::field(
                "check_id",
                "A channel is for one project or for one check; give project_id or check_id, not both",
            ));
        }
        app.store
            .read(|connection| checks::row_of(connection, caller.org_id, check))?
            .ok_or_else(|| ApiError::not_found("There is no check with this id"))?;
    }
    if new.kind == ChannelKind::Email && !app.notifier.can_mail() {
        return Err(ApiError::field(
            "kind",
            "This server has no mail server to send through; its operator can start it with --smtp-host and --smtp-from",
        ));
    }
    let new = NewChannel {
        name: name(&new.name)?,
        target: target(new.kind, &new.target)?,
        secret: new.secret.filter(|secret| !secret.is_empty()),
        ..new
    };
    check_secret(new.kind, new.secret.as_deref())?;
    Ok(app.store.write(move |desk| channels::create(desk, &new))?)
}

pub(super) fn get(app: &App, caller: &Caller, channel: &str) -> Answer {
    Ok(Response::json(StatusCode::OK, &find(app, caller, channel)?))
}

pub(super) fn update(app: &App, caller: &Caller, channel: &str, request: &Request) -> Answer {
    let there = find(app, caller, channel)?;
    let (asked, nulls): (ChannelChange, _) = json_and_nulls(request)?;
    let asked = ChannelChange {
        secret: nulls.or_empty("secret", asked.secret),
        ..asked
    };
    let channel = change(app, caller, &there, asked)?;
    Ok(Response::json(StatusCode::OK, &channel))
}

/// Changes the caller's channel, whichever way it was asked for.
pub(in crate::server) fn change(
    app: &App,
    caller: &Caller,
    there: &Channel,
    change: ChannelChange,
) -> Result<Channel, ApiError> {
    // Who sends back what they were shown changes nothing: a Slack URL is never shown whole.
    let asked_target = change.target.filter(|text| *text != there.target);
    let change = ChannelChange {
        name: change.name.as_deref().map(name).transpose()?,
        target: asked_target
            .as_deref()
            .map(|text| target(there.kind, text))
            .transpose()?,
        ..change
    };
    check_secret(
        there.kind,
        change.secret.as_deref().filter(|secret| !secret.is_empty()),
    )?;
    let (org_id, id) = (caller.org_id, there.id);
    Ok(app
        .store
        .write(move |desk| channels::update(desk, org_id, id, &change))?)
}

/// What became of the alerts that the channel was to hear of.
pub(super) fn deliveries(app: &App, caller: &Caller, channel: &str, request: &Request) -> Answer {
    let channel = find(app, caller, channel)?.id;
    let limit = match request.parameter("limit") {
        None => DELIVERIES_USUAL,
        Some(text) => match text.parse() {
            Ok(limit @ 1..=DELIVERIES_MAX) => limit,
            _ => {
                return Err(ApiError::new(
                    StatusCode::BAD_REQUEST,
                    "'limit' must be a number from 1 to 1000",
                ));
            }
        },
    };
    let list = app
        .store
        .read(|connection| deliveries::list(connection, caller.org_id, channel, limit))?;
    Ok(Response::json(StatusCode::OK, &list))
}

fn find(app: &App, caller: &Caller, channel: &str) -> Result<Channel, ApiError> {
    let channel = id(channel, "channel")?;
    app.store
        .read(|connection| channels::get(connection, caller.org_id, channel))?
        .ok_or_else(|| ApiError::not_found("There is no channel with this id"))
}

pub(super) fn delete(app: &App, caller: &Caller, channel: &str) -> Answer {
    let (org_id, id) = (caller.org_id, id(channel, "channel")?);
    app.store
        .write(move |desk| channels::delete(desk, org_id, id))?;
    Ok(Response::empty())
}

/// Sends a message that no check caused, and says what came back.
pub(super) fn test(app: &App, caller: &Caller, channel: &str) -> Answer {
    let told = try_out(app, caller, id(channel, "channel")?)?;
    Ok(Response::json(StatusCode::OK, &told))
}

/// The same, whichever way it was asked for.
pub(in crate::server) fn try_out(
    app: &App,
    caller: &Caller,
    channel: Uuid,
) -> Result<ChannelTest, ApiError> {
    let address = app
        .store
        .read(|connection| channels::address(connection, caller.org_id, channel))?
        .ok_or_else(|| ApiError::not_found("There is no channel with this id"))?;
    let payload = serde_json::to_string(&sample(app, caller)?).unwrap_or_default();
    Ok(app.notifier.test(&address, payload))
}

/// Where a channel of this kind goes.
///
/// Any host may be named, also one of the server's own network or machine: who runs a server
/// of their own wants their chat and their tickets to hear of it, and those are inside. What
/// limits the harm where strangers have keys: only the scope `manage` may name a target, what is
/// sent is a `POST` of our JSON, redirects are not followed, and no more than the first 1,000
/// characters of an answer are shown.
fn target(kind: ChannelKind, text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let (good, sentence) = match kind {
        ChannelKind::Email => (
            is_address(text),
            "The target of an email channel must be one address such as ops@example.com",
        ),
        ChannelKind::Slack => (
            is_http_url(text),
            "The target of a Slack channel must be the URL of an incoming webhook, such as https://hooks.slack.com/services/…",
        ),
        ChannelKind::Webhook => (
            is_http_url(text),
            "The target of a webhook must be a URL such as https://example.com/hook, without a password in it",
        ),
    };
    match good {
        true => Ok(text.to_owned()),
        false => Err(ApiError::field("target", sentence)),
    }
}

fn check_secret(kind: ChannelKind, secret: Option<&str>) -> Result<(), ApiError> {
    let Some(secret) = secret else {
        return Ok(());
    };
    if kind != ChannelKind::Webhook {
        return Err(ApiError::field(
            "secret",
            "Only the deliveries of a webhook are signed; leave the secret out",
        ));
    }
    if secret.chars().count() > SECRET_MAX {
        return Err(ApiError::field(
            "secret",
            "The secret must not be longer than 1000 characters",
        ));
    }
    Ok(())
}

fn is_http_url(text: &str) -> bool {
    text.len() <= TARGET_MAX
        && text.parse::<Uri>().is_ok_and(|uri| {
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
                && !authority.contains('@')
                && !wire::has_a_wrong_port(authority)
        })
}

fn sample(app: &App, caller: &Caller) -> Result<Delivery, ApiError> {
    let now = jiff::Timestamp::now();
    Ok(Delivery {
        event: Event::Test,
        check: CheckRef {
            id: Uuid::nil(),
            name: "Test".to_owned(),
            slug: "test".to_owned(),
            status: Status::Up,
            ping_url: format!("{}/{}", app.public_url, Uuid::nil()),
        },
        project: NamedRef {
            id: Uuid::nil(),
            name: "Test".to_owned(),
        },
        organization: NamedRef {
            id: caller.org_id,
            name: caller.org_name.clone(),
        },
        alert: Alert {
            id: random::uuid().map_err(StoreError::from)?,
            kind: "test".to_owned(),
            message: "This is a test of an alert channel; nothing is wrong".to_owned(),
            triggered_at: now,
            output: None,
        },
        timestamp: now,
    })
}
