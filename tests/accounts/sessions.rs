//! Signing in as programs do: a password gets tokens, tokens get the next ones.

use serde_json::{Value, json};

use crate::accounts::{PASSWORD, add_user, admin, admin_json, anyone, sign_in, sql, with_token};
use crate::support::server::Server;

const NONE: Value = Value::Null;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {value}"))
}

#[test]
fn a_password_gets_tokens_that_work_as_a_key_does() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    let session = sign_in(&server, "ME@acme.example");
    assert_eq!(session["user"]["email"], "me@acme.example");
    for name in ["id", "name", "email_verified"] {
        assert!(!session["user"][name].is_null(), "{name}");
    }
    assert_eq!(session["expires_in"], 3600);
    let access = text(&session, "access_token");
    let me = with_token(&server, access, None, "GET", "/me", &NONE).json();
    assert_eq!(me["org_name"], "Acme");
    assert_eq!(me["user_role"], "member");
    assert_eq!(me["scopes"], json!(["read", "write"]));
    let body = json!({"org_id": server.org_id, "name": "Mine"});
    let answer = with_token(&server, access, None, "POST", "/projects", &body);
    assert_eq!(answer.status, 201);
    let channel =
        json!({"org_id": server.org_id, "kind": "webhook", "name": "x", "target": "http://a.b/"});
    with_token(&server, access, None, "POST", "/channels", &channel).refusal(403);
}

#[test]
fn nobody_is_told_whether_an_address_is_known() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    let refusal = |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        let before = cpu_ticks(&server);
        let sentence = anyone(&server, "POST", "/auth/login", &body).refusal(401);
        (sentence, cpu_ticks(&server) - before)
    };
    // The owner of `init` has no password.
    let known = refusal("me@acme.example", "wrong");
    let unknown = refusal("you@acme.example", PASSWORD);
    let without = refusal("me@example.com", PASSWORD);
    assert_eq!(known.0, unknown.0);
    assert_eq!(known.0, without.0);
    // As much work for either: who looks at no hash at all is done in microseconds.
    let work = |email: &str| (0..5).map(|_| refusal(email, "wrong").1).sum::<u64>();
    let [known, unknown] = ["me@acme.example", "you@acme.example"].map(work);
    assert!(unknown * 3 > known, "{unknown} is told from {known}");
    assert!(known * 3 > unknown, "{unknown} is told from {known}");
}

/// The processor time that the server has taken, ticks (proc(5)): what it works does not depend on
/// what else this machine does, as the time that passes does.
fn cpu_ticks(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    // After the name, which is in brackets, utime and stime are the 12th and 13th field.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11);
    fields
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum()
}

#[test]
fn attempts_are_limited_and_a_success_begins_anew() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    let attempt = |password: &str| {
        let body = json!({"email": "me@acme.example", "password": password});
        anyone(&server, "POST", "/auth/login", &body)
    };
    for _ in 0..9 {
        attempt("wrong").refusal(401);
    }
    assert_eq!(attempt(PASSWORD).status, 200);
    for _ in 0..10 {
        attempt("wrong").refusal(401);
    }
    let refused = attempt(PASSWORD);
    refused.refusal(429);
    let pause: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&pause), "{pause}");
    // Somebody else is not locked out.
    add_user(&server, "you@acme.example", "Acme", "member");
    sign_in(&server, "you@acme.example");
}

#[test]
fn a_refresh_token_is_good_once_and_its_second_use_ends_the_session() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    let first = sign_in(&server, "me@acme.example");
    let refresh = |token: &str| {
        anyone(
            &server,
            "POST",
            "/auth/refresh",
            &json!({"refresh_token": token}),
        )
    };
    let me = |token: &str| with_token(&server, token, None, "GET", "/me", &NONE).status;
    let second = refresh(text(&first, "refresh_token")).json();
    assert_eq!(me(text(&first, "access_token")), 401);
    assert_eq!(me(text(&second, "access_token")), 200);
    refresh(text(&first, "refresh_token")).refusal(401);
    assert_eq!(me(text(&second, "access_token")), 401);
    refresh(text(&second, "refresh_token")).refusal(401);
}

#[test]
fn tokens_end_in_time_at_sign_out_and_with_another_password() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    let me = |session: &Value| {
        with_token(
            &server,
            text(session, "access_token"),
            None,
            "GET",
            "/me",
            &NONE,
        )
    };
    let late = sign_in(&server, "me@acme.example");
    sql(&server, "UPDATE session SET hash_expires_at = 1000");
    assert!(me(&late).refusal(401).contains("expired"));

    let out = sign_in(&server, "me@acme.example");
    let token = text(&out, "access_token");
    let answer = with_token(&server, token, None, "POST", "/auth/logout", &NONE);
    assert_eq!(answer.status, 204);
    me(&out).refusal(401);

    let before = sign_in(&server, "me@acme.example");
    let file = server.database().with_file_name("new-password");
    std::fs::write(&file, "another long one\n").unwrap();
    let file = file.to_str().unwrap();
    admin_json(
        &server,
        &["user", "passwd", "me@acme.example", "--password-file", file],
    );
    me(&before).refusal(401);
    let body = json!({"email": "me@acme.example", "password": "another long one"});
    assert_eq!(anyone(&server, "POST", "/auth/login", &body).status, 200);
}

#[test]
fn a_person_of_several_organizations_chooses_among_them_and_no_other() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "owner");
    let second = admin_json(
        &server,
        &["org", "add", "Beta", "--owner", "me@acme.example"],
    );
    let third = admin_json(
        &server,
        &["org", "add", "Gamma", "--owner", "me@example.com"],
    );
    let session = sign_in(&server, "me@acme.example");
    let me = |org: Option<&str>| {
        with_token(
            &server,
            text(&session, "access_token"),
            org,
            "GET",
            "/me",
            &NONE,
        )
    };
    assert_eq!(me(None).json()["org_name"], "Acme");
    assert_eq!(me(second["org_id"].as_str()).json()["org_name"], "Beta");
    me(third["org_id"].as_str()).refusal(403);
    me(Some("no id")).refusal(403);
    let token = text(&session, "access_token");
    let theirs = with_token(&server, token, None, "GET", "/organizations", &NONE).json();
    let names: Vec<_> = theirs
        .as_array()
        .unwrap()
        .iter()
        .map(|org| &org["name"])
        .collect();
    assert_eq!(names, ["Acme", "Beta"]);
    // It is enough to name it in the query or in the body.
    let of = |org: &Value| format!("/projects?org_id={}", org.as_str().unwrap());
    let beta = &second["org_id"];
    let new = json!({"org_id": beta, "name": "Named"});
    let made = with_token(&server, token, None, "POST", "/projects", &new);
    assert_eq!(made.status, 201, "{made:?}");
    let listed = with_token(&server, token, None, "GET", &of(beta), &NONE);
    assert!(listed.body.contains("Named"), "{listed:?}");
    with_token(&server, token, None, "GET", &of(&third["org_id"]), &NONE).refusal(404);
    // A key opens its own organization only, whoever made it.
    let key = admin_json(
        &server,
        &[
            "key",
            "create",
            "k",
            "--org",
            "Acme",
            "--user",
            "me@acme.example",
        ],
    );
    let answer = with_token(
        &server,
        text(&key, "key"),
        second["org_id"].as_str(),
        "GET",
        "/me",
        &NONE,
    );
    assert_eq!(answer.refusal(403), "ORG_KEY_MISMATCH");
}

#[test]
fn a_hundred_attempts_at_once_leave_the_server_answering_others() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    std::thread::scope(|scope| {
        let attempts: Vec<_> = (0..100)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    let body = json!({"email": format!("{number}@x.example"), "password": "x"});
                    anyone(server, "POST", "/auth/login", &body).status
                })
            })
            .collect();
        assert_eq!(server.api("GET", "/me", None).status, 200);
        assert!(
            attempts.iter().any(|attempt| !attempt.is_finished()),
            "it was answered after all of them"
        );
        let statuses: Vec<_> = attempts.into_iter().map(|a| a.join().unwrap()).collect();
        assert!(
            statuses.iter().all(|s| [401, 429].contains(s)),
            "{statuses:?}"
        );
        assert!(statuses.contains(&429), "no limit for one place");
    });
}

#[test]
fn passwords_and_tokens_are_in_the_database_as_hashes_only() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    let session = sign_in(&server, "me@acme.example");
    let secrets = [
        PASSWORD,
        text(&session, "access_token"),
        text(&session, "refresh_token"),
    ];
    for name in ["pakyas.db", "pakyas.db-wal"] {
        let bytes = std::fs::read(server.database().with_file_name(name)).unwrap_or_default();
        for secret in secrets {
            let secret = secret.as_bytes();
            assert!(
                !bytes.windows(secret.len()).any(|part| part == secret),
                "{name}"
            );
        }
    }
    assert!(admin(&server, &["user", "list"]).status.success());
}
