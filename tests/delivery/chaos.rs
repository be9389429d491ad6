//! The trial of the whole: hundreds of jobs against a server that is killed again and again.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::dice::Dice;
use crate::support::home::Home;
use crate::support::server::Server;

const JOBS: usize = 500;
const WORKERS: usize = 8;

/// A job's exit code tells which of its check's jobs it was.
const JOBS_OF_A_CHECK: usize = 250;

#[test]
fn every_run_is_in_the_history_once_though_the_server_was_killed_all_the_while() {
    let mut dice = Dice::new();
    let seed = dice.seed;
    let mut server = Server::start();
    let checks = ["a", "b"].map(|slug| server.check(slug, 3600, 300, &Value::Null));
    let home = Home::at(&server.url)
        .with("PAKYAS_API_KEY", &server.key)
        .with("PAKYAS_PROJECT", "production");
    home.pakyas("check list").exits(0);

    let next = AtomicUsize::new(0);
    let ran = Mutex::new(HashMap::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let job = next.fetch_add(1, Ordering::SeqCst);
                        if job >= JOBS {
                            return;
                        }
                        let slug = ["a", "b"][job / JOBS_OF_A_CHECK];
                        let code = job % JOBS_OF_A_CHECK;
                        let begun = Timestamp::now();
                        home.run([
                            "monitor",
                            slug,
                            "--ping-timeout",
                            "1s",
                            "--quiet",
                            "--",
                            "sh",
                            "-c",
                            &format!("exit {code}"),
                        ])
                        .exits(code as i32);
                        ran.lock().unwrap().insert(job, (begun, Timestamp::now()));
                    }
                })
            })
            .collect();
        // The pauses are the trial itself: how long the server lives, and how long it is away.
        while !workers.iter().all(|worker| worker.is_finished()) {
            std::thread::sleep(dice.millis(20, 300));
            server.kill();
            std::thread::sleep(dice.millis(0, 200));
            server.restart();
        }
    });
    home.pakyas("spool flush").exits(0);

    let ran = ran.into_inner().unwrap();
    assert_eq!(ran.len(), JOBS);
    let second = SignedDuration::from_secs(1);
    for (place, check) in checks.iter().enumerate() {
        let history = server.history(check);
        assert_eq!(history.len(), 2 * JOBS_OF_A_CHECK, "seed {seed}");
        let mut starts: HashMap<&str, &Value> = HashMap::new();
        for ping in history.iter().filter(|ping| ping["type"] == "start") {
            let before = starts.insert(ping["run_id"].as_str().unwrap(), ping);
            assert!(
                before.is_none(),
                "a start stands there twice: {ping}, seed {seed}"
            );
        }
        let mut codes: Vec<usize> = Vec::new();
        for end in history.iter().filter(|ping| ping["type"] != "start") {
            let code = end["exit_code"].as_u64().unwrap() as usize;
            codes.push(code);
            let start = starts.remove(end["run_id"].as_str().unwrap());
            let start = start.unwrap_or_else(|| panic!("{end} has no start, seed {seed}"));
            let (begun, ended) = ran[&(place * JOBS_OF_A_CHECK + code)];
            for ping in [start, end] {
                let at: Timestamp = ping["created_at"].as_str().unwrap().parse().unwrap();
                assert!(
                    at >= begun - second && at <= ended + second,
                    "{ping} is not between {begun} and {ended}, seed {seed}"
                );
            }
        }
        codes.sort_unstable();
        assert_eq!(
            codes,
            (0..JOBS_OF_A_CHECK).collect::<Vec<_>>(),
            "seed {seed}"
        );
        assert_eq!(server.show(check)["running"], false);
    }
}
