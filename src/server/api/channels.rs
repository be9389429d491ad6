//! Alert channels: created, listed, tried out.

use ureq_proto::http::{StatusCode, Uri};
use uuid::Uuid;

use super::{Answer, ApiError, App, id, id_parameter, json, name, own_org};
use crate::random;
use crate::server::http::{Request, Response};
use crate::server::store::accounts::Caller;
use crate::server::store::channels;
use crate::server::store::{StoreError, projects};
use crate::wire::webhook::{Alert, CheckRef, Delivery, Event, NamedRef};
use crate::wire::{ChannelKind, NewChannel, Status};

/// The longest target and the longest secret, characters.
const TARGET_MAX: usize = 2000;
const SECRET_MAX: usize = 1000;

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
    if let Some(project) = new.project_id {
        app.store
            .read(|connection| projects::get(connection, caller.org_id, project))?
            .ok_or_else(|| ApiError::not_found("There is no project with this id"))?;
    }
    if new.kind != ChannelKind::Webhook {
        return Err(ApiError::field(
            "kind",
            "This server knows webhook channels only, so far",
        ));
    }
    if !is_http_url(&new.target) {
        return Err(ApiError::field(
            "target",
            "The target of a webhook must be a URL such as https://example.com/hook",
        ));
    }
    let new = NewChannel {
        name: name(&new.name)?,
        secret: new.secret.filter(|secret| !secret.is_empty()),
        ..new
    };
    if new
        .secret
        .as_ref()
        .is_some_and(|secret| secret.len() > SECRET_MAX)
    {
        return Err(ApiError::field(
            "secret",
            "The secret must not be longer than 1000 characters",
        ));
    }
    let channel = app.store.write(move |desk| channels::create(desk, &new))?;
    Ok(Response::json(StatusCode::CREATED, &channel))
}

pub(super) fn delete(app: &App, caller: &Caller, channel: &str) -> Answer {
    let (org_id, id) = (caller.org_id, id(channel, "channel")?);
    app.store
        .write(move |desk| channels::delete(desk, org_id, id))?;
    Ok(Response::empty())
}

/// Sends a message that no check caused, and says what came back.
pub(super) fn test(app: &App, caller: &Caller, channel: &str) -> Answer {
    let channel = id(channel, "channel")?;
    let address = app
        .store
        .read(|connection| channels::address(connection, caller.org_id, channel))?
        .ok_or_else(|| ApiError::not_found("There is no channel with this id"))?;
    let payload = serde_json::to_string(&sample(app, caller)?).unwrap_or_default();
    Ok(Response::json(
        StatusCode::OK,
        &app.notifier.test(&address, &payload),
    ))
}

fn is_http_url(text: &str) -> bool {
    text.len() <= TARGET_MAX
        && text.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
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
