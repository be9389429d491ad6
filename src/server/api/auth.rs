//! Signing in: with a password for programs, and by a link for a machine with no browser.

use ureq_proto::http::{StatusCode, header};
use uuid::Uuid;

use super::{Answer, ApiError, App, json};
use crate::server::accounts::devices::{self, Decision, Device, NotNow};
use crate::server::accounts::{Refused, agents};
use crate::server::clock;
use crate::server::http::{Request, Response};
use crate::server::store::accounts::{Caller, Credential, memberships, role_in};
use crate::server::store::keys::{self, NewKey};
use crate::server::store::sessions::{self, ACCESS_TIME, Signer};
use crate::server::store::{StoreError, users};
use crate::wire::account::{
    DeviceLogin, DeviceLoginBegun, DeviceLoginState, Login, OrgRef, Refresh, Refreshed, SignedIn,
    SignedInUser,
};

/// How much of what a machine says of itself is kept, characters.
const SAID_MAX: usize = 100;

/// The path of the page for the person, before the link.
pub(in crate::server) const DEVICE_PAGE: &str = "/device/";

pub(super) fn login(app: &App, request: &Request) -> Answer {
    let Login { email, password } = json(request)?;
    let user = app
        .accounts
        .sign_in(&app.store, &email, &password, request.peer, clock::now())
        .map_err(refused)?;
    let id = user.id;
    let signer = signer(request);
    let tokens = app
        .store
        .write(move |desk| sessions::open(desk, id, &signer))?;
    Ok(secret(Response::json(
        StatusCode::OK,
        &SignedIn {
            user: SignedInUser {
                id: user.id,
                name: Some(user.name.unwrap_or_else(|| user.email.clone())),
                email: user.email,
                email_verified: true,
            },
            access_token: tokens.access,
            refresh_token: tokens.refresh,
            expires_in: ACCESS_TIME.unsigned_abs() / 1000,
        },
    )))
}

/// Who signs in with this request, for their list of sessions.
pub(in crate::server) fn signer(request: &Request) -> Signer {
    let agent = request.header(header::USER_AGENT.as_str());
    Signer {
        address: request.peer,
        agent: agent.and_then(agents::in_words),
    }
}

/// Why nobody is signed in, as the API says it.
fn refused(why: Refused) -> ApiError {
    match why {
        Refused::Wrong => ApiError::unauthorized(
            "The email address or the password is wrong; try again, or have whoever runs the server set another password",
        ),
        Refused::TooMany(pause) => ApiError::too_many(
            "There were too many attempts to sign in; wait a while before the next",
            pause,
        ),
        Refused::Store(error) => error.into(),
    }
}

pub(super) fn refresh(app: &App, request: &Request) -> Answer {
    let Refresh { refresh_token } = json(request)?;
    let tokens = app
        .store
        .write(move |desk| sessions::refresh(desk, &refresh_token))?
        .ok_or_else(|| {
            ApiError::unauthorized(
                "This refresh token is not good any more; sign in with POST /api/v1/auth/login",
            )
        })?;
    Ok(secret(Response::json(
        StatusCode::OK,
        &Refreshed {
            access_token: tokens.access,
            refresh_token: tokens.refresh,
            expires_in: ACCESS_TIME.unsigned_abs() / 1000,
        },
    )))
}

pub(super) fn logout(app: &App, caller: &Caller) -> Answer {
    let Credential::Session(id) = caller.credential else {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "This is an API key and not a session; revoke it with DELETE /api/v1/api-keys/{id}",
        ));
    };
    app.store.write(move |desk| sessions::close(desk, id))?;
    Ok(Response::empty())
}

pub(super) fn begin(app: &App, request: &Request) -> Answer {
    let login: DeviceLogin = if request.body.is_empty() {
        DeviceLogin::default()
    } else {
        json(request)?
    };
    let now = clock::now();
    let device = Device {
        name: said(login.device_name).unwrap_or_else(|| "a machine without a name".to_owned()),
        is_official: login.cli_version.is_some() && is_official(request),
        version: said(login.cli_version),
        org_id: login.target_org_id,
        peer: request.peer,
        asked_at: now,
    };
    let asking = app
        .accounts
        .devices
        .begin(device, now)
        .map_err(|why| match why {
            NotNow::TooMany => ApiError::too_many(
                "Too many machines are waiting to be let in; try again in a while",
                std::time::Duration::from_secs(60),
            ),
            NotNow::Randomness => StoreError::from(crate::random::NoRandomness).into(),
        })?;
    Ok(secret(Response::json(
        StatusCode::OK,
        &DeviceLoginBegun {
            session_token: asking.token,
            auth_url: format!("{}{DEVICE_PAGE}{}", app.public_url, asking.link),
            expires_in: devices::TIME.unsigned_abs() / 1000,
            user_code: Some(asking.code),
        },
    )))
}

/// Whether a login that names its version is the official client's: it logs in without a
/// `User-Agent`, and introduces itself as `pakyas-cli` elsewhere.
fn is_official(request: &Request) -> bool {
    request
        .header(header::USER_AGENT.as_str())
        .is_none_or(|agent| agent.starts_with("pakyas-cli/"))
}

/// What a machine said of itself, short and without what could steer a screen.
fn said(text: Option<String>) -> Option<String> {
    let clean = |c: &char| !c.is_control();
    let text: String = text?.chars().filter(clean).take(SAID_MAX).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

pub(super) fn poll(app: &App, request: &Request) -> Answer {
    let token = request
        .parameter("token")
        .filter(|token| !token.is_empty())
        .ok_or_else(|| {
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "Give the session_token of POST /cli/auth/init: /cli/auth/poll?token=…",
            )
        })?;
    let state = |status: &str| DeviceLoginState {
        status: status.to_owned(),
        ..DeviceLoginState::default()
    };
    let now = clock::now();
    let told = app.accounts.devices.poll(&token, now);
    // API.md's word, but for a client that knows another one and calls this one unknown.
    let refusal = match &told {
        Some(asking) if asking.device.is_official => "cancelled",
        _ => "denied",
    };
    let answer = match &told {
        None => state("expired"),
        Some(asking) => match asking.decision {
            Decision::Pending => state("pending"),
            Decision::Denied => state(refusal),
            Decision::Done => state("expired"),
            Decision::Approved { org_id, user_id } => {
                match hand_out(app, org_id, user_id, asking.device.name.clone()) {
                    // Who approved has left meanwhile, or the organization is gone.
                    Err(StoreError::Gone) => state(refusal),
                    Err(error) => {
                        app.accounts.devices.give_back(asking, now);
                        return Err(error.into());
                    }
                    Ok(completed) => completed,
                }
            }
        },
    };
    Ok(secret(Response::json(StatusCode::OK, &answer)))
}

/// Makes the key that was approved, with what its person may do now.
fn hand_out(
    app: &App,
    org_id: Uuid,
    user_id: Uuid,
    name: String,
) -> Result<DeviceLoginState, StoreError> {
    app.store.write(move |desk| {
        let role = role_in(desk.connection, org_id, user_id)?.ok_or(StoreError::Gone)?;
        let org = memberships(desk.connection, user_id)?
            .into_iter()
            .find(|org| org.id == org_id)
            .ok_or(StoreError::Gone)?;
        let email = users::by_id(desk.connection, user_id)?
            .ok_or(StoreError::Gone)?
            .email;
        let new = NewKey {
            org_id,
            user_id,
            name,
            scopes: role.scopes().iter().map(|&s| s.to_owned()).collect(),
            expires_at: None,
        };
        let (_, key) = keys::create(desk, &new)?;
        Ok(DeviceLoginState {
            status: "completed".to_owned(),
            api_key: Some(key),
            selected_org: Some(OrgRef {
                id: org.id,
                name: org.name,
            }),
            user_email: Some(email),
            user_id: Some(user_id),
        })
    })
}

/// An answer that nothing on its way may keep.
fn secret(response: Response) -> Response {
    response.with("cache-control", "no-store")
}
