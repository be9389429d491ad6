//! A stub that answers as a Pakyas server does, with a small world behind it: one
//! organization, two projects, the checks that a test puts there.

use std::sync::{Arc, Mutex};

use pakyas::wire::{self, Check, ErrorBody, Me, NewCheck, Project};
use serde_json::{Value, json};
use uuid::Uuid;

use super::home::Home;
use super::stub::{Received, Reply, Stub};

/// The key that the world takes.
pub const KEY: &str = "pk_live_0123456789abcdef";
/// The organization, `My Company`.
pub const ORG: Uuid = Uuid::from_u128(0xa);
/// The project `Production`.
pub const PRODUCTION: Uuid = Uuid::from_u128(0xb1);
/// The project `CI Tests`.
pub const CI_TESTS: Uuid = Uuid::from_u128(0xb2);

/// What the world holds.
#[derive(Default)]
struct State {
    checks: Vec<Check>,
    base: String,
}

/// The stub and what is behind it.
pub struct World {
    pub stub: Stub,
    state: Arc<Mutex<State>>,
}

impl World {
    /// A world that answers everything as it should.
    pub fn new() -> Self {
        Self::but(|_| None)
    }

    /// A world where `special` answers what it wants to.
    pub fn but(special: impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let stub = Stub::new({
            let state = Arc::clone(&state);
            move |request| {
                let ours = || answer(&mut state.lock().unwrap(), request).ours();
                special(request).unwrap_or_else(ours)
            }
        });
        state.lock().unwrap().base = stub.url();
        Self { stub, state }
    }

    pub fn url(&self) -> String {
        self.stub.url()
    }

    /// A home with the key and the address in its environment and `Production` selected.
    pub fn home(&self) -> Home {
        Home::at(&self.url())
            .with("PAKYAS_API_KEY", KEY)
            .with("PAKYAS_PROJECT", "production")
    }

    /// A home that logged in and chose `Production`.
    pub fn home_logged_in(&self) -> Home {
        let home = Home::new();
        home.run(["login", "--api-key", KEY, "--api-url", &self.url()])
            .exits(0);
        home.pakyas("project switch Production").exits(0);
        home
    }

    /// Puts a check there and gives its public id.
    pub fn add(&self, slug: &str, project: Uuid) -> Uuid {
        let mut state = self.state.lock().unwrap();
        let new = NewCheck {
            project_id: project,
            name: slug.to_owned(),
            slug: slug.to_owned(),
            period_seconds: Some(3_600),
            grace_seconds: Some(300),
            ..NewCheck::default()
        };
        let check = check(&state.base, &new);
        let id = check.public_id;
        state.checks.push(check);
        id
    }

    /// Takes all checks away.
    pub fn clear(&self) {
        self.state.lock().unwrap().checks.clear();
    }

    /// What came that was a ping.
    pub fn pings(&self) -> Vec<Received> {
        let mut received = self.stub.received();
        received.retain(|request| !request.path.starts_with(wire::API_PREFIX));
        received
    }

    /// What came that was a question to the API, as `GET /checks`.
    pub fn questions(&self) -> Vec<String> {
        let received = self.stub.received();
        received
            .iter()
            .filter_map(|request| {
                let path = request.path.strip_prefix(wire::API_PREFIX)?;
                Some(format!("{} {path}", request.method))
            })
            .collect()
    }
}

fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn project(id: Uuid, name: &str, slug: &str) -> Project {
    Project {
        id,
        org_id: ORG,
        name: name.to_owned(),
        slug: slug.to_owned(),
        description: None,
        created_at: now(),
        updated_at: now(),
        archived_at: None,
    }
}

fn check(base: &str, new: &NewCheck) -> Check {
    let public_id = pakyas::random::uuid().unwrap();
    let name = if new.project_id == PRODUCTION {
        "Production"
    } else {
        "CI Tests"
    };
    let kind = match new.cron_expression {
        Some(_) => "cron",
        None => "simple",
    };
    let automatic = new.period_seconds.map(wire::check::default_grace_seconds);
    let grace = new.grace_seconds.or(automatic).unwrap_or(1_800);
    let value = json!({
        "id": pakyas::random::uuid().unwrap(), "public_id": public_id,
        "project_id": new.project_id, "project_name": name,
        "name": new.name, "slug": new.slug, "description": null, "tags": [],
        "schedule_type": kind, "period_seconds": new.period_seconds,
        "cron_expression": new.cron_expression, "timezone": new.timezone,
        "missing_after_seconds": grace, "grace_seconds": grace,
        "max_runtime_seconds": null,
        "alert_after_miss_pings": 1, "alert_after_fail_pings": 1,
        "missed_before_alert": 1, "alert_after_failures": 1,
        "consecutive_missed_pings": 0, "consecutive_failures": 0,
        "status": "new", "paused": false, "running": false,
        "last_ping_at": null, "last_start_at": null, "last_duration_ms": null,
        "next_ping_expected_at": null, "ping_url": format!("{base}/{public_id}"),
        "created_at": now(), "updated_at": now(), "soft_deleted": false,
    });
    serde_json::from_value(value).unwrap()
}

/// A refusal with that sentence.
pub fn refusal(status: u16, sentence: &str) -> Reply {
    let body = ErrorBody {
        error: sentence.to_owned(),
        field: None,
        key_org_name: None,
        requested_org_id: None,
    };
    Reply::json(status, &body)
}

fn answer(state: &mut State, request: &Received) -> Reply {
    let Some(path) = request.path.strip_prefix(wire::API_PREFIX) else {
        return ping(state, request);
    };
    if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return refusal(401, "The key is not known");
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["me"]) => Reply::json(
            200,
            &Me {
                organization_id: ORG,
                organization_name: "My Company".to_owned(),
                org_id: ORG,
                org_name: "My Company".to_owned(),
                email: "you@example.com".to_owned(),
                scopes: vec!["read".to_owned(), "write".to_owned(), "manage".to_owned()],
                ping_url_base: state.base.clone(),
                user_role: None,
                key: None,
            },
        ),
        ("GET", ["organizations"]) => Reply::json(
            200,
            &json!([{"id": ORG, "name": "My Company", "timezone": "UTC", "user_role": "owner"}]),
        ),
        ("GET", ["projects"]) => Reply::json(
            200,
            &[
                project(PRODUCTION, "Production", "production"),
                project(CI_TESTS, "CI Tests", "ci-tests"),
            ],
        ),
        ("POST", ["projects"]) => {
            let new: Value = serde_json::from_slice(&request.body).unwrap();
            let name = new["name"].as_str().unwrap();
            let slug = wire::check::slug_from_name(name);
            Reply::json(201, &project(pakyas::random::uuid().unwrap(), name, &slug))
        }
        ("GET", ["checks"]) => {
            let wanted = query.strip_prefix("project_id=");
            let mut checks = state.checks.clone();
            checks.retain(|check| wanted.is_none_or(|id| check.project_id.to_string() == id));
            Reply::json(200, &checks)
        }
        ("POST", ["checks"]) => {
            let new: NewCheck = serde_json::from_slice(&request.body).unwrap();
            let is_taken = |c: &Check| c.slug == new.slug && c.project_id == new.project_id;
            if state.checks.iter().any(is_taken) {
                return refusal(409, "The slug is taken in this project; choose another");
            }
            let check = check(&state.base, &new);
            state.checks.push(check.clone());
            Reply::json(201, &check)
        }
        ("GET", ["checks", id]) => {
            match state
                .checks
                .iter()
                .find(|check| check.id.to_string() == **id)
            {
                Some(check) => Reply::json(200, check),
                None => refusal(404, "There is no check of that id"),
            }
        }
        ("PUT", ["checks", id]) => match state
            .checks
            .iter()
            .find(|check| check.id.to_string() == **id)
        {
            Some(check) => Reply::json(200, check),
            None => refusal(404, "There is no check of that id"),
        },
        ("GET", ["checks", _, "pings"]) => Reply::json(
            200,
            &json!({"total": 2, "pings": [
                {"id": Uuid::from_u128(0xffff_0002 << 96), "type": "fail", "exit_code": 3,
                 "created_at": now(), "received_at": now(), "duration_ms": 12_345,
                 "run_id": "run-1", "source_ip": null, "user_agent": null,
                 "cpu_ms": null, "max_rss_kb": null, "has_body": true},
                {"id": Uuid::from_u128(0xffff_0001 << 96), "type": "start", "exit_code": null,
                 "created_at": now(), "received_at": now(), "duration_ms": null,
                 "run_id": "run-1", "source_ip": null, "user_agent": null,
                 "cpu_ms": null, "max_rss_kb": null, "has_body": false},
            ]}),
        ),
        ("GET", ["checks", _, "pings", _, "body"]) => Reply::text(200, "disk full\n"),
        ("GET", ["channels"]) => Reply::json(200, &[channel("ops", "https://example.com/hook")]),
        ("POST", ["channels"]) => {
            let new: Value = serde_json::from_slice(&request.body).unwrap();
            let text = |name: &str| new[name].as_str().unwrap().to_owned();
            Reply::json(201, &channel(&text("name"), &text("target")))
        }
        ("POST", ["channels", _, "test"]) => Reply::json(
            200,
            &json!({"delivered": false, "status": 500, "answer": "out of order", "duration_ms": 12}),
        ),
        _ => refusal(404, "There is nothing here"),
    }
}

fn channel(name: &str, target: &str) -> Value {
    json!({"id": Uuid::from_u128(0xc), "org_id": ORG, "project_id": null, "kind": "webhook",
           "name": name, "target": target, "has_secret": true, "created_at": now()})
}

fn ping(state: &State, request: &Received) -> Reply {
    let id = request.path.split('/').nth(1).unwrap_or_default();
    if state
        .checks
        .iter()
        .any(|check| check.public_id.to_string() == id)
    {
        Reply::text(200, "OK")
    } else {
        Reply::text(404, "no such check")
    }
}
