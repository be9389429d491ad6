//! The bench's client of a server that closes what is idle.

#[path = "bench/client.rs"]
mod client;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::stub::{Reply, Stub};
use client::Client;

/// A server that hangs up at the second request, as one that closes what is idle may.
fn hangs_up() -> (Stub, Client) {
    let count = AtomicUsize::new(0);
    let stub = Stub::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        1 => Reply::Hangup,
        _ => Reply::text(200, "{}"),
    });
    let address = stub.url().trim_start_matches("http://").parse().unwrap();
    (stub, Client::new(address))
}

const PING: &[u8] = b"POST /id HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_ping_goes_out_again_where_the_kept_connection_was_closed() {
    let (stub, mut client) = hangs_up();
    assert_eq!(client.exchange(PING, true), 200);
    assert_eq!(client.exchange(PING, true), 200);
    let connections: Vec<_> = stub.received().iter().map(|one| one.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
}

#[test]
fn what_makes_something_is_never_sent_twice() {
    let (stub, mut client) = hangs_up();
    let ids = json!({ "api_key": "key" });
    let mut create = || client.api(&ids, "POST", "/checks", &json!({}));
    create();
    assert!(catch_unwind(AssertUnwindSafe(create)).is_err());
    assert_eq!(stub.received().len(), 2);
}
