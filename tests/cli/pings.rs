//! Pings: what is sent where, and how little is asked before.

use crate::support::home::Home;
use crate::support::stub::{Reply, Stub};
use crate::support::world::{CI_TESTS, KEY, PRODUCTION, World};
use uuid::Uuid;

#[test]
fn each_form_of_ping_has_its_path_and_its_answer() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION);
    let home = world.home();
    for (flags, suffix, answer) in [
        (&[][..], "", "pinged successfully"),
        (&["--start"], "/start", "start recorded"),
        (&["--fail"], "/fail", "failure recorded"),
        (&["--exit-code", "3"], "/3", "exit code 3 recorded"),
        (&["--exit-code=0"], "/0", "exit code 0 recorded"),
    ] {
        let outcome = home.run(["ping", "sync"].iter().chain(flags)).exits(0);
        assert_eq!(outcome.stdout, format!("Pong! Check 'sync' {answer}\n"));
        let sent = world.pings().pop().unwrap();
        assert_eq!(
            (sent.method.as_str(), sent.path),
            ("POST", format!("/{id}{suffix}"))
        );
    }
}

#[test]
fn a_ping_carries_a_key_an_age_and_what_was_said_with_it() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    home.run([
        "ping",
        "sync",
        "--run",
        "r 1",
        "--duration-ms",
        "1500",
        "--message",
        "all\nwell",
    ])
    .exits(0);
    let sent = world.pings().pop().unwrap();
    assert!(Uuid::try_parse(sent.header("idempotency-key").unwrap()).is_ok());
    assert!(sent.header("x-pakyas-age").unwrap().parse::<u64>().unwrap() < 60_000);
    assert_eq!(sent.header("x-pakyas-run"), Some("r 1"));
    assert_eq!(sent.header("x-pakyas-duration"), Some("1500"));
    assert_eq!(
        sent.header("user-agent"),
        Some(concat!("pakyas/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(sent.header("authorization"), None);
    assert_eq!(sent.body, b"all\nwell");
}

#[test]
fn of_a_long_message_on_stdin_the_end_is_sent() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let mut input = vec![b'a'; 50_000];
    input.extend([b'z'; 5_000]);
    world
        .home()
        .pakyas_with_input("ping sync --message -", &input)
        .exits(0);
    let sent = world.pings().pop().unwrap();
    assert_eq!(sent.body, input[input.len() - 10_000..]);
}

#[test]
fn a_public_id_needs_neither_key_nor_project_nor_question() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION).to_string();
    let home = Home::at(&world.url());
    home.run(["ping", "--public_id", &id]).exits(0);
    home.run(["ping", "--public-id", &id]).exits(0);
    home.run(["ping", &id]).exits(0);
    let home = home.with("PAKYAS_PUBLIC_ID", &id);
    home.pakyas("ping --start").exits(0);
    assert_eq!(world.pings().len(), 4);
    assert!(world.questions().is_empty());
}

#[test]
fn a_slug_on_the_command_line_beats_a_public_id_in_the_environment() {
    let world = World::new();
    let one = world.add("one", PRODUCTION);
    let other = world.add("other", PRODUCTION);
    let home = world.home().with("PAKYAS_PUBLIC_ID", &other.to_string());
    home.pakyas("ping one").exits(0);
    assert_eq!(world.pings().pop().unwrap().path, format!("/{one}"));
}

#[test]
fn a_slug_is_asked_for_once_and_then_remembered() {
    let world = World::new();
    world.add("sync", CI_TESTS);
    let home = Home::at(&world.url())
        .with("PAKYAS_API_KEY", KEY)
        .with("PAKYAS_PROJECT", "ci-tests");
    home.pakyas("ping sync").exits(0);
    assert_eq!(world.questions(), ["GET /checks"]);
    home.pakyas("ping sync").exits(0);
    assert_eq!(world.questions(), ["GET /checks"]);
    assert!(home.file("cache/checks.json").exists());
}

#[test]
fn a_check_list_fills_the_cache_for_pings() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home_logged_in();
    home.pakyas("check list").exits(0);
    let before = world.questions().len();
    home.pakyas("ping sync").exits(0);
    assert_eq!(world.questions().len(), before);
}

#[test]
fn a_remembered_check_that_is_no_more_is_looked_up_again_once() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    home.pakyas("ping sync").exits(0);
    world.clear();
    let id = world.add("sync", PRODUCTION);
    home.pakyas("ping sync").exits(0);
    assert_eq!(world.pings().pop().unwrap().path, format!("/{id}"));
    world.clear();
    home.pakyas("ping sync").exits(3).says("Check not found");
    assert_eq!(world.pings().len(), 4);
}

#[test]
fn without_a_project_a_slug_that_is_there_once_is_found() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    world.add("both", PRODUCTION);
    world.add("both", CI_TESTS);
    let home = Home::at(&world.url()).with("PAKYAS_API_KEY", KEY);
    home.pakyas("ping sync").exits(0);
    home.pakyas("ping both")
        .exits(2)
        .says("Production, CI Tests")
        .says("PAKYAS_PROJECT");
    home.pakyas("ping both --project ci-tests").exits(0);
}

#[test]
fn what_was_listed_of_one_project_does_not_hide_the_same_slug_in_another() {
    let world = World::new();
    world.add("both", PRODUCTION);
    world.add("both", CI_TESTS);
    let home = Home::at(&world.url()).with("PAKYAS_API_KEY", KEY);
    home.run(["check", "list", "--project", &PRODUCTION.to_string()])
        .exits(0);
    home.pakyas("ping both").exits(2);
    assert!(world.pings().is_empty());
}

#[test]
fn a_slug_that_can_be_none_is_refused_before_anything_is_asked() {
    let world = World::new();
    let home = world.home();
    home.run(["ping", "Daily Backup"])
        .exits(2)
        .says("did you mean 'daily-backup'?");
    home.run(["ping", "my.job"]).exits(2);
    home.run(["ping", "--public-id", "550e8400"]).exits(2);
    home.pakyas("ping").exits(2).says("PAKYAS_PUBLIC_ID");
    home.pakyas("ping x --start --fail").exits(2);
    home.pakyas("ping x --exit-code 256")
        .exits(2)
        .says("0 to 255");
    assert!(world.stub.received().is_empty());
}

#[test]
fn quiet_says_nothing_and_json_says_it_in_fields() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION);
    let home = world.home();
    assert_eq!(home.pakyas("ping sync --quiet").exits(0).stdout, "");
    let json = home
        .pakyas("ping sync --fail --format json")
        .exits(0)
        .json();
    assert_eq!(json["type"], "fail");
    assert_eq!(json["public_id"], id.to_string());
    assert_eq!(json["attempts"], 1);
}

#[test]
fn verbose_tells_what_went_where_and_no_secret() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION);
    let outcome = world.home().pakyas("--verbose ping sync").exits(0);
    assert!(outcome.stderr.contains(&world.url()), "{outcome:?}");
    assert!(!outcome.stderr.contains(KEY), "{outcome:?}");
    assert!(!outcome.stderr.contains(&id.to_string()), "{outcome:?}");
}

#[test]
fn pings_never_go_to_another_server_than_the_api_that_was_named() {
    let other = World::new();
    let id = other.add("sync", PRODUCTION).to_string();
    let world = World::new();
    let home = world.home_logged_in();
    // The configuration knows the ping address of `world`; the id is one of `other`.
    home.run(["ping", "--public-id", &id, "--api-url", &other.url()])
        .exits(0);
    assert_eq!(other.pings().len(), 1);
    assert!(world.pings().is_empty());
}

#[test]
fn a_stored_key_is_sent_to_no_other_api() {
    let world = World::new();
    let home = world.home_logged_in();
    let other = Stub::new(|_| Reply::text(200, "[]"));
    home.run(["check", "list", "--api-url", &other.url()])
        .exits(5)
        .says(&format!("Not logged in to {}", other.url()));
    home.run(["ping", "sync", "--api-url", &other.url()])
        .exits(5);
    assert!(other.received().is_empty());
}

#[test]
fn the_ping_address_may_be_another_than_the_apis() {
    let pings = Stub::new(|_| Reply::text(200, "OK"));
    let world = World::new();
    let id = world.add("sync", PRODUCTION);
    world
        .home()
        .with("PAKYAS_PING_URL", &format!("{}/in/", pings.url()))
        .pakyas("ping sync")
        .exits(0);
    assert_eq!(pings.received()[0].path, format!("/in/{id}"));
    assert!(world.pings().is_empty());
}

#[test]
fn a_job_is_monitored_in_both_forms_of_the_guide() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION).to_string();
    let home = world.home();
    home.pakyas("monitor sync -- true").exits(0);
    home.run(["monitor", "--public_id", &id, "--", "sh", "-c", "exit 7"])
        .exits(7);
    let paths: Vec<_> = world.pings().iter().map(|ping| ping.path.clone()).collect();
    assert!(paths.contains(&format!("/{id}/start")), "{paths:?}");
    assert!(paths.contains(&format!("/{id}/7")), "{paths:?}");
}

#[test]
fn the_start_and_the_end_of_a_short_job_share_a_connection() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION).to_string();
    let home = Home::at(&world.url());
    home.run(["monitor", "--public-id", &id, "--", "sleep", "0.3"])
        .exits(0);
    let pings = world.pings();
    assert_eq!(pings.len(), 2);
    assert_eq!(pings[0].connection, pings[1].connection);
}

#[test]
fn a_command_line_that_names_no_job_runs_nothing() {
    let home = Home::new();
    for line in [
        "monitor sync",
        "monitor sync --",
        "monitor sync touch marker",
        "monitor --frobnicate sync touch marker",
        "monitr sync -- touch marker",
    ] {
        let mut command = home.command();
        command
            .current_dir(home.path())
            .args(line.split_whitespace());
        crate::support::home::outcome(&mut command).exits(2);
        assert!(!home.path().join("marker").exists(), "{line}");
    }
}

#[test]
fn a_job_runs_whatever_its_settings_are_like() {
    let home = Home::new().with("PAKYAS_FORMAT", "yaml");
    home.write("config.json", "not json");
    for (number, arguments) in [
        &["monitor", "sync"][..],
        &["monitor", "Not A Slug"],
        &["monitor", "--public-id", ""],
        &["monitor", "--public-id", "nonsense"],
    ]
    .iter()
    .enumerate()
    {
        let marker = home.path().join(format!("marker-{number}"));
        home.run(arguments.iter().map(std::ffi::OsString::from).chain([
            "--".into(),
            "touch".into(),
            marker.clone().into(),
        ]))
        .exits(0);
        assert!(marker.exists(), "{arguments:?}");
    }
}

#[test]
fn the_jobs_arguments_reach_it_byte_for_byte() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::at("http://127.0.0.1:9");
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe --quiet");
    let mut command = home.command();
    command
        .args(["monitor", "x", "--ping-timeout", "0", "--", "printf", "%s|"])
        .args(["--verbose", "", "a_b=c", "--"])
        .arg(odd);
    let output = command.output().unwrap();
    assert_eq!(output.stdout, b"--verbose||a_b=c|--|\xff\xfe --quiet|");
}

#[test]
fn a_public_id_that_can_not_be_one_is_told_alike_by_ping_and_after_a_monitored_job() {
    let world = crate::support::world::World::new();
    let sentence = "is not a public id, which looks like 550e8400-";
    let home = world.home();
    home.run(["ping", "--public-id", "xyz"])
        .exits(2)
        .says(sentence);
    home.run(["monitor", "--public-id", "xyz", "--", "echo", "ran"])
        .exits(0)
        .shows("ran")
        .says("could not be reported: --public-id")
        .says(sentence);
    home.with("PAKYAS_PUBLIC_ID", "a b")
        .run(["monitor", "--", "echo", "ran"])
        .exits(0)
        .shows("ran")
        .says("could not be reported: PAKYAS_PUBLIC_ID");
}

#[test]
fn a_message_from_standard_input_is_folded_as_a_terminal_would_show_it() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let mut input = b"disk full\n".to_vec();
    for percent in 0..5_000 {
        input.extend_from_slice(format!("\r{percent:>4} of 5000").as_bytes());
    }
    input.push(b'\n');
    world
        .home()
        .pakyas_with_input("ping sync --fail --message -", &input)
        .exits(0);
    assert_eq!(world.pings()[0].body, b"disk full\n4999 of 5000\n");
}
