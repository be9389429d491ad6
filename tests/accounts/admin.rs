//! `pakyas-server user|org|key`, beside a running server and without one.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::accounts::{add_user, admin, admin_json, anyone, with_token};
use crate::support::TempDir;
use crate::support::person::Person;
use crate::support::server::{Server, command, init};

const NONE: Value = Value::Null;

fn sentence(output: &std::process::Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn people_organizations_and_keys_are_looked_after_while_the_server_runs() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "acme", "admin");
    let beta = admin_json(
        &server,
        &["org", "add", "Beta", "--owner", "me@acme.example"],
    );
    let made = admin_json(
        &server,
        &[
            "key",
            "create",
            "ci",
            "--org",
            "Beta",
            "--scopes",
            "write,read",
            "--expires",
            "30d",
        ],
    );
    let key = made["key"].as_str().unwrap();
    let me = with_token(&server, key, None, "GET", "/me", &NONE).json();
    assert_eq!(me["org_id"], beta["org_id"]);
    assert_eq!(me["email"], "me@acme.example");
    assert_eq!(me["scopes"], json!(["read", "write"]));
    let projects = with_token(&server, key, None, "GET", "/projects", &NONE).json();
    assert_eq!(projects[0]["id"], beta["project_id"]);

    let users = admin_json(&server, &["user", "list", "--org", "Beta"]);
    assert_eq!(users[0]["email"], "me@acme.example");
    assert_eq!(users[0]["organizations"][0]["user_role"], "owner");
    let orgs = admin_json(&server, &["org", "list"]);
    assert_eq!(orgs.as_array().unwrap().len(), 2);
    let keys = admin_json(&server, &["key", "list", "--org", "Beta"]);
    assert_eq!(keys[0]["name"], "ci");
    assert!(!keys.to_string().contains(key));

    let text = admin(&server, &["key", "list"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.starts_with("NAME ") && text.contains("\nci "),
        "{text}"
    );
    admin_json(&server, &["key", "revoke", "ci"]);
    with_token(&server, key, None, "GET", "/me", &NONE).refusal(401);
}

#[test]
fn they_work_without_a_server_too_and_on_a_database_of_the_first_schema() {
    let directory = TempDir::new();
    let path = directory.path().join("pakyas.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(include_str!("../../src/server/store/migrations/0001.sql"))
        .unwrap();
    db.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO organization VALUES (x'00000000000000000000000000000001', 'Old', 'UTC', 1);
         INSERT INTO user VALUES (x'00000000000000000000000000000002', 'old@acme.example', NULL, 1);
         INSERT INTO membership VALUES (x'00000000000000000000000000000001',
                                        x'00000000000000000000000000000002', 'owner');",
    )
    .unwrap();
    drop(db);
    let run = |words: &[&str]| {
        let output = command()
            .args(words)
            .arg("--data-dir")
            .arg(directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let made = run(&["key", "create", "k", "--format", "json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert!(run(&["user", "list"]).contains("old@acme.example"));
    let server = Server::bare(&directory);
    let key = made["key"].as_str().unwrap();
    let me = with_token(&server, key, None, "GET", "/me", &NONE).json();
    assert_eq!(me["org_name"], "Old");
}

#[test]
fn what_can_not_be_done_is_told_and_changes_nothing() {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    let before = admin_json(&server, &["user", "list"]);
    let short = server.database().with_file_name("short");
    std::fs::write(&short, "1234567").unwrap();
    let short = short.to_str().unwrap();
    for (words, told) in [
        (
            &["user", "remove", "me@example.com"][..],
            "without an owner",
        ),
        (
            &["user", "add", "me@example.com", "--role", "member"],
            "without an owner",
        ),
        (
            &["user", "add", "me@acme.example"],
            "member in 'Acme' already",
        ),
        (&["user", "remove", "no@acme.example"], "no@acme.example"),
        (
            &["user", "add", "x@acme.example", "--org", "Nowhere"],
            "'Nowhere'",
        ),
        (
            &["user", "add", "x@acme.example", "--password-file", short],
            "at least 8 characters",
        ),
        (
            &[
                "user",
                "add",
                "x@acme.example",
                "--password-file",
                "/no/such/file",
            ],
            "/no/such/file",
        ),
        (&["user", "add", "x@acme.example"], "--password-file"),
        (&["user", "passwd", "no@acme.example"], "no@acme.example"),
        (
            &["org", "add", "acme", "--owner", "me@acme.example"],
            "already",
        ),
        (
            &["org", "add", "Beta", "--owner", "no@acme.example"],
            "no@acme.example",
        ),
        (
            &[
                "key",
                "create",
                "k",
                "--user",
                "me@acme.example",
                "--scopes",
                "manage",
            ],
            "'manage'",
        ),
        (&["key", "revoke", "no-such"], "'no-such'"),
    ] {
        let text = sentence(&admin(&server, words));
        assert!(text.contains(told), "{words:?}: {text}");
    }
    assert_eq!(admin_json(&server, &["user", "list"]), before);
    assert_eq!(
        admin_json(&server, &["org", "list"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for words in [
        &["user"][..],
        &["user", "add"],
        &["user", "add", "nobody"],
        &["user", "add", "a@b", "--role", "boss"],
        &["user", "add", "a@b", "--password", "secret"],
        &["key", "create", "k", "--scopes", "all"],
        &["key", "create", "k", "--expires", "soon"],
        &["org", "list", "--format", "xml"],
    ] {
        let output = admin(&server, words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
    }
    let empty = TempDir::new();
    let output = command()
        .args(["user", "list", "--data-dir"])
        .arg(empty.path())
        .output()
        .unwrap();
    assert!(sentence(&output).contains("no server's data"));
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn a_password_is_asked_for_twice_and_never_shown() {
    let server = Server::start();
    let ask = || {
        let mut command = command();
        command
            .args(["user", "add", "me@acme.example", "--data-dir"])
            .arg(server.database().parent().unwrap());
        Person::starts(command)
    };
    let mut person = ask();
    person.sees("Password for me@acme.example: ");
    person.types(b"hidden words\r");
    person.sees("The same again: ");
    person.types(b"hidden wordz\r");
    person.sees("differ");
    person.leaves_with(1);
    let mut person = ask();
    person.sees("Password for me@acme.example: ");
    // A typing error, mended.
    person.types(b"hidden wordz\x7fs\r");
    person.sees("The same again: ");
    person.types(b"hidden words\r");
    person.sees("me@acme.example is member in 'Acme'");
    assert!(!person.all().contains("hidden"), "{}", person.all());
    person.leaves_with(0);
    let body = json!({"email": "me@acme.example", "password": "hidden words"});
    assert_eq!(anyone(&server, "POST", "/auth/login", &body).status, 200);
}

#[test]
fn a_running_server_of_another_schema_is_left_alone() {
    let directory = TempDir::new();
    init(&directory);
    let path = directory.path().join("pakyas.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    // As a server would hold it.
    let lock = std::fs::File::options()
        .write(true)
        .open(directory.path().join("lock"))
        .unwrap();
    lock.lock().unwrap();
    let output = command()
        .args(["user", "list", "--data-dir"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(sentence(&output).contains("another version"));
}

#[test]
fn a_password_on_standard_input_is_taken_from_there_only_where_that_is_said() {
    let server = Server::start();
    let add = |more: &[&str], typed: &[u8]| {
        let mut child = command()
            .args(["user", "add", "me@acme.example", "--data-dir"])
            .arg(server.database().parent().unwrap())
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(typed);
        child.wait_with_output().unwrap()
    };
    let output = add(&[], b"a password\na password\n");
    assert!(sentence(&output).contains("--password-file"));
    let output = add(&["--password-file", "-"], b"a longer password\n");
    assert!(output.status.success(), "{output:?}");
    let body = json!({"email": "me@acme.example", "password": "a longer password"});
    let answer = anyone(&server, "POST", "/auth/login", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
}
