//! `check create` and `check update`: both spellings, the questions, and what is sent.

use serde_json::{Value, json};

use crate::support::person::Person;
use crate::support::programs::pakyas;
use crate::support::world::{PRODUCTION, World};

/// What was sent with the last request of this method.
fn sent(world: &World, method: &str) -> Value {
    let received = world.stub.received();
    let request = received.iter().rfind(|request| request.method == method);
    let request = request.unwrap_or_else(|| panic!("no {method} among {received:?}"));
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn both_spellings_create_the_same_check() {
    for flags in [
        ["--period", "1h", "--grace", "10m"],
        ["--every", "3600", "--missing-after", "600"],
    ] {
        let world = World::new();
        let line = ["check", "create", "hourly-sync"];
        world.home().run(line.iter().chain(&flags)).exits(0);
        let sent = sent(&world, "POST");
        assert_eq!(sent["period_seconds"], 3_600);
        assert_eq!(sent["grace_seconds"], 600);
        assert_eq!(sent["name"], "hourly-sync");
    }
}

#[test]
fn a_cron_expression_is_sent_with_its_zone_and_without_a_grace_of_ours() {
    let world = World::new();
    let created = world
        .home()
        .run(["check", "create", "db-backup", "--cron", "0 2 * * *"])
        .exits(0)
        .shows("Cron       0 2 * * *\n")
        .shows("Grace      30m (auto)\n")
        .shows("In the crontab (time zone: the organization's):\n")
        .shows(&in_crontab("0 2 * * *", "db-backup"));
    assert_eq!(created.stderr, "");
    let sent_plain = sent(&world, "POST");
    assert_eq!(sent_plain["cron_expression"], "0 2 * * *");
    // Left out it would be 0 (API.md).
    assert_eq!(sent_plain.get("grace_seconds"), Some(&Value::Null));
    for absent in ["period_seconds", "timezone"] {
        assert_eq!(sent_plain.get(absent), None, "{absent}");
    }
    let line = ["check", "create", "other", "--cron", "@daily"];
    world
        .home()
        .run(line.iter().chain(&["--tz", "Asia/Manila"]))
        .exits(0)
        .shows("Time zone  Asia/Manila\n")
        .shows("In the crontab (time zone: Asia/Manila):\n")
        .shows(&in_crontab("@daily", "other"));
    assert_eq!(sent(&world, "POST")["timezone"], "Asia/Manila");
}

/// The line that watches a job, in which the program has its whole path: cron would not find it.
fn in_crontab(times: &str, slug: &str) -> String {
    let program = pakyas().canonicalize().unwrap();
    let program = program.to_str().unwrap();
    format!("\n{times} {program} monitor {slug} -- COMMAND\n")
}

#[test]
fn what_no_crontab_can_say_is_no_line_for_one() {
    for schedule in [
        ["--period", "90m"],
        ["--period", "5h"],
        ["--period", "7m"],
        ["--cron", "45 23 L * *"],
        ["--cron", "0 6 * * wed#2"],
    ] {
        let world = World::new();
        let line = ["check", "create", "odd"];
        let outcome = world.home().run(line.iter().chain(&schedule)).exits(0);
        outcome.shows("Where the job is started:\npakyas monitor odd -- COMMAND\n");
    }
    let world = World::new();
    let line = ["check", "create", "named", "--cron", "0 6 * jul wed"];
    world
        .home()
        .run(line)
        .exits(0)
        .shows(&in_crontab("0 6 * jul wed", "named"));
}

#[test]
fn a_dry_run_shows_what_would_be_created_and_creates_nothing() {
    let world = World::new();
    let home = world.home();
    home.pakyas("check create nightly --every 1d --dry-run")
        .exits(0)
        .says("nothing was sent")
        .shows("Project  Production\n")
        .shows("Grace    1h (auto)\n");
    let shown = home
        .pakyas("check create nightly --every 1d --dry-run --format json")
        .exits(0)
        .json();
    assert_eq!(shown["slug"], "nightly");
    assert_eq!(shown["grace_seconds"], 3_600);
    assert!(world.questions().iter().all(|line| line.starts_with("GET")));
}

#[test]
fn a_dry_run_shows_what_is_said_about_the_check_and_its_alerts() {
    let world = World::new();
    let line = ["check", "create", "nightly", "--every", "1d", "--dry-run"];
    let about = [
        "--description",
        "all of it",
        "--tags",
        "db,nightly",
        "--alert-after-miss-pings",
        "2",
        "--alert-after-fail-pings",
        "3",
    ];
    let home = world.home();
    home.run(line.iter().chain(&about))
        .exits(0)
        .shows("Description  all of it\n")
        .shows("Tags         db, nightly\n")
        .shows("Alert after  2 misses in a row\n")
        .shows("Alert after  3 failures in a row\n");
}

#[test]
fn words_that_lack_their_quotes_are_told_so() {
    let world = World::new();
    let home = world.home();
    home.pakyas("check create --name My Job --period 1h")
        .exits(2)
        .says("did you mean 'job'")
        .says("--name \"My Job\"");
    home.pakyas("check create --name My Daily Job --period 1h")
        .exits(2)
        .says("need quotes");
    // As the shell hands it on where no file is there to take the place of a star, and where
    // some are.
    for stars in ["* * * * *", "0 2 * * *", "Cargo.toml src tests"] {
        for command in ["check create job", "check create", "check update job"] {
            home.pakyas(&format!("{command} --cron {stars}"))
                .exits(2)
                .says("--cron \"0 2 * * *\"");
        }
    }
    assert!(world.questions().is_empty());
}

#[test]
fn a_dry_run_finds_out_that_the_slug_is_taken() {
    let world = World::new();
    world.add("nightly", PRODUCTION);
    world
        .home()
        .pakyas("check create nightly --every 1d --dry-run")
        .exits(1)
        .says("has a check 'nightly' already")
        .says("pakyas check update nightly");
}

#[test]
fn with_i_it_asks_for_what_is_missing_and_asks_again_where_an_answer_is_wrong() {
    let world = World::new();
    let home = world.home();
    let mut command = home.command();
    command.args(["check", "create", "-i"]);
    let mut person = Person::starts(command);
    person.sees("Name, for people: ");
    person.types(b"Daily Backup\n");
    person.sees("Slug, for commands [daily-backup]: ");
    person.types(b"\n");
    person.sees("How often it runs");
    person.types(b"now and then\n");
    person.sees("is not a cron expression");
    person.sees("How often it runs");
    person.types(b"0 2 * * *\n");
    person.sees("Time zone");
    person.types(b"Asia/Manila\n");
    person.sees("How late it may be [auto]: ");
    person.types(b"30m\n");
    person.sees("Created the check 'Daily Backup'");
    person.leaves_with(0);
    let sent = sent(&world, "POST");
    assert_eq!(
        sent,
        json!({"project_id": PRODUCTION, "name": "Daily Backup", "slug": "daily-backup",
               "cron_expression": "0 2 * * *", "timezone": "Asia/Manila", "grace_seconds": 1_800})
    );
}

#[test]
fn with_i_nothing_is_asked_that_was_given_and_an_end_of_input_creates_nothing() {
    let world = World::new();
    let home = world.home();
    let mut command = home.command();
    command.args(["check", "create", "nightly", "--name", "N", "-i"]);
    let mut person = Person::starts(command);
    person.sees("How often it runs");
    person.types(b"\x04");
    person.sees("Nothing was changed");
    person.leaves_with(1);
    assert!(world.questions().is_empty());
}

#[test]
fn with_i_and_no_terminal_it_says_so() {
    let world = World::new();
    world
        .home()
        .pakyas("check create -i")
        .exits(2)
        .says("There is no terminal to ask at");
}

#[test]
fn schedules_that_contradict_themselves_are_refused_before_anything_is_sent() {
    let world = World::new();
    let home = world.home();
    for (flags, word) in [
        (&["--period", "1h", "--cron", "@daily"][..], "two schedules"),
        (&["--every", "1h", "--tz", "UTC"], "--tz goes with --cron"),
        (&["--cron", "0"], "in quotes"),
    ] {
        let line = ["check", "create", "x"];
        home.run(line.iter().chain(flags)).exits(2).says(word);
    }
    assert!(world.stub.received().is_empty());
}

#[test]
fn an_update_sends_only_what_was_given() {
    let world = World::new();
    world.add("nightly", PRODUCTION);
    let home = world.home();
    home.run(["check", "update", "nightly", "--cron", "30 2 * * *"])
        .exits(0);
    assert_eq!(
        sent(&world, "PUT"),
        json!({"cron_expression": "30 2 * * *"})
    );
    home.pakyas("check update nightly --missing-after 1h")
        .exits(0);
    assert_eq!(sent(&world, "PUT"), json!({"grace_seconds": 3_600}));
}

#[test]
fn a_period_takes_the_place_of_a_cron_expression() {
    let world = World::new();
    let home = world.home();
    home.run(["check", "create", "nightly", "--cron", "0 2 * * *"])
        .exits(0);
    home.pakyas("check update nightly --every 1d").exits(0);
    assert_eq!(
        sent(&world, "PUT"),
        json!({"cron_expression": "", "period_seconds": 86_400})
    );
}

#[test]
fn the_default_project_is_shown_set_and_cleared() {
    let world = World::new();
    let home = world.home_logged_in();
    let shown = home.pakyas("project default").exits(0);
    assert_eq!(shown.stdout, "Production\n");
    home.run(["project", "default", "ci tests"]).exits(0);
    home.pakyas("project default").exits(0).shows("CI Tests");
    home.pakyas("project default --clear").exits(0);
    home.pakyas("project default")
        .exits(2)
        .says("No project selected");
}

#[test]
fn a_crontab_s_zone_is_taken_for_tz_and_said_to_be() {
    let world = World::new();
    let line = [
        "check",
        "create",
        "a",
        "--cron",
        "CRON_TZ=Asia/Manila 5/15\t2 * * *",
    ];
    world
        .home()
        .run(line)
        .exits(0)
        .says("is taken as --tz Asia/Manila");
    let sent = sent(&world, "POST");
    assert_eq!(sent["cron_expression"], "5-59/15 2 * * *");
    assert_eq!(sent["timezone"], "Asia/Manila");
    let both = ["--cron", "TZ=Asia/Manila @daily", "--tz", "UTC"];
    world
        .home()
        .run(["check", "create", "b"].iter().chain(&both))
        .exits(2)
        .says("leave one out");
}

#[test]
fn jenkins_h_and_a_zone_that_may_be_two_are_asked_back_before_anything_is_sent() {
    let world = World::new();
    for (flags, words) in [
        (&["--cron", "H 4 * * *"][..], "such as '17 4 * * *'"),
        (
            &["--cron", "@daily", "--tz", "GMT+8"],
            "'Etc/GMT+8' is 8 hours behind it",
        ),
    ] {
        world
            .home()
            .run(["check", "create", "a"].iter().chain(flags))
            .exits(2)
            .says(words);
    }
}
