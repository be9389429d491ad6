//! API keys over the API: what they may do, how long, and by whose word.

use serde_json::{Value, json};

use crate::accounts::{add_user, admin_json, sign_in, sql, with_token};
use crate::support::server::Server;
use crate::support::wait_for;

const NONE: Value = Value::Null;

fn create(server: &Server, body: Value) -> Value {
    let answer = server.api("POST", "/api-keys", Some(&body));
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

#[test]
fn a_key_is_shown_once_under_both_names_and_works_at_once() {
    let server = Server::start();
    let made = create(
        &server,
        json!({"org_id": server.org_id, "name": "deploy", "scopes": ["write", "read"]}),
    );
    let key = made["key"].as_str().unwrap();
    assert_eq!(made["full_key"], made["key"]);
    assert!(key.starts_with("pk_live_"), "{made}");
    assert!(key.starts_with(made["key_prefix"].as_str().unwrap()));
    assert_eq!(made["scopes"], json!(["read", "write"]));
    assert_eq!(made["expires_at"], NONE);
    let me = with_token(&server, key, None, "GET", "/me", &NONE).json();
    assert_eq!(me["scopes"], json!(["read", "write"]));
    assert_eq!(me["key"]["name"], "deploy");

    let path = format!("/api-keys?org_id={}", server.org_id);
    let list = server.api("GET", &path, None);
    assert!(!list.body.contains(key), "{list:?}");
    let list = list.json();
    assert_eq!(list["total"], 2);
    let listed = &list["api_keys"][1];
    for name in "id name key_prefix scopes project_access allowed_project_ids expires_at \
                 last_used_at created_at is_expired"
        .split_whitespace()
    {
        assert!(listed.get(name).is_some(), "{name}: {listed}");
    }
    assert_eq!(listed["project_access"], "all");
    assert_eq!(listed["is_expired"], false);
}

#[test]
fn a_key_is_in_the_database_as_a_hash_only() {
    let server = Server::start();
    let made = create(
        &server,
        json!({"org_id": server.org_id, "name": "deploy", "scopes": ["read"]}),
    );
    let key = made["key"].as_str().unwrap().as_bytes();
    for name in ["pakyas.db", "pakyas.db-wal"] {
        let bytes = std::fs::read(server.database().with_file_name(name)).unwrap_or_default();
        assert!(!bytes.windows(key.len()).any(|part| part == key), "{name}");
    }
}

#[test]
fn an_expired_key_is_refused_with_when_it_expired() {
    let server = Server::start();
    let made = create(
        &server,
        json!({"org_id": server.org_id, "name": "deploy", "scopes": ["read"], "expires_in_days": 1}),
    );
    let key = made["key"].as_str().unwrap();
    let status = || with_token(&server, key, None, "GET", "/me", &NONE);
    assert_eq!(status().status, 200);
    sql(
        &server,
        "UPDATE api_key SET expires_at = 1000 WHERE name = 'deploy'",
    );
    let sentence = status().refusal(401);
    assert!(sentence.contains("expired at 1970-01-01"), "{sentence}");
    let list = server.api("GET", "/api-keys", None).json();
    assert_eq!(list["api_keys"][1]["is_expired"], true);
}

#[test]
fn values_out_of_bounds_are_refused_by_their_field() {
    let server = Server::start();
    for (field, value) in [
        ("scopes", json!([])),
        ("scopes", json!(["admin"])),
        ("name", json!("")),
        ("name", json!("x".repeat(101))),
        ("expires_in_days", json!(0)),
        ("expires_in_days", json!(-1)),
        ("expires_in_days", json!(3651)),
        ("expires_in_days", json!(i64::MAX)),
    ] {
        let mut body = json!({"org_id": server.org_id, "name": "n", "scopes": ["read"]});
        body[field] = value.clone();
        let answer = server.api("POST", "/api-keys", Some(&body));
        answer.refusal(422);
        assert_eq!(answer.json()["field"], field, "{value}");
    }
    assert_eq!(server.api("GET", "/api-keys", None).json()["total"], 1);
}

#[test]
fn a_key_makes_no_key_that_may_more_than_itself() {
    let server = Server::start();
    let manager = create(
        &server,
        json!({"org_id": server.org_id, "name": "m", "scopes": ["read", "manage"]}),
    );
    let manager = manager["key"].as_str().unwrap();
    let ask = |scopes: Value| {
        let body = json!({"org_id": server.org_id, "name": "n", "scopes": scopes});
        with_token(&server, manager, None, "POST", "/api-keys", &body)
    };
    let sentence = ask(json!(["read", "write"])).refusal(403);
    assert!(sentence.contains("'write'"), "{sentence}");
    assert_eq!(ask(json!(["manage"])).status, 201);
    let writer = create(
        &server,
        json!({"org_id": server.org_id, "name": "w", "scopes": ["read", "write"]}),
    );
    let body = json!({"org_id": server.org_id, "name": "n", "scopes": ["read"]});
    let writer = writer["key"].as_str().unwrap();
    with_token(&server, writer, None, "POST", "/api-keys", &body).refusal(403);
}

#[test]
fn a_person_makes_and_revokes_keys_of_their_own_within_their_role() {
    let server = Server::start();
    add_user(&server, "member@example.com", "Acme", "member");
    let session = sign_in(&server, "member@example.com");
    let token = session["access_token"].as_str().unwrap();
    let ask = |method: &str, path: &str, body: &Value| {
        with_token(&server, token, None, method, path, body)
    };
    let body = |scopes: Value| json!({"org_id": server.org_id, "name": "mine", "scopes": scopes});
    ask("POST", "/api-keys", &body(json!(["manage"]))).refusal(403);
    let mine = ask("POST", "/api-keys", &body(json!(["read", "write"])));
    assert_eq!(mine.status, 201, "{mine:?}");
    let list = server.api("GET", "/api-keys", None).json();
    let id = |index: usize| list["api_keys"][index]["id"].as_str().unwrap().to_owned();
    ask("DELETE", &format!("/api-keys/{}", id(0)), &NONE).refusal(403);
    let revoked = ask("DELETE", &format!("/api-keys/{}", id(1)), &NONE);
    assert_eq!(revoked.status, 204);
}

#[test]
fn what_a_person_may_now_bounds_the_keys_that_they_made_before() {
    let server = Server::start();
    add_user(&server, "two@example.com", "Acme", "admin");
    let made = admin_json(
        &server,
        &["key", "create", "two", "--user", "two@example.com"],
    );
    let key = made["key"].as_str().unwrap();
    let scopes = || with_token(&server, key, None, "GET", "/me", &NONE).json()["scopes"].clone();
    assert_eq!(scopes(), json!(["read", "write", "manage"]));
    for (role, expected) in [
        ("member", json!(["read", "write"])),
        ("read-only", json!(["read"])),
    ] {
        admin_json(&server, &["user", "add", "two@example.com", "--role", role]);
        assert_eq!(scopes(), expected);
    }
    admin_json(&server, &["user", "remove", "two@example.com"]);
    with_token(&server, key, None, "GET", "/me", &NONE).refusal(401);
}

#[test]
fn a_revoked_key_is_refused_from_the_next_request_on_even_if_it_revoked_itself() {
    let server = Server::start();
    let made = create(
        &server,
        json!({"org_id": server.org_id, "name": "m", "scopes": ["read", "manage"]}),
    );
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let path = format!("/api-keys/{id}");
    let revoke = || with_token(&server, key, None, "DELETE", &path, &NONE);
    assert_eq!(revoke().status, 204);
    revoke().refusal(401);
    server.api("DELETE", &path, None).refusal(404);
}

#[test]
fn a_key_that_may_only_manage_makes_and_revokes_keys() {
    let server = Server::start();
    let made = create(
        &server,
        json!({"org_id": server.org_id, "name": "m", "scopes": ["manage"]}),
    );
    let key = made["key"].as_str().unwrap();
    let body = json!({"org_id": server.org_id, "name": "n", "scopes": ["manage"]});
    let other = with_token(&server, key, None, "POST", "/api-keys", &body);
    assert_eq!(other.status, 201, "{other:?}");
    let path = format!("/api-keys/{}", other.json()["id"].as_str().unwrap());
    let revoked = with_token(&server, key, None, "DELETE", &path, &NONE);
    assert_eq!(revoked.status, 204);
    with_token(&server, key, None, "GET", "/checks", &NONE).refusal(403);
}

#[test]
fn a_key_that_may_little_revokes_itself_and_no_other() {
    let server = Server::start();
    let [one, other] = ["one", "other"].map(|name| {
        create(
            &server,
            json!({"org_id": server.org_id, "name": name, "scopes": ["read"]}),
        )
    });
    let key = one["key"].as_str().unwrap();
    let revoke = |made: &Value| {
        let path = format!("/api-keys/{}", made["id"].as_str().unwrap());
        with_token(&server, key, None, "DELETE", &path, &NONE)
    };
    revoke(&other).refusal(403);
    assert_eq!(revoke(&one).status, 204);
    revoke(&one).refusal(401);
}

#[test]
fn the_last_use_of_a_key_is_known_at_once_and_after_a_restart_without_a_write_each_time() {
    let mut server = Server::start();
    let used = |server: &Server| {
        let list = server.api("GET", "/api-keys", None).json();
        list["api_keys"][0]["last_used_at"].clone()
    };
    assert!(used(&server).is_string());
    let size = || {
        let log = server.database().with_file_name("pakyas.db-wal");
        std::fs::metadata(log).map_or(0, |file| file.len())
    };
    // The first use is written behind its answer.
    let db = rusqlite::Connection::open(server.database()).unwrap();
    wait_for("the first use", || {
        let sql = "SELECT last_used_at FROM api_key";
        db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0))
            .unwrap()
    });
    let before = size();
    for _ in 0..50 {
        assert_eq!(server.api("GET", "/me", None).status, 200);
    }
    assert_eq!(size(), before, "a request was worth a write");
    drop(db);
    crate::support::signal(server.pid() as u32, "TERM");
    assert_eq!(server.wait(), Some(0));
    server.restart();
    assert!(used(&server).is_string());
}
