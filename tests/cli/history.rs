//! Inspect, doctor, tail and logs where something is amiss: usage, refusals, a server that
//! goes away and comes back.

use std::io::{BufRead, BufReader, Read};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};

use pakyas::wire::API_PREFIX;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::home::Home;
use crate::support::person::Person;
use crate::support::stub::{Received, Reply};
use crate::support::wait_for;
use crate::support::world::{PRODUCTION, World, refusal};

fn event(number: u128, summary: &str) -> Value {
    json!({"id": Uuid::from_u128(number), "event_type": "run_finished",
           "occurred_at": "2026-01-02T03:04:05Z", "effective_at": "2026-01-02T03:04:06Z",
           "source": "ping", "payload": {}, "from_status": null, "to_status": null,
           "summary": summary})
}

fn page(events: &[Value], next: Option<&str>) -> Reply {
    let page = json!({"events": events, "next_cursor": next, "has_more": next.is_some()});
    Reply::json(200, &page)
}

/// A world with the check `job` whose events are what `answer` says, by the number of the
/// question.
fn world(answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> (World, Home) {
    let count = AtomicUsize::new(0);
    let world = World::but(move |request: &Received| {
        let query = request.path.split_once("/events?")?.1;
        Some(answer(count.fetch_add(1, Ordering::SeqCst), query))
    });
    world.add("job", PRODUCTION);
    let home = world.home();
    (world, home)
}

/// The questions about events, as queries.
fn queries(world: &World) -> Vec<String> {
    let asked = world.questions();
    asked
        .iter()
        .filter_map(|question| Some(question.split_once("/events?")?.1.to_owned()))
        .collect()
}

#[test]
fn what_is_typed_wrong_is_told_before_anything_is_asked() {
    let world = World::new();
    let home = world.home();
    for (line, word) in [
        (
            "check doctor job --fail-on fatal",
            "error, warning, info or never",
        ),
        ("check tail job --since yesterday", "30m, 2d"),
        ("check tail job --types state,pings", "signal, state, alert"),
        ("check tail job -f --format json", "ndjson"),
        ("check logs job --limit 10001", "10000"),
        ("check inspect", "SLUG"),
        ("check tali job", "did you mean 'tail'?"),
    ] {
        home.pakyas(line).exits(2).says(word);
    }
    assert_eq!(world.questions().len(), 0);
}

#[test]
fn a_server_that_knows_no_such_route_is_told_as_it_answers() {
    let world = World::new();
    world.add("job", PRODUCTION);
    let home = world.home();
    for command in ["inspect", "doctor", "tail"] {
        home.pakyas(&format!("check {command} job"))
            .exits(3)
            .says("There is nothing here");
        home.pakyas(&format!("check {command} jbo"))
            .exits(3)
            .says("did you mean 'job'?");
    }
}

#[test]
fn tail_walks_back_by_the_cursor_whatever_that_looks_like() {
    let (world, home) = world(|number, _| match number {
        0 => page(&[event(4, "four"), event(3, "three")], Some("a+b/c=&d")),
        1 => page(&[event(2, "two \u{1b}[31m")], Some("e")),
        _ => page(&[event(1, "one")], None),
    });
    let shown = home.pakyas("check tail job --since 2h").exits(0).stdout;
    let summaries: Vec<&str> = shown
        .lines()
        .map(|line| line.rsplit_once("  ").unwrap().1)
        .collect();
    assert_eq!(summaries, ["one", "two [31m", "three", "four"]);
    let queries = queries(&world);
    assert_eq!(queries.len(), 3);
    assert!(queries[0].contains("&since=2h") && !queries[0].contains("cursor"));
    assert!(
        queries[1].ends_with("&cursor=a%2Bb%2Fc%3D%26d"),
        "{queries:?}"
    );
    assert!(queries[2].contains("&since=2h") && queries[2].ends_with("&cursor=e"));
}

#[test]
fn without_since_the_last_twenty_are_asked_for_once() {
    let (world, home) = world(|_, _| page(&[event(1, "one")], Some("more")));
    home.pakyas("check tail job").exits(0).shows("one");
    let queries = queries(&world);
    assert!(queries[0].starts_with("limit=20&"), "{queries:?}");
    // A server that gives less than asked for, and has more, is asked on; never without end.
    assert!(queries.len() <= 20, "{queries:?}");
}

/// Follows until it ends by itself; what it wrote, what it said, and how it ended.
fn follow(home: &Home) -> (String, String, ExitStatus) {
    let mut command = home.command();
    let mut child = command
        .args(["check", "tail", "job", "-f"])
        .spawn()
        .unwrap();
    let status = wait_for("its end", || child.try_wait().unwrap());
    let (mut out, mut said) = (String::new(), String::new());
    child.stdout.unwrap().read_to_string(&mut out).unwrap();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    (out, said, status)
}

#[test]
fn a_server_that_goes_and_comes_back_is_told_in_a_line_each_and_nothing_twice() {
    let (world, home) = world(|number, _| match number {
        0 => page(&[event(1, "one")], None),
        1 => Reply::Hangup,
        2 => page(&[event(2, "two"), event(1, "one")], None),
        _ => refusal(401, "The key was revoked"),
    });
    let (out, said, status) = follow(&home);
    assert_eq!(status.code(), Some(5), "{said}");
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.contains("  one\n") && out.ends_with("  two\n"), "{out}");
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[0].ends_with("; trying again"), "{said:#?}");
    assert_eq!(said[1], "The server answers again");
    assert!(said[2].contains("The key was revoked"), "{said:#?}");
    // From the second question on, only what is newer than what was seen, with a margin.
    let since = "&since=2026-01-02T03:03:06Z";
    let queries = queries(&world);
    assert!(
        queries[1..].iter().all(|query| query.contains(since)),
        "{queries:?}"
    );
}

#[test]
fn a_check_that_is_deleted_while_it_is_followed_ends_that() {
    let (_world, home) = world(|number, _| match number {
        0 => page(&[], None),
        _ => refusal(404, "There is no check with this id"),
    });
    let (_, said, status) = follow(&home);
    assert_eq!(status.code(), Some(3));
    assert!(said.contains("There is no check with this id"), "{said}");
}

#[test]
fn a_reader_that_goes_away_ends_the_following_quietly_even_where_nothing_happens() {
    let (_world, home) = world(|_, _| page(&[event(1, "one")], None));
    let mut command = home.command();
    let mut child = command
        .args(["check", "tail", "job", "-f"])
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    assert!(first.ends_with("one\n"), "{first}");
    drop(stdout);
    let status = wait_for("its end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn a_project_with_too_many_checks_is_not_followed_as_a_whole() {
    let world = World::new();
    for number in 0..101 {
        world.add(&format!("job-{number}"), PRODUCTION);
    }
    world
        .home()
        .pakyas("check tail")
        .exits(2)
        .says("101 checks")
        .says("pakyas check tail SLUG");
}

#[test]
fn without_a_project_or_a_key_tail_says_which_is_missing() {
    let world = World::new();
    Home::at(&world.url())
        .pakyas("check tail")
        .exits(5)
        .says("Not logged in");
    let home = Home::at(&world.url()).with("PAKYAS_API_KEY", crate::support::world::KEY);
    home.pakyas("check tail").says("No project selected");
}

#[test]
fn logs_beyond_a_page_are_fetched_page_by_page() {
    let ping = |number: u64| {
        json!({"id": Uuid::from_u128(u128::from(number) << 96), "type": "success",
               "exit_code": null, "created_at": "2026-01-02T03:04:05Z",
               "received_at": "2026-01-02T03:04:05Z", "duration_ms": null,
               "run_id": Uuid::from_u128(0xabcdef01 << 96), "source_ip": null,
               "user_agent": null, "cpu_ms": null, "max_rss_kb": null,
               // Only the oldest has an output.
               "has_body": number == 1})
    };
    let world = World::but(move |request| {
        let path = request.path.strip_prefix(API_PREFIX)?;
        let query = path.split_once("/pings?")?.1;
        let value = |name: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(name))?;
            Some(pair.trim_start_matches('=').to_owned())
        };
        let limit: u64 = value("limit").unwrap().parse().unwrap();
        // Newest first: 2,500 down to 1.
        let before = value("before").map_or(2_501, |id| {
            u64::try_from(Uuid::parse_str(&id).unwrap().as_u128() >> 96).unwrap()
        });
        let pings: Vec<Value> = (1..before).rev().take(limit as usize).map(ping).collect();
        Some(Reply::json(200, &json!({"pings": pings, "total": 2_500})))
    });
    world.add("job", PRODUCTION);
    let home = world.home();
    let all = home
        .pakyas("check logs job --limit 2100 --format json")
        .exits(0)
        .json();
    assert_eq!(all["total"], 2_500);
    let pings = all["pings"].as_array().unwrap();
    assert_eq!(pings.len(), 2_100);
    assert_eq!(pings[2_099], ping(401));
    let asked = world.questions();
    let limits: Vec<&str> = asked
        .iter()
        .filter_map(|question| question.split_once("/pings?limit=")?.1.split('&').next())
        .collect();
    assert_eq!(limits, ["1000", "1000", "100"]);
    // The only output is on the last page, and is found there.
    home.pakyas("check logs job --output last")
        .exits(0)
        .shows("disk full");
    let table = home.pakyas("check logs job --limit 1").exits(0).stdout;
    assert!(table.contains("  abcdef01  "), "{table}");
}

#[test]
fn each_ping_says_what_time_it_is_where_it_comes_from() {
    let world = World::new();
    world.add("job", PRODUCTION);
    world.home().pakyas("ping job").exits(0);
    let sent = world.pings().remove(0);
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(sent.header("date").unwrap())
        .unwrap();
    let off = jiff::Timestamp::now().duration_since(date).as_secs();
    assert!((0..60).contains(&off), "{off}");
}

#[test]
fn at_a_terminal_what_does_not_fit_beside_the_time_gets_a_line_of_its_own() {
    let (_world, home) = world(|_, _| page(&[event(1, "Run finished: exit code 0")], None));
    for (columns, line) in [
        ("66", "run_finished    Run finished: exit code 0"),
        ("65", "\r\n    Run finished: exit code 0"),
    ] {
        let mut command = home.command();
        command.args(["check", "tail", "job", "--utc"]);
        command.env("COLUMNS", columns).env("TERM", "dumb");
        let mut person = Person::starts(command);
        person.sees(line);
        person.leaves_with(0);
    }
}
