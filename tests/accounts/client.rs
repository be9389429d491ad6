//! The client's side: logging in by browser and by password, and the keys that it keeps.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::accounts::{PASSWORD, add_user, admin_json};
use crate::support::browser::{Browser, form};
use crate::support::home::Home;
use crate::support::person::Person;
use crate::support::server::Server;
use crate::support::wait_for;

fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    server
}

fn home_at(server: &Server) -> Home {
    Home::at(&server.url)
}

/// Starts `pakyas login`, without a terminal; gives the path of the page and the code that it
/// prints, and what reads the rest.
fn login(home: &Home) -> (Child, String, String, BufReader<std::process::ChildStderr>) {
    let mut child = home.command().arg("login").spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("this code: ") {
        assert!(lines.read_line(&mut text).unwrap() > 0, "{text}");
    }
    let link = text.lines().find_map(|line| {
        let at = line.find("/device/")?;
        Some(line[at..].trim().to_owned())
    });
    let code = text.trim().rsplit(' ').next().unwrap().to_owned();
    (child, link.unwrap(), code, lines)
}

fn decide(server: &Server, link: &str, code: &str, decision: &str) {
    let mut browser = Browser::signed_in(server, "me@acme.example");
    let page = browser.get(link);
    assert!(page.body.contains(code), "{}", page.body);
    let form = form(&page, link)
        .with("org", &server.org_id)
        .with("decision", decision);
    assert_eq!(browser.send(&form).status, 303);
}

#[test]
fn login_waits_for_the_browser_and_keeps_the_key() {
    let server = server();
    let home = home_at(&server);
    let (child, link, code, mut lines) = login(&home);
    decide(&server, &link, &code, "approve");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{rest}");
    assert!(
        rest.contains("Logged in as me@acme.example to the organization 'Acme'"),
        "{rest}"
    );
    assert!(
        !rest.contains('\r'),
        "a progress line without a terminal: {rest:?}"
    );
    home.pakyas("whoami").exits(0).shows("me@acme.example");
    assert!(!rest.contains("pk_live_"), "{rest}");
}

#[test]
fn login_says_what_was_denied() {
    let server = server();
    let home = home_at(&server);
    let (mut child, link, code, mut lines) = login(&home);
    decide(&server, &link, &code, "deny");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert!(rest.contains("denied"), "{rest}");
    assert!(!home.file("credentials.json").exists());
}

#[test]
fn at_a_terminal_login_opens_the_browser_and_ctrl_c_gives_up() {
    let server = server();
    let opened = std::env::temp_dir().join(format!("pakyas-opened-{}", std::process::id()));
    let script = opened.with_extension("sh");
    std::fs::write(
        &script,
        format!("#!/bin/sh\necho \"$1\" > {}\n", opened.display()),
    )
    .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let home = home_at(&server).with("BROWSER", script.to_str().unwrap());
    let mut command = home.command();
    command.arg("login");
    let mut person = Person::starts(command);
    person.sees("/device/");
    person.sees("Waiting for you to approve");
    let address = wait_for("the browser", || {
        std::fs::read_to_string(&opened)
            .ok()
            .filter(|text| text.ends_with('\n'))
    });
    assert!(
        address.starts_with(&format!("{}/device/", server.url)),
        "{address}"
    );
    person.types(b"\x03");
    person.sees("given up");
    person.leaves_with(130);
    assert!(!home.file("credentials.json").exists());
    let _ = std::fs::remove_file(&opened);
    let _ = std::fs::remove_file(&script);
}

#[test]
fn a_password_typed_at_the_terminal_gets_this_machine_a_key_and_is_not_shown() {
    let server = server();
    let home = home_at(&server);
    let ask = || {
        let mut command = home.command();
        command.args(["login", "--no-browser"]);
        Person::starts(command)
    };
    let mut person = ask();
    person.sees("Email: ");
    person.types(b"me@acme.examplf\x7fe\r");
    person.sees("Password for ");
    person.sees(": ");
    person.types(format!("{PASSWORD}\r").as_bytes());
    person.sees("Logged in as me@acme.example to the organization 'Acme'");
    assert!(!person.all().contains("correct"), "{}", person.all());
    person.leaves_with(0);
    home.pakyas("whoami").exits(0).shows("me@acme.example");
    let kept = home.read("credentials.json");
    assert!(
        kept.contains("pk_live_") && !kept.contains("pks_"),
        "{kept}"
    );
    // The session was ended once it had done its work.
    let db = rusqlite::Connection::open(server.database()).unwrap();
    let sessions: i64 = db
        .query_row("SELECT count(*) FROM session", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sessions, 0);

    let mut person = ask();
    person.sees("Email: ");
    person.types(b"me@acme.example\r");
    person.sees("Password for ");
    person.types(b"wrong\r");
    person.sees("does not know this email address with this password");
    person.leaves_with(5);
    let mut person = ask();
    person.sees("Email: ");
    person.types(b"\x03");
    person.sees("given up");
    person.leaves_with(130);
}

#[test]
fn a_person_of_several_organizations_is_asked_which_one() {
    let server = server();
    admin_json(
        &server,
        &["org", "add", "Beta", "--owner", "me@acme.example"],
    );
    let home = home_at(&server);
    let ask = |words: &[&str]| {
        let mut command = home.command();
        command.args(["login", "--no-browser"]).args(words);
        let mut person = Person::starts(command);
        person.sees("Email: ");
        person.types(b"me@acme.example\r");
        person.sees("Password for ");
        person.sees(": ");
        person.types(format!("{PASSWORD}\r").as_bytes());
        person
    };
    let mut person = ask(&[]);
    person.sees("2  Beta");
    person.sees("Which organization? ");
    person.types(b"2\r");
    person.sees("to the organization 'Beta'");
    person.leaves_with(0);
    let mut person = ask(&["--org", "acme"]);
    person.sees("to the organization 'Acme'");
    person.leaves_with(0);
    // A key for each, chosen by the one in use or by --org.
    home.pakyas("whoami").exits(0).shows("Organization: Acme");
    home.pakyas("whoami --org Beta")
        .exits(0)
        .shows("Organization: Beta");
    let keys = home.pakyas("auth key list --format json").exits(0).json();
    let active: Vec<_> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["active"])
        .collect();
    assert_eq!(active, [&Value::Bool(false), &Value::Bool(true)]);
}

#[test]
fn without_a_terminal_a_password_is_not_asked_for() {
    let server = server();
    let home = home_at(&server);
    let mut command = home.command();
    let output = command
        .args(["login", "--no-browser"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("no terminal") && text.contains("--api-key"),
        "{text}"
    );
    home.pakyas("login --no-browser --api-key x").exits(2);
}

fn logged_in(server: &Server) -> Home {
    let home = home_at(server);
    home.run(["login", "--api-key", &server.key]).exits(0);
    home
}

#[test]
fn auth_status_tells_who_where_with_what_and_whether_it_works() {
    let server = server();
    let home = logged_in(&server);
    home.pakyas("project switch production").exits(0);
    let shown = home.pakyas("auth status").exits(0);
    let prefix = &server.key[..12];
    for line in [
        "User: me@example.com\n",
        "Organization: Acme (owner)\n",
        "Project: Production\n",
        &format!("Server: {}\n", server.url),
        &format!("API key: {prefix}… 'first key', from credentials.json\n"),
        "Scopes: read, write, manage\n",
        "Expires: never\n",
        "Works: yes\n",
    ] {
        assert!(shown.stdout.contains(line), "{line}: {shown:?}");
    }
    assert!(!shown.stdout.contains(&server.key));
    let json = home.pakyas("auth status --format json").exits(0).json();
    assert_eq!(json["works"], true);
    assert_eq!(json["key_source"], "credentials.json");
    assert_eq!(json["org_id"], server.org_id);

    let wrong = home_at(&server).with("PAKYAS_API_KEY", "pk_live_00000000000000000000");
    wrong
        .pakyas("auth status")
        .exits(5)
        .shows("from PAKYAS_API_KEY")
        .shows("Works: no. Not logged in");
    Home::new()
        .pakyas("auth status")
        .exits(5)
        .says("Not logged in");
    Home::at("http://127.0.0.1:9")
        .with("PAKYAS_API_KEY", "pk_live_00000000000000000000")
        .pakyas("auth status")
        .exits(4)
        .shows("Works: no. Can't reach");
}

#[test]
fn keys_are_created_listed_and_revoked_from_the_command_line() {
    let server = server();
    let home = logged_in(&server);
    let made = home
        .run(["api-key", "create", "deploy", "--quiet", "--expires", "90d"])
        .exits(0);
    assert_eq!(made.stderr, "");
    let key = made.stdout.trim_end_matches('\n');
    assert!(
        key.starts_with("pk_live_") && !key.contains('\n'),
        "{made:?}"
    );
    let list = home
        .pakyas("api-key list")
        .exits(0)
        .shows("deploy")
        .shows("read,write");
    assert!(
        list.stdout.contains("in 89d") || list.stdout.contains("in 90d"),
        "{list:?}"
    );
    assert!(!list.stdout.contains(key));
    home.run(["auth", "key", "verify"]).exits(0);
    home.pakyas("api-key create deploy")
        .exits(0)
        .shows("Key      pk_live_");
    home.pakyas("api-key revoke deploy -y")
        .exits(2)
        .says("by its id");
    home.run(["api-key", "revoke", &key[..12], "-y"]).exits(0);
    home.pakyas("api-key revoke deplyo -y")
        .exits(3)
        .says("none is called 'deplyo'; there are: ")
        .says("deploy");
    home.pakyas("api-key revoke deploy").exits(2).says("add -y");
    home.pakyas("api-key revoke Deploy -y")
        .exits(0)
        .says("Revoked");
    home.pakyas("api-key revoke deploy -y")
        .exits(3)
        .says("API key not found");
    let json = home
        .pakyas("api-key create j --scopes manage,read --format json")
        .exits(0)
        .json();
    assert_eq!(json["scopes"], serde_json::json!(["read", "manage"]));
    assert_eq!(json["full_key"], json["key"]);
    for line in [
        "api-key create x --scopes all",
        "api-key create x --expires 36h",
        "api-key create x --expires soon",
    ] {
        home.pakyas(line).exits(2);
    }
}

#[test]
fn the_keys_on_this_machine_are_set_verified_and_forgotten() {
    let server = server();
    admin_json(
        &server,
        &["org", "add", "Beta", "--owner", "me@example.com"],
    );
    let beta = admin_json(&server, &["key", "create", "b", "--org", "Beta"]);
    let beta = beta["key"].as_str().unwrap();
    let home = logged_in(&server);
    home.pakyas_with_input("auth key set --org Acme", beta.as_bytes())
        .exits(6)
        .says("'Beta', not to 'Acme'");
    home.pakyas_with_input("auth key set --org beta", beta.as_bytes())
        .exits(0);
    home.pakyas("whoami").exits(0).shows("Organization: Acme");
    home.pakyas("whoami --org beta")
        .exits(0)
        .shows("Organization: Beta");
    home.pakyas("auth key verify")
        .exits(0)
        .shows("Acme")
        .shows("Beta");
    admin_json(&server, &["key", "revoke", "b"]);
    home.pakyas("auth key verify")
        .exits(5)
        .says("'Beta' does not work");
    home.pakyas("auth key verify --org Acme").exits(0);
    home.pakyas("auth key rm --org Gamma")
        .exits(3)
        .says("Acme, Beta");
    home.pakyas("auth key rm --org Beta")
        .exits(0)
        .says("Forgot the key for 'Beta'");
    home.pakyas("auth key rm").exits(0);
    home.pakyas("auth key list")
        .exits(0)
        .says("No keys are kept");
    home.pakyas("whoami").exits(5);
    home.pakyas("auth key verify").exits(3).says("pakyas login");
}
