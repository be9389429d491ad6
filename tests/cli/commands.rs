//! What each command asks for, shows and refuses.

use crate::support::home::{Home, outcome};
use crate::support::world::{CI_TESTS, KEY, PRODUCTION, World};

#[test]
fn the_guides_first_time_setup_works_as_it_is_written() {
    let world = World::new();
    let home = Home::new();
    home.run(["login", "--api-key", KEY, "--api-url", &world.url()])
        .exits(0)
        .says("you@example.com");
    home.pakyas("org list").exits(0).shows("My Company");
    home.run(["org", "switch", "my company"]).exits(0);
    home.pakyas("project list").exits(0).shows("Production");
    home.run(["project", "switch", "Production"]).exits(0);
    let whoami = home.pakyas("whoami").exits(0);
    assert_eq!(
        whoami.stdout,
        "User: you@example.com\nOrganization: My Company\nProject: Production\n"
    );
    home.run([
        "check",
        "create",
        "--name",
        "My First Check",
        "--slug",
        "my-first-check",
        "--period",
        "3600",
        "--grace",
        "300",
    ])
    .exits(0)
    .shows("my-first-check");
    let ping = home.pakyas("ping my-first-check").exits(0);
    assert_eq!(
        ping.stdout,
        "Pong! Check 'my-first-check' pinged successfully\n"
    );
    assert_eq!(ping.stderr, "");
    assert_eq!(world.pings().len(), 1);
}

#[test]
fn a_key_may_come_from_a_file_or_from_standard_input() {
    let world = World::new();
    let home = Home::at(&world.url());
    let file = home.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    home.run(["login", "--api-key", &format!("file:{}", file.display())])
        .exits(0);
    assert!(home.read("credentials.json").contains(KEY));
    let home = Home::at(&world.url());
    home.pakyas_with_input("login --api-key -", format!("{KEY}\n").as_bytes())
        .exits(0);
    assert!(home.read("credentials.json").contains(KEY));
}

#[test]
fn login_at_a_server_that_lets_nobody_in_by_a_browser_says_how_to_get_a_key() {
    let world = World::new();
    Home::at(&world.url())
        .pakyas("login")
        .exits(2)
        .says("pakyas-server key create")
        .says("pakyas login --api-key KEY");
}

#[test]
fn a_wrong_key_changes_nothing() {
    let world = World::new();
    let home = Home::at(&world.url());
    home.pakyas("login --api-key pk_live_wrong")
        .exits(5)
        .says("does not take the API key, the one given");
    assert!(!home.file("credentials.json").exists());
    assert!(!home.file("config.json").exists());
}

#[test]
fn without_a_key_every_command_says_how_to_log_in() {
    let home = Home::new();
    for line in [
        "whoami",
        "org list",
        "org switch x",
        "project list",
        "project switch x",
        "check list",
        "check show x",
        "check logs x",
        "check sync",
        "check create x --period 1h",
        "channel list",
        "channel test x",
        "ping x",
    ] {
        let outcome = home.pakyas(line).exits(5);
        assert!(
            outcome
                .stderr
                .starts_with("Not logged in. Run: pakyas login --api-key KEY"),
            "{line}: {outcome:?}"
        );
    }
}

#[test]
fn without_a_project_the_commands_about_one_say_how_to_choose_one() {
    let world = World::new();
    let home = Home::at(&world.url()).with("PAKYAS_API_KEY", KEY);
    for line in ["check list", "check create x --period 1h"] {
        let outcome = home.pakyas(line).exits(2);
        assert!(
            outcome
                .stderr
                .starts_with("No project selected. Run: pakyas project switch NAME"),
            "{line}: {outcome:?}"
        );
    }
    assert!(world.stub.received().is_empty());
}

#[test]
fn the_environment_alone_is_enough() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    home.pakyas("check list").exits(0).shows("sync");
    assert!(!home.file("config.json").exists());
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let world = World::new();
    world.add("in-production", PRODUCTION);
    world.add("in-ci", CI_TESTS);
    let home = world.home_logged_in();
    home.pakyas("check list").exits(0).shows("in-production");
    let home = home.with("PAKYAS_PROJECT", "ci-tests");
    home.pakyas("check list").exits(0).shows("in-ci");
    home.pakyas("check list --project PRODUCTION")
        .exits(0)
        .shows("in-production");
    home.run(["--project", &CI_TESTS.to_string(), "check", "list"])
        .exits(0)
        .shows("in-ci");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world
        .home_logged_in()
        .with("PAKYAS_API_KEY", "")
        .with("PAKYAS_PROJECT", "")
        .with("PAKYAS_FORMAT", "")
        .with("PAKYAS_API_URL", "");
    home.pakyas("check list").exits(0).shows("sync");
}

#[test]
fn json_has_the_apis_own_field_names() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION);
    let home = world.home();
    let shown = home.pakyas("check show sync --format json").exits(0).json();
    assert_eq!(shown["public_id"], id.to_string());
    let listed = home
        .with("PAKYAS_FORMAT", "json")
        .pakyas("check list")
        .exits(0);
    assert_eq!(listed.json()[0]["slug"], "sync");
    assert_eq!(listed.stderr, "");
}

#[test]
fn ndjson_has_one_document_on_each_line() {
    let world = World::new();
    world.add("a", PRODUCTION);
    world.add("b", PRODUCTION);
    let outcome = world.home().pakyas("check list --format ndjson").exits(0);
    let slugs: Vec<_> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["slug"].clone())
        .collect();
    assert_eq!(slugs, ["a", "b"]);
}

#[test]
fn an_empty_list_is_an_empty_document_and_a_hint_beside_it() {
    let world = World::new();
    let home = world.home();
    let outcome = home
        .pakyas("check list")
        .exits(0)
        .says("pakyas check create");
    assert_eq!(outcome.stdout, "");
    assert_eq!(home.pakyas("check list --format json").stdout, "[]\n");
    assert_eq!(home.pakyas("check list --quiet").stderr, "");
}

#[test]
fn create_shows_the_ping_url_and_a_line_for_the_crontab() {
    let world = World::new();
    let home = world.home();
    let outcome = home
        .run([
            "check",
            "create",
            "--name",
            "Database Backup",
            "--period",
            "1d",
        ])
        .exits(0)
        .shows("Grace      1h (auto)")
        .shows("\n0 2 * * * ")
        .shows(" monitor database-backup -- COMMAND");
    assert!(outcome.stdout.contains(&format!("{}/", world.url())));
    let url = home
        .pakyas("check create other --period 5m --quiet")
        .exits(0);
    assert_eq!(url.stdout.lines().count(), 1);
    assert!(url.stdout.starts_with(&world.url()));
}

#[test]
fn what_is_wrong_with_a_new_check_is_told_before_anything_is_sent() {
    let world = World::new();
    let home = world.home();
    for (arguments, hint) in [
        (
            &["--slug", "Daily Backup", "--period", "1d"][..],
            "did you mean 'daily-backup'?",
        ),
        (
            &["--slug", "my.job.name", "--period", "1d"],
            "did you mean 'my-job-name'?",
        ),
        (
            &["--slug", "x", "--period", "0"],
            "--period: 0 is out of range",
        ),
        (
            &["--slug", "x", "--period", "abc"],
            "'abc' is not a duration",
        ),
        (&["--slug", "x", "--period", "400 days"], "366 days"),
        (
            &["--slug", "x", "--period", "1d", "--grace", "-1"],
            "is not a duration",
        ),
        (&["--slug", "x"], "needs --period"),
        (&["--period", "1d"], "needs a name or a slug"),
        (&["--name", "", "--period", "1d"], "1 to 100 characters"),
        (&["--name", "日本", "--period", "1d"], "--slug"),
        (&["a", "--slug", "b", "--period", "1d"], "Two slugs"),
    ] {
        home.run(["check", "create"].iter().chain(arguments))
            .exits(2)
            .says(hint);
    }
    assert!(world.stub.received().is_empty());
}

#[test]
fn a_slug_that_is_taken_is_refused_with_the_servers_sentence() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    world
        .home()
        .pakyas("check create sync --period 1h")
        .exits(1)
        .says("The slug is taken in this project");
}

#[test]
fn an_unknown_check_is_told_with_what_helps() {
    let world = World::new();
    world.add("daily-backup", PRODUCTION);
    let home = world.home();
    for line in [
        "check show daily-bakcup",
        "ping daily-bakcup",
        "check logs daily-bakcup",
    ] {
        let outcome = home.pakyas(line).exits(3);
        assert!(outcome.stderr.starts_with("Check not found"), "{outcome:?}");
        assert!(
            outcome.stderr.contains("did you mean 'daily-backup'?"),
            "{outcome:?}"
        );
        assert!(outcome.stderr.contains("pakyas check list"), "{outcome:?}");
        assert!(outcome.stderr.contains("pakyas check sync"), "{outcome:?}");
    }
}

#[test]
fn a_check_is_shown_by_its_slug_its_id_or_its_public_id() {
    let world = World::new();
    let public_id = world.add("sync", PRODUCTION);
    let home = world.home();
    let by_slug = home.pakyas("check show sync --format json").exits(0).json();
    let id = by_slug["id"].as_str().unwrap();
    for text in [id, &public_id.to_string()] {
        let shown = home
            .run(["check", "show", text, "--format", "json"])
            .exits(0);
        assert_eq!(shown.json(), by_slug);
    }
    home.pakyas("check show sync").exits(0).shows("Ping URL");
}

#[test]
fn the_history_and_the_output_of_a_run_are_shown() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    let logs = home.pakyas("check logs sync").exits(0);
    let rows: Vec<_> = logs.stdout.lines().collect();
    assert_eq!(rows.len(), 3, "{logs:?}");
    for part in [
        "fail",
        "2026-01-02 03:04:05 UTC",
        "12.3 s",
        " 3 ",
        "run-1",
        "ffff0002",
    ] {
        assert!(rows[1].contains(part), "{part}: {logs:?}");
    }
    for wanted in ["ffff0002", "last"] {
        let output = home
            .run(["check", "logs", "sync", "--output", wanted])
            .exits(0);
        assert_eq!(output.stdout, "disk full\n");
    }
    home.pakyas("check logs sync --output ffff0001").exits(3);
    home.pakyas("check logs sync --limit 0").exits(2);
}

#[test]
fn an_unknown_project_is_told_with_those_that_there_are() {
    let world = World::new();
    world
        .home()
        .pakyas("project switch Staging")
        .exits(3)
        .says("Project not found")
        .says("Production, CI Tests");
}

#[test]
fn a_new_project_can_be_switched_to_by_what_create_says() {
    let world = World::new();
    let created = world.home().run(["project", "create", "CI Tests"]).exits(0);
    assert!(
        created.stderr.contains("pakyas project switch ci-tests"),
        "{created:?}"
    );
}

#[test]
fn a_channel_is_created_listed_and_tested() {
    let world = World::new();
    let home = world.home();
    home.pakyas("channel create --kind webhook --name ops --target https://example.com/hook --secret s3cret")
        .exits(0)
        .says("pakyas channel test");
    let sent = world.stub.to("/channels").pop().unwrap();
    let sent: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(sent["secret"], "s3cret");
    assert_eq!(sent["project_id"], serde_json::Value::Null);
    home.pakyas("channel list").exits(0).shows("ops");
    home.pakyas("channel test OPS")
        .exits(1)
        .shows("answered with 500")
        .shows("out of order");
    home.pakyas("channel test nobody").exits(3).says("ops");
}

#[test]
fn a_channel_that_can_go_nowhere_is_refused_before_anything_is_sent() {
    let world = World::new();
    let home = world.home();
    for (kind, target) in [
        ("webhook", "example.com"),
        ("pigeon", "https://a"),
        ("email", "a b"),
    ] {
        home.run([
            "channel", "create", "--kind", kind, "--name", "x", "--target", target,
        ])
        .exits(2);
    }
    assert!(world.stub.received().is_empty());
}

#[test]
fn help_is_asked_for_and_given_on_stdout() {
    let home = Home::new();
    home.pakyas("--help").exits(0).shows("Usage: pakyas ");
    home.pakyas("check create --help")
        .exits(0)
        .shows("Examples:");
    home.pakyas("help ping")
        .exits(0)
        .shows("Usage: pakyas ping ");
    home.pakyas("--version").exits(0).shows("pakyas ");
    assert_eq!(home.pakyas("").exits(2).says("Usage: pakyas ").stdout, "");
}

#[test]
fn a_format_that_is_none_is_a_usage_error() {
    let world = World::new();
    world
        .home()
        .pakyas("check list --format yaml")
        .exits(2)
        .says("ndjson");
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let world = World::new();
    for number in 0..400 {
        world.add(&format!("check-{number}"), PRODUCTION);
    }
    let home = world.home();
    let mut child = home
        .command()
        .args(["check", "list", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_full_disk_under_stdout_is_told() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let outcome = outcome(home.command().args(["check", "list"]).stdout(full));
    outcome.exits(1).says("standard output");
}

#[test]
fn no_colour_and_no_control_character_reaches_a_pipe() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let outcome = world.home().pakyas("check list").exits(0);
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome:?}");
}

#[test]
fn all_lists_every_project_and_status_and_tag_choose() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    world.add("tests", CI_TESTS);
    let home = world.home();
    home.pakyas("check list --all")
        .exits(0)
        .shows("PROJECT")
        .shows("CI Tests")
        .shows("sync");
    let slugs = |line: &str| {
        let listed = home.pakyas(line).exits(0);
        listed.stdout.lines().skip(1).count()
    };
    assert_eq!(slugs("check list --all --status new"), 2);
    assert_eq!(slugs("check list --all --status up,NEW"), 2);
    assert_eq!(slugs("check list --status up --status new"), 1);
    let none = home.pakyas("check list --status down").exits(0);
    assert_eq!(none.stdout, "");
    assert!(none.stderr.contains("None of the 1 checks"), "{none:?}");
    assert_eq!(slugs("check list --tag nightly"), 0);
    home.pakyas("check list --status dwon")
        .exits(2)
        .says("overrunning");
    home.pakyas("check list --all --project production")
        .exits(2);
    // With --all no project need be chosen.
    let home = home.with("PAKYAS_PROJECT", "");
    home.pakyas("check list --all --format json")
        .exits(0)
        .shows("tests");
}

#[test]
fn sync_tells_how_much_it_learned() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    let told = home.pakyas("check sync").exits(0);
    assert_eq!(told.stdout, "");
    assert_eq!(told.stderr, "The cache knows 1 check in 2 projects now\n");
    let json = home.pakyas("check sync --format json --quiet").exits(0);
    assert_eq!(json.json()["checks"], 1);
    assert_eq!(json.stderr, "");
}

#[test]
fn times_are_local_but_with_utc_and_in_json() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home().with("TZ", "XYZ-05:30");
    home.pakyas("check logs sync")
        .exits(0)
        .shows("2026-01-02 08:34:05 +05:30");
    home.pakyas("check logs sync --utc")
        .exits(0)
        .shows("2026-01-02 03:04:05 UTC");
    home.pakyas("check show sync --format json")
        .exits(0)
        .shows("2026-01-02T03:04:05Z");
}
