//! What can't be delivered is kept, told as what it is, and delivered once by whoever comes next.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::home::{Home, captured};
use crate::support::programs::pakyas;
use crate::support::server::Server;
use crate::support::stub::{Reply, Stub};
use crate::support::{TempDir, signal, wait_for};

const NONE: Value = Value::Null;
const ID: &str = "550e8400-e29b-41d4-a716-446655440000";

/// A home whose settings are all in its environment.
fn home_for(server: &Server) -> Home {
    Home::at(&server.url)
        .with("PAKYAS_API_KEY", &server.key)
        .with("PAKYAS_PROJECT", "production")
}

fn spool_of(home: &Home) -> PathBuf {
    home.path().join(".local/state/pakyas/spool")
}

/// The files of kept pings, oldest first.
fn kept(home: &Home) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(spool_of(home))
        .map(|folder| folder.map(|file| file.unwrap().path()).collect())
        .unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|end| end == "ping"));
    files.sort();
    files
}

fn time(value: &Value) -> jiff::Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn kinds(server: &Server, check: &Value) -> Vec<String> {
    let history = server.history(check);
    let kind = |ping: &Value| ping["type"].as_str().unwrap().to_owned();
    history.iter().map(kind).collect()
}

#[test]
fn a_ping_that_can_not_be_delivered_is_kept_and_goes_out_with_the_next() {
    let mut server = Server::start();
    let home = home_for(&server);
    let check = server.check("job", 3600, 300, &NONE);
    home.pakyas("check list").exits(0);
    server.kill();
    let before = jiff::Timestamp::now();
    home.pakyas("ping job --fail --ping-timeout 1s")
        .exits(0)
        .says("kept");
    let after = jiff::Timestamp::now();
    assert_eq!(kept(&home).len(), 1);
    server.restart();
    home.pakyas("ping job").exits(0);
    assert_eq!(kept(&home).len(), 0);
    let history = server.history(&check);
    assert_eq!(kinds(&server, &check), ["success", "fail"]);
    // It stands where it happened, and shows when it came.
    let happened = time(&history[1]["created_at"]);
    let slack = jiff::SignedDuration::from_millis(50);
    assert!(
        happened >= before - slack && happened <= after + slack,
        "{history:?}"
    );
    assert!(time(&history[1]["received_at"]) > after);
    assert_eq!(server.show(&check)["status"], "up");
}

#[test]
fn with_strict_a_ping_that_is_only_kept_is_exit_4() {
    let home = Home::at("http://127.0.0.1:9");
    let line = format!("ping {ID} --strict --ping-timeout 1s");
    home.pakyas(&line).exits(4).says("kept");
    assert_eq!(kept(&home).len(), 1);
}

#[test]
fn what_is_kept_is_for_its_owner_only() {
    let home = Home::at("http://127.0.0.1:9");
    home.pakyas(&format!("ping {ID} --ping-timeout 1s"))
        .exits(0);
    for path in [vec![spool_of(&home)], kept(&home)].concat() {
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn a_run_that_could_not_be_reported_is_in_the_history_later_start_and_end_as_one() {
    let mut server = Server::start();
    let home = home_for(&server);
    let check = server.check("job", 3600, 300, &NONE);
    home.pakyas("check list").exits(0);
    server.kill();
    let run = home
        .run([
            "monitor",
            "job",
            "--ping-timeout",
            "1s",
            "--",
            "sh",
            "-c",
            "echo broken >&2; exit 9",
        ])
        .exits(9);
    assert_eq!(
        run.stderr.lines().count(),
        2,
        "one line more than the job's: {run:?}"
    );
    assert!(run.stderr.starts_with("broken\npakyas: "), "{run:?}");
    assert_eq!(kept(&home).len(), 2);
    server.restart();
    let flushed = home.pakyas("spool flush").exits(0);
    assert_eq!(flushed.stdout, "2 sent, 0 left\n");
    let history = server.history(&check);
    assert_eq!(kinds(&server, &check), ["fail", "start"]);
    assert_eq!(history[0]["run_id"], history[1]["run_id"]);
    assert_eq!(history[0]["exit_code"], 9);
    assert_eq!(server.output(&check, &history[0]).body, "broken\n");
    assert_eq!(server.show(&check)["running"], false);
}

#[test]
fn strict_does_not_mind_a_report_that_is_kept_but_one_that_is_lost() {
    let home = Home::at("http://127.0.0.1:9");
    let line = |home: &Home| {
        home.run([
            "monitor",
            "--strict",
            "--ping-timeout",
            "1s",
            "--public-id",
            ID,
            "--",
            "true",
        ])
    };
    line(&home).exits(0).says("kept");
    line(&home.with("PAKYAS_SPOOL_DIR", "/dev/null/nowhere")).exits(3);
}

#[test]
fn a_wrapper_that_is_killed_while_it_tries_has_kept_its_ping_already() {
    let mut server = Server::start();
    let home = home_for(&server);
    let check = server.check("job", 3600, 300, &NONE);
    home.pakyas("check list").exits(0);
    server.kill();
    let mut wrapper = home
        .command()
        .args(["monitor", "job", "--", "sh", "-c", "exit 4"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("start and end to be kept", || {
        (kept(&home).len() == 2).then_some(())
    });
    signal(wrapper.id(), "KILL");
    wrapper.wait().unwrap();
    server.restart();
    home.pakyas("whoami").exits(0);
    assert_eq!(kinds(&server, &check), ["fail", "start"]);
    assert_eq!(kept(&home).len(), 0);
}

#[test]
fn a_wrapper_that_is_told_to_end_after_its_job_leaves_the_report_for_later_and_goes() {
    for silent in [false, true] {
        let stub = Stub::new(move |_| Reply::Silence);
        let url = if silent {
            stub.url()
        } else {
            "http://127.0.0.1:9".to_owned()
        };
        let home = Home::at(&url);
        let folder = TempDir::new();
        let ran = folder.path().join("ran");
        // It would go on for longer than any test waits.
        let mut wrapper = home
            .command()
            .args(["monitor", "--public-id", ID, "--ping-timeout", "1h"])
            .args(["--", "sh", "-c"])
            .arg(format!("echo > {}; exit 6", ran.display()))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for("the job to have run", || ran.exists().then_some(()));
        // The job has ended once its end is on disk, or on its way to a server that is silent.
        wait_for("the end to be kept", || {
            let end = |path: &PathBuf| path.to_string_lossy().contains("-fail-");
            kept(&home).iter().any(end).then_some(())
        });
        signal(wrapper.id(), "TERM");
        wait_for("it to go at once", || wrapper.try_wait().unwrap());
        let output = wrapper.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(6));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("told to end") && said.contains("kept"),
            "{said}"
        );
    }
}

#[test]
fn an_end_in_the_middle_of_its_first_try_is_kept_by_whoever_is_told_to_end() {
    let stub = Stub::new(|request| match request.path.ends_with("/start") {
        true => Reply::text(200, "OK"),
        false => Reply::Silence,
    });
    let home = Home::at(&stub.url());
    let mut wrapper = home
        .command()
        .args(["monitor", "-v", "--public-id", ID, "--", "sh", "-c"])
        .arg("read line; exit 6")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Else the end might find its start still on its way, and be kept before its first try.
    let mut said = BufReader::new(wrapper.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("the start took")));
    drop(wrapper.stdin.take());
    stub.wait_for(2);
    assert_eq!(kept(&home).len(), 0);
    signal(wrapper.id(), "TERM");
    let output = wrapper.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(kept(&home).len(), 1);
}

#[test]
fn without_a_place_to_keep_it_that_is_said() {
    let home = Home::at("http://127.0.0.1:9").with("HOME", "/nonexistent");
    let line = format!("ping {ID} --ping-timeout 1s");
    home.pakyas(&line).exits(4).says("no place to keep it");
}

#[test]
fn a_slug_that_could_not_be_looked_up_is_kept_and_looked_up_later() {
    let mut server = Server::start();
    let home = home_for(&server);
    let check = server.check("job", 3600, 300, &NONE);
    server.kill();
    home.pakyas("ping job --ping-timeout 1s")
        .exits(0)
        .says("kept");
    server.restart();
    // The project is the one that was meant then, whatever is chosen now.
    let other = home.with("PAKYAS_PROJECT", "elsewhere");
    other.pakyas("spool flush").exits(0).shows("1 sent, 0 left");
    assert_eq!(kinds(&server, &check), ["success"]);
}

#[test]
fn what_is_refused_for_good_is_not_kept() {
    let server = Server::start();
    let home = home_for(&server);
    home.pakyas(&format!("ping {ID}")).exits(3);
    home.pakyas("ping no-such-check").exits(3);
    assert_eq!(kept(&home).len(), 0);
}

#[test]
fn what_is_kept_for_one_server_is_never_sent_to_another() {
    let stub = Stub::new(|_| Reply::text(200, "OK"));
    let home = Home::new();
    let ping = |to: &str| {
        home.run([
            "ping",
            ID,
            "--ping-timeout",
            "1s",
            "--ping-url",
            to,
            "--api-url",
            to,
        ])
        .exits(0)
    };
    ping("http://127.0.0.1:9");
    ping(&stub.url());
    ping(&stub.url());
    assert_eq!(stub.received().len(), 2);
    assert_eq!(kept(&home).len(), 1);
    home.run(["spool", "flush", "--ping-url", &stub.url()])
        .exits(4);
    assert_eq!(stub.received().len(), 2);
    assert_eq!(kept(&home).len(), 1);
}

#[test]
fn a_damaged_file_is_set_aside_and_the_others_go_out() {
    let mut server = Server::start();
    let home = home_for(&server);
    let check = server.check("job", 3600, 300, &NONE);
    home.pakyas("check list").exits(0);
    server.kill();
    for _ in 0..3 {
        home.pakyas("ping job --ping-timeout 1s").exits(0);
    }
    let files = kept(&home);
    fs::write(&files[0], "{\"half").unwrap();
    fs::write(&files[1], "").unwrap();
    server.restart();
    home.pakyas("ping job").exits(0).says("damaged");
    assert_eq!(kinds(&server, &check).len(), 2);
    assert_eq!(kept(&home).len(), 0);
    let aside = fs::read_dir(spool_of(&home)).unwrap().flatten();
    let aside = aside.filter(|file| file.file_name().to_string_lossy().contains("damaged"));
    assert_eq!(aside.count(), 2);
    home.pakyas("ping job").exits(0);
}

#[test]
fn a_full_spool_drops_the_oldest_success_before_any_failure_and_says_so() {
    let home = Home::at("http://127.0.0.1:9");
    let ping = |kind: &str| {
        home.pakyas(&format!("ping {ID} {kind} --ping-timeout 1s"))
            .exits(0)
    };
    ping("");
    let file = kept(&home).remove(0);
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let (stamp, rest) = name.split_once('-').unwrap();
    // The real one is the oldest success; older still are failures.
    for number in 1..1000 {
        let rest = rest.replace("success", "fail");
        let at: u64 = stamp.parse::<u64>().unwrap() - number;
        fs::copy(&file, spool_of(&home).join(format!("{at:015}-{rest}"))).unwrap();
    }
    assert_eq!(kept(&home).len(), 1000);
    ping("--fail").says("full");
    assert_eq!(kept(&home).len(), 1000);
    assert!(!file.exists());
    // Among failures only, the oldest of them goes.
    let oldest = kept(&home).remove(0);
    ping("--fail").says("full");
    assert!(!oldest.exists());
    // And for a success there is no room any more.
    let before = kept(&home);
    home.pakyas(&format!("ping {ID} --ping-timeout 1s"))
        .exits(4);
    assert_eq!(kept(&home), before);
}

#[test]
fn a_full_disk_under_the_spool_is_told_and_the_job_runs_all_the_same() {
    let Some(mut command) = crate::support::unshare(&["-m"]) else {
        return;
    };
    let folder = TempDir::new();
    let script = "mount -t tmpfs -o size=16k none \"$1\" || exit 99; \
                  head -c 1000000 /dev/zero > \"$1/filler\" 2>/dev/null; \
                  PAKYAS_SPOOL_DIR=\"$1/spool\"; export PAKYAS_SPOOL_DIR; shift; \"$@\"; code=$?; \
                  ls -A \"$PAKYAS_SPOOL_DIR\" >&2; exit $code";
    command
        .args(["sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(pakyas())
        .args([
            "monitor",
            "--ping-timeout",
            "1s",
            "--ping-url",
            "http://127.0.0.1:9",
        ])
        .args(["--public-id", ID, "--", "sh", "-c", "echo ran; exit 5"]);
    let result = captured(&mut command);
    if result.code == 99 {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    let result = result
        .exits(5)
        .shows("ran")
        .says("can't keep a ping")
        .says("could not be reported");
    assert!(
        !result.stderr.contains(".ping"),
        "no half file is left: {result:?}"
    );
}

#[test]
fn two_hundred_wrappers_at_once_share_one_spool_and_lose_nothing() {
    let mut server = Server::start();
    let home = home_for(&server);
    let check = server.check("job", 3600, 300, &NONE);
    home.pakyas("check list").exits(0);
    server.kill();
    let mut wrappers: Vec<_> = (0..200)
        .map(|number| {
            home.command()
                .args(["monitor", "job", "--ping-timeout", "1s", "--", "sh", "-c"])
                .arg(format!("exit {number}"))
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for (number, wrapper) in wrappers.iter_mut().enumerate() {
        assert_eq!(wrapper.wait().unwrap().code(), Some(number as i32));
    }
    assert_eq!(kept(&home).len(), 400);
    server.restart();
    home.pakyas("spool flush")
        .exits(0)
        .shows("400 sent, 0 left");
    let history = server.history(&check);
    assert_eq!(history.len(), 400);
    let mut codes: Vec<i64> = history
        .iter()
        .filter_map(|ping| ping["exit_code"].as_i64())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, (0..200).collect::<Vec<i64>>());
}

#[test]
fn sending_what_was_kept_does_not_hold_up_whoever_does_it() {
    let old: Arc<OnceLock<String>> = Arc::default();
    let key = Arc::clone(&old);
    // Takes what is new, and is silent for what was kept.
    let stub = Stub::new(move |request| {
        if request.header("idempotency-key") == key.get().map(String::as_str) {
            Reply::Silence
        } else {
            Reply::text(200, "OK")
        }
    });
    let home = Home::at(&stub.url());
    let elsewhere = Home::at("http://127.0.0.1:9");
    elsewhere
        .pakyas(&format!("ping {ID} --ping-timeout 1s"))
        .exits(0);
    // The same ping, kept for the stub.
    let file = kept(&elsewhere).remove(0);
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("http://127.0.0.1:9", &stub.url());
    let head: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    old.set(head["key"].as_str().unwrap().to_owned()).unwrap();
    fs::create_dir_all(spool_of(&home)).unwrap();
    fs::write(spool_of(&home).join(file.file_name().unwrap()), text).unwrap();
    let begun = Instant::now();
    home.pakyas(&format!("ping {ID}")).exits(0).shows("Pong!");
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(stub.received().len(), 2);
    assert_eq!(kept(&home).len(), 1);
}

#[test]
fn the_spool_is_listed_and_cleared_in_a_table_and_in_json() {
    let home = Home::at("http://127.0.0.1:9");
    home.pakyas("spool list").exits(0).says("No pings are kept");
    home.pakyas(&format!("ping {ID} --exit-code 3 --ping-timeout 1s"))
        .exits(0);
    let table = home.pakyas("spool list").exits(0);
    assert_eq!(table.stdout.lines().count(), 2);
    assert!(table.stdout.contains("http://127.0.0.1:9"), "{table:?}");
    assert!(!table.stdout.contains(ID), "a public id is a secret");
    let list = home.pakyas("spool list --format json").exits(0).json();
    assert_eq!(list[0]["type"], "fail");
    assert_eq!(list[0]["exit_code"], 3);
    assert_eq!(list[0]["server"], "http://127.0.0.1:9");
    // Nobody is there to be asked, and nothing is gone for that.
    home.pakyas("spool clear")
        .exits(2)
        .says("Throw away 1 kept ping?")
        .says("add -y");
    assert_eq!(kept(&home).len(), 1);
    let cleared = home.pakyas("spool clear -y --format json").exits(0).json();
    assert_eq!(cleared, json!({"removed": 1}));
    assert_eq!(kept(&home).len(), 0);
}

#[test]
fn the_spool_is_where_the_environment_says() {
    let state = TempDir::new();
    let own = TempDir::new();
    let ping = format!("ping {ID} --ping-timeout 1s");
    let home =
        Home::at("http://127.0.0.1:9").with("XDG_STATE_HOME", state.path().to_str().unwrap());
    home.pakyas(&ping).exits(0);
    assert_eq!(
        fs::read_dir(state.path().join("pakyas/spool"))
            .unwrap()
            .count(),
        1
    );
    let home = home.with("PAKYAS_SPOOL_DIR", own.path().to_str().unwrap());
    home.pakyas(&ping).exits(0);
    assert!(fs::read_dir(own.path()).unwrap().count() >= 1);
    assert_eq!(kept(&home).len(), 0);
}

#[test]
fn a_cache_of_more_than_a_day_is_refreshed_after_a_run_and_used_while_it_can_not_be() {
    let mut server = Server::start();
    let home = home_for(&server);
    let check = server.check("job", 3600, 300, &NONE);
    home.pakyas("check list").exits(0);
    let make_old = || {
        let mut cache: Value = serde_json::from_str(&home.read("cache/checks.json")).unwrap();
        for account in cache["accounts"].as_object_mut().unwrap().values_mut() {
            account["fetched_at"] = json!("2026-01-01T00:00:00Z");
        }
        home.write("cache/checks.json", &cache.to_string());
    };
    make_old();
    server.check("newer", 3600, 300, &NONE);
    home.pakyas("ping job").exits(0);
    let cache = home.read("cache/checks.json");
    assert!(
        cache.contains("newer") && !cache.contains("2026-01-01"),
        "{cache}"
    );
    make_old();
    server.kill();
    home.pakyas("ping job --ping-timeout 1s")
        .exits(0)
        .says("kept");
    server.restart();
    home.pakyas("spool flush").exits(0);
    assert_eq!(server.history(&check).len(), 2);
}

#[test]
fn a_cron_job_with_no_home_runs_and_says_what_is_lost() {
    let mut command = Command::new(pakyas());
    command
        .env_clear()
        .args([
            "monitor",
            "--ping-timeout",
            "1s",
            "--ping-url",
            "http://127.0.0.1:9",
        ])
        .args(["--public-id", ID, "--", "/bin/sh", "-c", "echo ran"]);
    let result = captured(&mut command).exits(0).shows("ran");
    assert!(
        result
            .stderr
            .starts_with("pakyas: this run could not be reported"),
        "{result:?}"
    );
}

#[test]
fn what_can_not_be_sent_for_a_damaged_configuration_is_kept_until_that_is_mended() {
    let server = Server::start();
    let home = Home::new();
    let check = server.check("job", 3600, 300, &NONE);
    home.run(["login", "--api-key", &server.key, "--api-url", &server.url])
        .exits(0);
    home.pakyas("project switch Production").exits(0);
    let config = home.read("config.json");
    home.write("config.json", "{ damaged");
    home.run(["monitor", "job", "--", "sh", "-c", "exit 7"])
        .exits(7)
        .says("is kept")
        .says("config.json is damaged")
        .says("log in again");
    let id = check["public_id"].as_str().unwrap();
    home.pakyas(&format!("ping {id}")).exits(0).says("is kept");
    home.pakyas("ping job --strict").exits(2).says("is kept");
    assert_eq!(kept(&home).len(), 4);
    assert_eq!(home.read("config.json"), "{ damaged");
    home.pakyas("spool flush").exits(4);
    assert_eq!(kept(&home).len(), 4);
    home.write("config.json", &config);
    home.pakyas("spool flush").exits(0).shows("4 sent, 0 left");
    assert_eq!(
        kinds(&server, &check),
        ["success", "success", "fail", "start"]
    );
}

#[test]
fn what_can_not_be_sent_for_want_of_the_keys_file_is_kept_until_that_is_there() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let key = TempDir::new();
    let file = key.path().join("key");
    let home = home_for(&server).with("PAKYAS_API_KEY", &format!("file:{}", file.display()));
    home.run(["monitor", "job", "--", "sh", "-c", "exit 7"])
        .exits(7)
        .says("is kept")
        .says("can't read the file");
    assert_eq!(kept(&home).len(), 2);
    fs::write(&file, &server.key).unwrap();
    home.pakyas("ping job").exits(0);
    assert_eq!(kinds(&server, &check), ["success", "fail", "start"]);
    assert_eq!(kept(&home).len(), 0);
}

#[test]
fn what_no_mended_file_would_deliver_is_not_kept() {
    let home = Home::at("http://127.0.0.1:9");
    // Nobody is logged in; what was typed can be no check, or no address.
    home.pakyas("ping job").exits(5);
    home.run(["ping", "my.job"]).exits(2);
    home.run(["ping", ID, "--ping-url", "127.0.0.1"]).exits(2);
    assert_eq!(kept(&home).len(), 0);
}

#[test]
fn a_quiet_flush_and_a_quiet_clear_print_nothing() {
    let home = Home::at("http://127.0.0.1:9");
    home.pakyas("spool flush").exits(0).shows("0 sent, 0 left");
    for command in ["flush", "clear"] {
        let outcome = home.pakyas(&format!("spool {command} --quiet")).exits(0);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
        home.pakyas(&format!("spool {command} --quiet --format json"))
            .exits(0)
            .json();
    }
}

#[test]
fn an_attempt_that_the_budget_cuts_short_does_not_hide_what_is_wrong() {
    let count = AtomicUsize::new(0);
    let stub = Stub::new(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::text(503, "busy").ours(),
        _ => Reply::Silence,
    });
    let home = Home::at(&stub.url());
    home.pakyas(&format!("ping {ID} --strict --ping-timeout 1s"))
        .exits(4)
        .says("can't take pings now (503): busy")
        .says("tried 2 times in");
}
