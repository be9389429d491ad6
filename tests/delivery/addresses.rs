//! Names with more than one address, of which some swallow whatever is sent to them: the one that
//! answers is found all the same, and soon.
//!
//! Each test runs itself again in a network namespace of its own, with a link that leads nowhere.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::json;

use crate::support::home::{self, Home};
use crate::support::server::Server;

use super::links::{apart, ip, through};

/// How many addresses of the name swallow what is sent to them. Each with half of what is left of
/// [`BUDGET`], one after the other, they leave a hundredth of a second for the one that answers.
const DEAD: usize = 10;

/// How long reaching the server may take.
const BUDGET: &str = "8s";

/// A ping to a server that answers at `answers`, an address of this machine; its name has
/// [`DEAD`] others, which come first.
fn is_reached_at(answers: &str) {
    ip("link set lo up");
    // What goes out here, to neighbours that nobody asks for, comes in where nobody listens.
    ip("link add void type veth peer name nowhere");
    ip("link set void arp off");
    ip("-6 addr add 2001:db8::1/64 dev void nodad");
    let length = if answers.contains(':') { 128 } else { 32 };
    let nodad = if answers.contains(':') { " nodad" } else { "" };
    ip(&format!("addr add {answers}/{length} dev void{nodad}"));
    ip("link set void up");
    ip("link set nowhere up");

    let server = Server::start_on("[::]:0");
    let check = server.check("nightly", 3_600, 300, &json!({}));
    let port = server.url.rsplit(':').next().unwrap();
    let home = Home::at(&format!("http://many.test:{port}"))
        .with("PAKYAS_PING_URL", &format!("http://many.test:{port}"));
    let mut hosts = (2..2 + DEAD).fold(String::new(), |mut hosts, number| {
        let _ = writeln!(hosts, "2001:db8::{number:x} many.test");
        hosts
    });
    let _ = writeln!(hosts, "{answers} many.test");
    let file = home.path().join("hosts");
    std::fs::write(&file, hosts).unwrap();

    let mut ping: Command = home.command();
    let id = check["public_id"].as_str().unwrap();
    ping.args([
        "ping",
        "--strict",
        "--ping-timeout",
        BUDGET,
        "--public-id",
        id,
    ]);
    let script = format!("mount --bind {} /etc/hosts && exec \"$@\"", file.display());
    let before = ["unshare", "-m", "sh", "-c", &script, "sh"];
    home::outcome(&mut through(&before, &ping)).exits(0);
    assert_eq!(server.history(&check).len(), 1);
}

#[test]
fn dead_addresses_of_the_other_family_do_not_keep_a_ping_from_the_one_that_answers() {
    apart(
        "addresses::dead_addresses_of_the_other_family_do_not_keep_a_ping_from_the_one_that_answers",
        || is_reached_at("10.77.1.1"),
    );
}

#[test]
fn dead_addresses_of_the_same_family_do_not_keep_a_ping_from_the_one_that_answers() {
    apart(
        "addresses::dead_addresses_of_the_same_family_do_not_keep_a_ping_from_the_one_that_answers",
        // One of those that come after all others (RFC 6724, section 2.1: 6to4).
        || is_reached_at("2002:a4d:101::1"),
    );
}
