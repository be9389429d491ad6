//! One transition, one alert: counted while the server is killed again and again.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support;
use crate::support::dice::Dice;
use crate::support::hook::{Delivered, Hook};
use crate::support::server::Server;
use crate::support::wait_for;
use serde_json::{Value, json};

/// Checks that fail and succeed in turn, and how often each does both.
const FAILING: usize = 24;
const ROUNDS: usize = 12;
const WORKERS: usize = 4;

/// Checks that fall silent, and how often.
const SILENT: usize = 3;
const SILENCES: usize = 3;

/// A client that knows nothing but where the server is.
struct Client<'a> {
    url: &'a str,
    agent: ureq::Agent,
    key: &'a str,
}

impl<'a> Client<'a> {
    fn new(server: &'a Server) -> Self {
        Self {
            url: &server.url,
            key: &server.key,
            agent: ureq::Agent::config_builder()
                .timeout_global(Some(Duration::from_secs(5)))
                .proxy(None)
                .build()
                .new_agent(),
        }
    }

    /// Pings until it is acknowledged, always with the same key, as any good client does.
    fn ping(&self, check: &Value, suffix: &str) {
        static PINGS: AtomicUsize = AtomicUsize::new(0);
        let key = format!("ping-{}", PINGS.fetch_add(1, Ordering::Relaxed));
        let url = format!(
            "{}/{}{suffix}",
            self.url,
            check["public_id"].as_str().unwrap()
        );
        wait_for("a ping to be acknowledged", || {
            let request = self.agent.post(&url).header("Idempotency-Key", &key);
            request.send_empty().ok()
        });
    }

    fn wait_until_down(&self, check: &Value) {
        let url = format!(
            "{}/api/v1/checks/{}",
            self.url,
            check["id"].as_str().unwrap()
        );
        wait_for("the check to be down", || {
            let request = self.agent.get(&url);
            let answer = request
                .header("Authorization", format!("Bearer {}", self.key))
                .call();
            let text = answer.ok()?.body_mut().read_to_string().ok()?;
            let check: Value = serde_json::from_str(&text).ok()?;
            (check["status"] == "down").then_some(())
        });
    }
}

#[test]
fn each_transition_is_alerted_once_though_the_server_was_killed_all_the_while() {
    let mut dice = Dice::new();
    let seed = dice.seed;
    let hook = Hook::start();
    let mut server = Server::start();
    server.webhook("hook", &hook.url, None);
    let failing: Vec<_> = (0..FAILING)
        .map(|n| server.check(&format!("failing-{n}"), 3600, 300, &json!({})))
        .collect();
    let silent: Vec<_> = (0..SILENT)
        .map(|n| server.check(&format!("silent-{n}"), 1, 0, &json!({})))
        .collect();

    let as_it_was = Server::elsewhere(&server.url, &server.key);
    std::thread::scope(|scope| {
        let as_it_was = &as_it_was;
        let mut workers = Vec::new();
        for checks in failing.chunks(FAILING / WORKERS) {
            workers.push(scope.spawn(move || {
                let client = Client::new(as_it_was);
                for _ in 0..ROUNDS {
                    for check in checks {
                        client.ping(check, "/fail");
                        client.ping(check, "");
                    }
                }
            }));
        }
        for check in &silent {
            workers.push(scope.spawn(move || {
                let client = Client::new(as_it_was);
                for _ in 0..SILENCES {
                    client.ping(check, "");
                    client.wait_until_down(check);
                }
            }));
        }
        // The pauses are the trial itself: how long the server lives, and how long it is away.
        while !workers.iter().all(|worker| worker.is_finished()) {
            std::thread::sleep(dice.millis(30, 400));
            server.kill();
            std::thread::sleep(dice.millis(0, 150));
            server.restart();
        }
    });

    let expected = FAILING * ROUNDS * 2 + SILENT * (2 * SILENCES - 1);
    let deliveries = wait_for(&format!("{expected} alerts, seed {seed}"), || {
        let received = hook.received();
        let ids: HashSet<_> = received.iter().map(alert_id).collect();
        (ids.len() >= expected).then_some(received)
    });
    // In the order in which the target first heard of each; a delivery that was made just
    // before a kill may come again, as the same alert.
    let mut seen = HashSet::new();
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    for delivery in &deliveries {
        if seen.insert(alert_id(delivery)) {
            let check = delivery.json()["check"]["slug"]
                .as_str()
                .unwrap()
                .to_owned();
            told.entry(check).or_default().push(delivery.event());
        }
    }
    assert_eq!(seen.len(), expected, "seed {seed}");
    for check in &failing {
        let events = &told[check["slug"].as_str().unwrap()];
        let wanted = ["check.failed", "check.up"].repeat(ROUNDS);
        assert_eq!(events, &wanted, "{}, seed {seed}", check["slug"]);
    }
    for check in &silent {
        let events = &told[check["slug"].as_str().unwrap()];
        let mut wanted = ["check.down", "check.up"].repeat(SILENCES);
        wanted.pop();
        assert_eq!(events, &wanted, "{}, seed {seed}", check["slug"]);
    }
    for check in &failing {
        assert_eq!(server.history(check).len(), 2 * ROUNDS, "seed {seed}");
    }
}

fn alert_id(delivery: &support::stub::Received) -> String {
    delivery.json()["alert"]["id"].as_str().unwrap().to_owned()
}
