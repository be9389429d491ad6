//! What the programs say is whole. A release is built without what `{:?}` prints, so a message of
//! a library that is made with it ends too early there, and nowhere else.

use std::fs;

use serde_json::json;

use crate::support::TempDir;
use crate::support::home::Home;
use crate::support::server::{Server, command};
use crate::support::tls::{Authority, Front, VALID};

#[test]
fn a_webhook_that_can_not_be_trusted_is_told_with_the_reason() {
    let server = Server::start();
    let authority = Authority::new("Our own CA");
    let front = Front::new(authority.issue(&["127.0.0.1"], VALID), &server.url);
    let plain = server.url.replace("http://", "https://");
    for (target, why) in [
        (front.url(), "its certificate is of an unknown issuer"),
        (plain, "it does not speak TLS"),
    ] {
        let channel = server.webhook(why, &target, None);
        let path = format!("/channels/{}/test", channel["id"].as_str().unwrap());
        let said = server.api("POST", &path, None).body;
        let whole = format!("no secure connection to 127.0.0.1: {why}\"");
        assert!(said.contains(&whole), "{said}");
    }
}

#[test]
fn a_body_that_is_not_what_a_route_takes_is_told_with_what_it_is() {
    let server = Server::start();
    let said = server
        .api("POST", "/checks", Some(&json!("nightly")))
        .refusal(400);
    let whole = "takes: invalid type: string \"nightly\", expected a map";
    assert!(said.contains(whole), "{said}");
}

#[test]
fn a_kept_ping_that_is_damaged_is_told_with_what_is_wrong_in_it() {
    let home = Home::new().with("PAKYAS_PING_URL", "http://127.0.0.1:1");
    let id = "550e8400-e29b-41d4-a716-446655440000";
    home.pakyas(&format!("ping --ping-timeout 1s --public-id {id}"))
        .exits(0)
        .says("is kept");
    let spool = home.path().join(".local/state/pakyas/spool");
    let mut files = fs::read_dir(spool)
        .unwrap()
        .map(|file| file.unwrap().path());
    let file = files.find(|path| path.is_file()).unwrap();
    let kept = fs::read_to_string(&file).unwrap();
    let damaged = kept.replace("\"version\":1", "\"version\":\"one\"");
    assert_ne!(kept, damaged);
    fs::write(&file, damaged).unwrap();
    home.pakyas("spool list")
        .says("(invalid type: string \"one\", expected u32");
}

#[test]
fn a_healthcheck_that_finds_no_tls_says_so() {
    let server = Server::start();
    let files = TempDir::new();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| files.path().join(name));
    let identity = Authority::new("A").issue(&["127.0.0.1"], VALID);
    fs::write(&certificate, &identity.certificate_pem).unwrap();
    fs::write(&key, &identity.key_pem).unwrap();
    let output = command()
        .args(["--listen", server.url.trim_start_matches("http://")])
        .arg("--tls-cert")
        .arg(&certificate)
        .arg("--tls-key")
        .arg(&key)
        .args(["healthcheck", "--data-dir"])
        .arg(files.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let whole = "does not answer: it does not speak TLS\n";
    assert!(said.ends_with(whole), "{said}");
}
