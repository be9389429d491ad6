//! The link that is cut while a job runs, and the clock that is set between an event and its
//! delivery: what happened is told once, and as of when it happened.
//!
//! A test of the link runs itself again in a network namespace of its own. There it has the
//! server; the wrapper is in a second namespace, at the other end of a veth pair. Neither has
//! any other way out.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::home::{self, Home, Outcome};
use crate::support::server::Server;
use crate::support::wait_for;

/// Set for a test that is in its namespace.
const APART: &str = "PAKYAS_TEST_APART";

/// The two ends of the link.
const NEAR: &str = "10.77.0.1";
const FAR: &str = "10.77.0.2";
const NEAR_MAC: &str = "02:00:00:00:77:01";

/// Runs the test of this name in a network namespace of its own.
fn apart(name: &str, test: impl FnOnce()) {
    if std::env::var_os(APART).is_some() {
        return test();
    }
    let can = "ip link set lo up && ip link add near type veth peer name far && unshare -n true";
    let flags = [&["-n"][..], &["-U", "-r", "-n"]]
        .into_iter()
        .find(|flags| {
            let tried = Command::new("unshare")
                .args(*flags)
                .args(["sh", "-c", can])
                .output();
            tried.is_ok_and(|output| output.status.success())
        });
    let Some(flags) = flags else {
        eprintln!("skipped: this machine gives no network namespace with a link in it");
        return;
    };
    let mut again = Command::new("unshare");
    again
        .args(flags)
        .arg(std::env::current_exe().unwrap())
        .args([
            &format!("delivery::links::{name}"),
            "--exact",
            "--nocapture",
        ])
        .env(APART, "1")
        .stdin(Stdio::null());
    let Output {
        status,
        stdout,
        stderr,
    } = again.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(
        status.success() && stdout.contains("1 passed"),
        "{stdout}{stderr}"
    );
}

fn ip(arguments: &str) {
    must(Command::new("ip").args(arguments.split(' ')));
}

fn must(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// `inner` as `before` starts it: with its arguments and its environment.
fn through(before: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(before[0]);
    let set = |(name, value): (_, Option<_>)| Some((name, value?));
    command
        .args(&before[1..])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .envs(inner.get_envs().filter_map(set))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A second namespace, joined to that of the test. It ends with the process that holds it.
struct Link {
    holder: Child,
}

impl Link {
    fn new() -> Self {
        ip("link set lo up");
        let mut holder = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo here; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = holder.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "here\n");
        let link = Self { holder };
        let pid = link.holder.id();
        ip(&format!(
            "link add near address {NEAR_MAC} type veth peer name far netns {pid}"
        ));
        ip(&format!("addr add {NEAR}/24 dev near"));
        ip("link set near up");
        link.beyond("ip link set lo up");
        link.beyond(&format!("ip addr add {FAR}/24 dev far"));
        link.beyond("ip link set far up");
        // As where the cut is further away: else what is sent waits here for the answer to the
        // question who the neighbour is.
        link.beyond(&format!(
            "ip neigh replace {NEAR} lladdr {NEAR_MAC} nud permanent dev far"
        ));
        link
    }

    fn before(&self) -> [String; 4] {
        let pid = self.holder.id().to_string();
        ["nsenter".into(), "-t".into(), pid, "-n".into()]
    }

    /// The command as it is to be started at the far end.
    fn at_the_far_end(&self, command: &Command) -> Command {
        through(&self.before().each_ref().map(String::as_str), command)
    }

    /// Runs these words at the far end; gives what they print.
    fn beyond(&self, words: &str) -> String {
        let before = self.before();
        must(
            Command::new(&before[0])
                .args(&before[1..])
                .args(words.split(' ')),
        )
    }

    /// Whatever is sent from the far end gets lost, and nothing says so.
    fn cut(&self) {
        ip("link set near down");
    }

    fn mend(&self) {
        ip("link set near up");
    }

    /// The far end knows at once that it has no way to go.
    fn unplug(&self) {
        self.beyond("ip link set far down");
    }

    fn plug(&self) {
        self.beyond("ip link set far up");
    }

    /// The far end's TCP connections, those that only the kernel still knows of included.
    fn connections(&self) -> Vec<String> {
        let table = self.beyond("cat /proc/net/tcp");
        table.lines().skip(1).map(str::to_owned).collect()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// A server at the near end, and a home for clients at the far one.
struct World {
    link: Link,
    server: Server,
    home: Home,
    check: Value,
    other: Value,
}

impl World {
    fn new() -> Self {
        let link = Link::new();
        // Reached by the test whether there is a link or not.
        let server = Server::start_on("0.0.0.0:0");
        let url = server.url.replace("0.0.0.0", NEAR);
        let home = Home::at(&url)
            .with("PAKYAS_PING_URL", &url)
            .with("PAKYAS_API_KEY", &server.key)
            .with("PAKYAS_PROJECT", "production");
        let check = server.check("nightly", 3_600, 300, &json!({}));
        let other = server.check("other", 3_600, 300, &json!({}));
        Self {
            link,
            server,
            home,
            check,
            other,
        }
    }

    fn pakyas(&self, line: &str) -> Outcome {
        let mut inner = self.home.command();
        inner.args(line.split(' '));
        home::outcome(&mut self.link.at_the_far_end(&inner))
    }

    /// A later pakyas, on business of its own.
    fn ping_other(&self) {
        let id = self.other["public_id"].as_str().unwrap();
        self.pakyas(&format!("ping --strict --public-id {id}"))
            .exits(0);
    }

    /// Waits until the far end reaches the server, without delivering anything.
    fn wait_for_the_way(&self) {
        let other = Home::new();
        wait_for("the way to the server", || {
            let mut inner = other.command();
            let url = self.server.url.replace("0.0.0.0", NEAR);
            inner.args(["whoami", "--api-url", &url]);
            inner.env("PAKYAS_API_KEY", &self.server.key);
            let outcome = home::outcome(&mut self.link.at_the_far_end(&inner));
            (outcome.code == 0).then_some(())
        });
    }

    fn kept(&self) -> usize {
        let list = self.pakyas("spool list --format json").exits(0).json();
        list.as_array().unwrap().len()
    }

    fn history(&self) -> Vec<Value> {
        self.server.history(&self.check)
    }

    fn wait_for_history(&self, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} pings"), || {
            Some(self.history()).filter(|history| history.len() == count)
        })
    }

    fn start(&self, ping_timeout: &str) -> Job {
        let id = self.check["public_id"].as_str().unwrap();
        self.start_as(&["--public-id", id, "--ping-timeout", ping_timeout])
    }

    /// A job that runs until it is told to end, and then ends with 3.
    fn start_as(&self, options: &[&str]) -> Job {
        let mut inner = self.home.command();
        inner.arg("monitor").args(options);
        inner.args(["--", "sh", "-c", "read line; exit 3"]);
        let mut command = self.link.at_the_far_end(&inner);
        Job {
            started: Timestamp::now(),
            child: command.stdin(Stdio::piped()).spawn().unwrap(),
        }
    }

    /// That the history has this run's start and end, once each, in this order and as of then.
    fn has_run(&self, started: Timestamp, ended: Timestamp) {
        let history = self.history();
        let kinds: Vec<_> = history.iter().map(|ping| &ping["type"]).collect();
        assert_eq!(kinds, ["fail", "start"], "newest first: {history:#?}");
        let [end, start] = [&history[0], &history[1]];
        assert_eq!(start["run_id"], end["run_id"], "{history:#?}");
        assert!(start["run_id"].is_string(), "{history:#?}");
        assert_eq!(end["exit_code"], 3);
        near(at(start, "created_at"), started, &history);
        near(at(end, "created_at"), ended, &history);
        let ran = ended.duration_since(started).as_millis() as i64;
        let told = end["duration_ms"].as_i64().unwrap();
        assert!((told - ran).abs() < 1_000, "ran {ran} ms: {end:#?}");
        let check = self.server.show(&self.check);
        assert_eq!(check["running"], false, "{check:#?}");
        assert_eq!(check["status"], "down", "{check:#?}");
    }
}

fn at(ping: &Value, name: &str) -> Timestamp {
    ping[name].as_str().unwrap().parse().unwrap()
}

#[track_caller]
fn near(told: Timestamp, really: Timestamp, shown: &[Value]) {
    let off = told.duration_since(really).as_millis();
    assert!(off.abs() < 2_000, "{off} ms off: {shown:#?}");
}

/// A job under the wrapper.
struct Job {
    started: Timestamp,
    child: Child,
}

impl Job {
    /// Tells the job to end; gives when.
    fn end(&mut self) -> Timestamp {
        drop(self.child.stdin.take());
        Timestamp::now()
    }

    /// Waits for the wrapper's end, which has the job's exit code.
    fn outcome(self) -> String {
        let output = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        stderr
    }
}

#[test]
fn an_end_that_a_cut_link_held_back_is_told_once_by_a_later_pakyas() {
    apart(
        "an_end_that_a_cut_link_held_back_is_told_once_by_a_later_pakyas",
        || {
            let world = World::new();
            let mut job = world.start("2s");
            let started = job.started;
            world.wait_for_history(1);
            world.link.cut();
            let ended = job.end();
            let waiting = Instant::now();
            let stderr = job.outcome();
            assert!(stderr.contains("is kept"), "{stderr}");
            let waited = waiting.elapsed().as_secs();
            assert!((1..=4).contains(&waited), "{waited} s for a budget of 2 s");
            assert_eq!(world.kept(), 1);
            // What the kernel went on sending would arrive with the age that it had.
            assert_eq!(world.link.connections(), [""; 0]);
            assert_eq!(world.history().len(), 1);
            world.link.mend();
            let mended = Timestamp::now();
            world.ping_other();
            assert_eq!(world.kept(), 0);
            world.has_run(started, ended);
            assert!(at(&world.history()[0], "received_at") >= mended);
            world.ping_other();
            assert_eq!(world.history().len(), 2);
        },
    );
}

#[test]
fn a_link_that_comes_up_during_the_job_has_both_delivered_in_order() {
    apart(
        "a_link_that_comes_up_during_the_job_has_both_delivered_in_order",
        || {
            let world = World::new();
            world.link.unplug();
            // By its slug: nobody can be asked what that is either.
            let mut job = world.start_as(&["nightly"]);
            let started = job.started;
            wait_for("the start to be kept", || (world.kept() == 1).then_some(()));
            world.link.plug();
            let history = world.wait_for_history(1);
            assert_eq!(history[0]["type"], "start");
            let ended = job.end();
            assert_eq!(job.outcome(), "");
            world.has_run(started, ended);
            assert_eq!(world.kept(), 0);
        },
    );
}

#[test]
fn a_link_that_comes_up_after_the_job_has_the_start_delivered_before_the_end() {
    apart(
        "a_link_that_comes_up_after_the_job_has_the_start_delivered_before_the_end",
        || {
            let world = World::new();
            world.link.unplug();
            let mut job = world.start("30s");
            let started = job.started;
            wait_for("the start to be kept", || (world.kept() == 1).then_some(()));
            let ended = job.end();
            wait_for("the job's end", || {
                let stat = format!("/proc/{0}/task/{0}/children", job.child.id());
                let children = std::fs::read_to_string(stat).unwrap();
                children.trim().is_empty().then_some(())
            });
            world.link.plug();
            assert_eq!(job.outcome(), "");
            world.has_run(started, ended);
            let history = world.history();
            assert!(at(&history[1], "received_at") <= at(&history[0], "received_at"));
            assert_eq!(world.kept(), 0);
        },
    );
}

#[test]
fn a_start_that_arrives_after_its_end_leaves_the_run_closed() {
    apart(
        "a_start_that_arrives_after_its_end_leaves_the_run_closed",
        || {
            let world = World::new();
            world.link.unplug();
            let id = world.check["public_id"].as_str().unwrap();
            let mut job = world.start_as(&["-v", "--public-id", id, "--ping-timeout", "3s"]);
            let started = job.started;
            let mut lines = BufReader::new(job.child.stderr.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().contains("the start was not delivered")));
            assert_eq!(world.kept(), 1);
            world.link.plug();
            world.wait_for_the_way();
            let ended = job.end();
            let told: Vec<_> = lines.map(Result::unwrap).collect();
            job.outcome();
            assert!(
                told.iter()
                    .any(|line| line.contains("kept pings delivered")),
                "{told:?}"
            );
            world.has_run(started, ended);
            let history = world.history();
            assert!(at(&history[1], "received_at") >= at(&history[0], "received_at"));
            assert_eq!(world.kept(), 0);
        },
    );
}

#[test]
fn a_link_that_heals_while_it_is_waited_for_leaves_the_times_right() {
    apart(
        "a_link_that_heals_while_it_is_waited_for_leaves_the_times_right",
        || {
            let world = World::new();
            world.link.cut();
            let mut job = world.start("30s");
            let started = job.started;
            // Connecting hangs, and goes through by itself once the link is there: that it was
            // tried for seconds must not make the event seconds younger.
            wait_for("two seconds of trying", || {
                let tried = Timestamp::now().duration_since(started).as_secs();
                (tried >= 2).then_some(())
            });
            world.link.mend();
            world.wait_for_history(1);
            let ended = job.end();
            assert_eq!(job.outcome(), "");
            world.has_run(started, ended);
        },
    );
}

/// `faketime` with the wall clock off by so many seconds and the other clocks as they are;
/// `None`, said on stderr, where there is none.
fn clock_off_by(seconds: i64) -> Option<[String; 4]> {
    let before = [
        "faketime",
        "--exclude-monotonic",
        "-f",
        &format!("{seconds:+}"),
    ]
    .map(str::to_owned);
    let told = Command::new(&before[0])
        .args(&before[1..])
        .args(["date", "+%s"])
        .output();
    let Ok(told) = told else {
        eprintln!("skipped: there is no faketime here");
        return None;
    };
    let told: i64 = String::from_utf8_lossy(&told.stdout)
        .trim()
        .parse()
        .unwrap();
    let off = told - Timestamp::now().as_second();
    assert!((off - seconds).abs() <= 2, "faketime is {off} s off");
    Some(before)
}

/// A ping that is kept while the wall clock is off by `first` seconds and delivered while it
/// is off by `then`.
fn survives_a_clock_that_is_set(first: i64, then: i64) {
    if std::env::var_os("PAKYAS_BIN").is_some() {
        eprintln!("skipped: faketime reaches no static program");
        return;
    }
    let (Some(first_by), Some(then_by)) = (clock_off_by(first), clock_off_by(then)) else {
        return;
    };
    let mut server = Server::start();
    let check = server.check("nightly", 3_600, 300, &json!({}));
    let other = server.check("other", 3_600, 300, &json!({}));
    let home = Home::at(&server.url);
    let run = |before: &[String; 4], line: &str| {
        let mut inner = home.command();
        inner.args(line.split(' '));
        home::outcome(&mut through(&before.each_ref().map(String::as_str), &inner))
    };
    let ping = |check: &Value| {
        let id = check["public_id"].as_str().unwrap();
        format!("ping --ping-timeout 2s --public-id {id}")
    };
    server.kill();
    let really = Timestamp::now();
    run(&first_by, &ping(&check)).exits(0).says("is kept");
    // The client did see that clock.
    let list = run(&first_by, "spool list --format json").exits(0).json();
    let off = at(&list[0], "happened_at").duration_since(really).as_secs();
    assert!((off - first).abs() <= 2, "{off} s off: {list}");

    server.restart();
    run(&then_by, &ping(&other)).exits(0);
    let history = server.history(&check);
    assert_eq!(history.len(), 1, "{history:#?}");
    near(at(&history[0], "created_at"), really, &history);
    assert!(at(&history[0], "received_at") > at(&history[0], "created_at"));
}

#[test]
fn a_clock_set_back_an_hour_before_delivery_changes_no_time() {
    survives_a_clock_that_is_set(0, -3_600);
}

#[test]
fn a_clock_set_forward_an_hour_before_delivery_changes_no_time() {
    survives_a_clock_that_is_set(0, 3_600);
}

#[test]
fn a_clock_that_was_wrong_all_the_while_changes_no_time() {
    survives_a_clock_that_is_set(-3_600, -3_600);
}

#[test]
fn a_clock_mended_between_event_and_delivery_changes_no_time() {
    survives_a_clock_that_is_set(3_600, 0);
}
