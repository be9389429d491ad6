//! The two real programs together: what a person types, from the first login to an alert.

use crate::support;
use crate::support::home::Home;
use crate::support::hook::{Delivered, Hook};
use crate::support::programs::pakyas;
use crate::support::server::Server;
use crate::support::stub::{Reply, Stub};
use serde_json::{Value, json};

const NONE: Value = Value::Null;

/// A home that is logged in to the server and uses its project.
fn logged_in(server: &Server) -> Home {
    let home = Home::new();
    home.run(["login", "--api-key", &server.key, "--api-url", &server.url])
        .exits(0);
    home.pakyas("project switch production").exits(0);
    home
}

#[test]
fn the_guides_first_time_setup_goes_as_it_is_written() {
    let server = Server::start();
    let home = Home::new();
    home.run(["login", "--api-url", &server.url, "--api-key", &server.key])
        .exits(0);
    home.pakyas("org list").exits(0).shows("Acme");
    home.run(["org", "switch", "acme"]).exits(0);
    home.pakyas("project list").exits(0).shows("Production");
    home.run(["project", "switch", "Production"]).exits(0);
    let whoami = home.pakyas("whoami").exits(0);
    assert_eq!(
        whoami.stdout,
        "User: me@example.com\nOrganization: Acme\nProject: Production\n"
    );
    home.run([
        "check",
        "create",
        "--name",
        "My First Check",
        "--slug",
        "my-first-check",
    ])
    .exits(2)
    .says("--period");
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
    .exits(0);
    let pong = home.pakyas("ping my-first-check").exits(0);
    assert_eq!(
        pong.stdout,
        "Pong! Check 'my-first-check' pinged successfully\n"
    );
    let shown = home
        .pakyas("check show my-first-check --format json")
        .exits(0)
        .json();
    assert_eq!(shown["status"], "up");
    assert_eq!(shown["period_seconds"], 3600);
    assert_eq!(shown["grace_seconds"], 300);
    let list = home.pakyas("check list --format=json").exits(0).json();
    assert_eq!(list, server.api("GET", "/checks", None).json());
}

#[test]
fn the_four_pings_arrive_as_what_they_are() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3600, 300, &NONE);
    for (flags, kind, code, status) in [
        ("--start", "start", json!(null), "new"),
        ("", "success", json!(null), "up"),
        ("--fail", "fail", json!(null), "down"),
        ("--exit-code 0", "success", json!(0), "up"),
        ("--exit-code 7", "fail", json!(7), "down"),
    ] {
        home.pakyas(&format!("ping job {flags}"))
            .exits(0)
            .shows("Pong! Check 'job'");
        let newest = server.history(&check).remove(0);
        assert_eq!(
            (&newest["type"], &newest["exit_code"]),
            (&json!(kind), &code),
            "{flags}"
        );
        assert_eq!(server.show(&check)["status"], status, "{flags}");
        assert!(
            newest["user_agent"]
                .as_str()
                .unwrap()
                .starts_with("pakyas/")
        );
    }
    home.pakyas("ping job --exit-code 256").exits(2);
    assert_eq!(server.history(&check).len(), 5);
}

#[test]
fn a_monitored_job_is_in_the_history_with_its_start_its_end_and_its_output() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3600, 300, &NONE);
    let run = home
        .run(["monitor", "job", "--", "sh", "-c", "echo out; echo err >&2"])
        .exits(0);
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("out\n", "err\n")
    );
    let history = server.history(&check);
    assert_eq!(history.len(), 2);
    assert_eq!(history[0]["type"], "success");
    assert_eq!(history[1]["type"], "start");
    assert_eq!(history[0]["run_id"], history[1]["run_id"]);
    assert!(history[0]["duration_ms"].as_u64().is_some());
    assert_eq!(history[0]["has_body"], false);

    let run = home
        .run([
            "monitor",
            "job",
            "--",
            "sh",
            "-c",
            "echo no space left >&2; exit 3",
        ])
        .exits(3);
    assert_eq!(run.stderr, "no space left\n");
    let failed = server.history(&check).remove(0);
    assert_eq!(
        (&failed["type"], &failed["exit_code"]),
        (&json!("fail"), &json!(3))
    );
    assert_eq!(server.output(&check, &failed).body, "no space left\n");
    assert_eq!(server.show(&check)["status"], "down");
    assert_eq!(server.show(&check)["running"], false);
}

#[test]
fn a_public_id_needs_no_key_and_no_configuration() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let id = check["public_id"].as_str().unwrap();
    let home = Home::new().with("PAKYAS_PING_URL", &server.url);
    home.run(["monitor", "--public_id", id, "--", "true"])
        .exits(0);
    home.run(["ping", "--public-id", id]).exits(0);
    let home = home.with("PAKYAS_PUBLIC_ID", id);
    home.run(["monitor", "--", "false"]).exits(1);
    let kinds: Vec<Value> = server
        .history(&check)
        .iter()
        .map(|p| p["type"].clone())
        .collect();
    assert_eq!(kinds, ["fail", "start", "success", "success", "start"]);
    assert!(!home.path().join(".config").exists());
}

#[test]
fn the_guides_crontab_line_with_a_public_id_works_as_it_is_written() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let home = Home::new().with("PAKYAS_PING_URL", &server.url);
    let id = check["public_id"].as_str().unwrap();
    let pakyas = pakyas().display().to_string();
    // The shell fills in the variable before it sets it: what --public_id gets is empty.
    for line in [
        format!("PAKYAS_PUBLIC_ID={id} {pakyas} monitor --public_id \"$PAKYAS_PUBLIC_ID\" -- true"),
        format!("PAKYAS_PUBLIC_ID={id} {pakyas} ping --public_id=\"$PAKYAS_PUBLIC_ID\""),
    ] {
        let before = server.history(&check).len();
        let cron = home.shell(&line).exits(0);
        assert_eq!(cron.stderr, "", "{line}");
        assert!(server.history(&check).len() > before, "{line}");
    }
}

#[test]
fn the_environment_of_a_ci_job_is_enough() {
    let server = Server::start();
    let check = server.check("nightly-build", 86_400, 3_600, &NONE);
    let ci = || {
        Home::new()
            .with("PAKYAS_API_URL", &server.url)
            .with("PAKYAS_API_KEY", &server.key)
    };
    ci().with("PAKYAS_PROJECT", "production")
        .run(["monitor", "nightly-build", "--", "true"])
        .exits(0);
    // As the guide's reusable workflow has it: a key, and no project.
    ci().run(["monitor", "nightly-build", "--", "true"])
        .exits(0);
    assert_eq!(server.history(&check).len(), 4);
}

#[test]
fn an_alert_reaches_the_channel_that_was_created_on_the_command_line() {
    let server = Server::start();
    let home = logged_in(&server);
    let hook = Hook::start();
    home.run([
        "channel", "create", "--kind", "webhook", "--name", "pager", "--target", &hook.url,
        "--secret", "s3cret",
    ])
    .exits(0);
    home.pakyas("channel list").exits(0).shows("pager");
    home.pakyas("channel test pager").exits(0);
    assert_eq!(hook.events(), ["channel.test"]);
    home.pakyas("check create job --period 1h").exits(0);
    home.run([
        "monitor",
        "job",
        "--",
        "sh",
        "-c",
        "echo broken >&2; exit 1",
    ])
    .exits(1);
    let alert = hook.wait(2).remove(1);
    assert_eq!(alert.event(), "check.failed");
    assert_eq!(alert.json()["alert"]["output"], "broken\n");
    assert!(alert.header("x-pakyas-signature").is_some());
}

#[test]
fn bad_input_is_told_with_its_exit_code_and_changes_nothing() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3600, 300, &NONE);
    for (arguments, code, sentence) in [
        (&["ping", "jbo"][..], 3, "Check not found"),
        (&["ping", "Daily Backup"], 2, "slug"),
        (&["ping", "my.job"], 2, "slug"),
        (&["check", "show", "jbo"], 3, "Check not found"),
        (
            &["check", "create", "--slug", "a b", "--period", "60"],
            2,
            "slug",
        ),
        (
            &["check", "create", "--slug", "a.b", "--period", "60"],
            2,
            "slug",
        ),
        (
            &["check", "create", "--slug", "ab", "--period", "0"],
            2,
            "--period",
        ),
        (
            &["check", "create", "--slug", "ab", "--period", "abc"],
            2,
            "--period",
        ),
        (
            &["check", "create", "--slug", "job", "--period", "60"],
            1,
            "slug",
        ),
        (&["project", "switch", "Staging"], 3, "Staging"),
        (&["org", "switch", "Other"], 3, "Other"),
        (&["channel", "test", "nobody"], 3, "nobody"),
    ] {
        let outcome = home.run(arguments).exits(code).says(sentence);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
    }
    let wrong_key = Home::at(&server.url)
        .with("PAKYAS_API_KEY", "pk_live_wrong")
        .with("PAKYAS_PROJECT", "production");
    wrong_key.pakyas("check list").exits(5).says("pakyas login");
    wrong_key
        .pakyas("ping job --strict")
        .exits(5)
        .says("is kept")
        .says("pakyas login");
    Home::new()
        .pakyas("check list")
        .exits(5)
        .says("Not logged in");
    Home::at("http://127.0.0.1:1")
        .with("PAKYAS_API_KEY", &server.key)
        .pakyas("whoami")
        .exits(4)
        .says("http://127.0.0.1:1");
    assert_eq!(
        server
            .api("GET", "/checks", None)
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(server.history(&check).len(), 0);
}

#[test]
fn a_slug_that_the_cache_knows_is_pinged_while_the_api_is_not_asked() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3600, 300, &NONE);
    home.pakyas("check list").exits(0);
    // Only the ping origin answers: the API is somewhere that nobody is.
    let text = home.read("cache/checks.json");
    assert!(
        text.contains(check["public_id"].as_str().unwrap()),
        "{text}"
    );
    home.pakyas("ping job --verbose").exits(0);
    assert_eq!(server.history(&check).len(), 1);
}

#[test]
fn the_output_of_any_run_is_found_by_what_the_table_shows() {
    let server = Server::start();
    let home = logged_in(&server);
    server.check("job", 3600, 300, &NONE);
    for text in ["first", "second", "third"] {
        home.run(["ping", "job", "--fail", "--message", text])
            .exits(0);
    }
    let table = home.pakyas("check logs job").exits(0).stdout;
    let ids: Vec<&str> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().next_back().unwrap())
        .collect();
    for (id, text) in ids.iter().zip(["third", "second", "first"]) {
        let shown = home.run(["check", "logs", "job", "--output", id]).exits(0);
        assert_eq!(shown.stdout, text);
    }
}

#[test]
fn a_ping_that_was_told_late_says_so_in_the_history() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3600, 300, &NONE);
    server.ping_with(&check, "", &[("x-pakyas-age", "3600000")], b"");
    home.pakyas("check logs job")
        .exits(0)
        .shows("1h ago, told 1h later");
}

#[test]
fn a_check_is_changed_paused_resumed_and_deleted_from_the_command_line() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("long-job", 3600, 300, &NONE);
    home.run([
        "check",
        "update",
        "long-job",
        "--grace",
        "30m",
        "--tags",
        "a, b",
        "--max-runtime",
        "2h",
    ])
    .exits(0);
    let after = server.show(&check);
    assert_eq!(after["grace_seconds"], 1800);
    assert_eq!(after["tags"], json!(["a", "b"]));
    assert_eq!(after["max_runtime_seconds"], 7200);
    assert_eq!(after["period_seconds"], 3600);
    home.pakyas("check update long-job").exits(2).says("--help");
    home.pakyas("check update long-job --grace soon")
        .exits(2)
        .says("--grace");

    home.pakyas("check pause long-job").exits(0).says("Paused");
    assert_eq!(server.show(&check)["status"], "paused");
    home.pakyas("check resume long-job")
        .exits(0)
        .says("Resumed");
    assert_eq!(server.show(&check)["status"], "new");

    home.pakyas("check delete long-job").exits(2).says("-y");
    assert_eq!(server.show(&check)["slug"], "long-job");
    home.pakyas("check delete long-job -y")
        .exits(0)
        .says("Deleted");
    home.pakyas("ping long-job")
        .exits(3)
        .says("Check not found");
    home.pakyas("check list --format json").exits(0).shows("[]");
}

#[test]
fn a_new_check_takes_its_thresholds_and_what_else_is_said() {
    let server = Server::start();
    let home = logged_in(&server);
    home.run([
        "check",
        "create",
        "etl",
        "--period",
        "1d",
        "--description",
        "nightly load",
        "--tags",
        "db,nightly",
        "--max-runtime",
        "2h",
        "--alert-after-miss-pings",
        "2",
        "--alert-after-fail-pings",
        "3",
    ])
    .exits(0);
    let check = home.pakyas("check show etl --format json").exits(0).json();
    assert_eq!(check["description"], "nightly load");
    assert_eq!(check["tags"], json!(["db", "nightly"]));
    assert_eq!(check["max_runtime_seconds"], 7200);
    assert_eq!(check["alert_after_miss_pings"], 2);
    assert_eq!(check["alert_after_fail_pings"], 3);
    home.pakyas("check create x --period 1d --alert-after-miss-pings 0")
        .exits(2);
}

#[test]
fn projects_and_channels_are_deleted_only_when_that_is_meant() {
    let server = Server::start();
    let home = logged_in(&server);
    home.pakyas("project create Staging").exits(0);
    home.pakyas("project delete staging").exits(2).says("-y");
    home.pakyas("project delete staging -y").exits(0);
    assert!(
        !home
            .pakyas("project list")
            .exits(0)
            .stdout
            .contains("Staging")
    );
    let in_use = || {
        let config: Value = serde_json::from_str(&home.read("config.json")).unwrap();
        config["projects"].to_string()
    };
    assert!(in_use().contains("Production"), "another one stays in use");
    home.pakyas("project create Next").exits(0);
    home.pakyas("project switch next").exits(0);
    assert!(in_use().contains("Next"));
    home.pakyas("project delete next -y")
        .exits(0)
        .says("pakyas project switch NAME");
    assert!(!in_use().contains("Next"), "{}", in_use());
    home.pakyas("check list").exits(2).says("project");
    home.pakyas("project switch production").exits(0);
    server.webhook("ops", "http://127.0.0.1:9/", None);
    home.pakyas("channel delete ops").exits(2).says("-y");
    home.pakyas("channel delete OPS -y").exits(0);
    assert_eq!(server.api("GET", "/channels", None).json(), json!([]));
}

#[test]
fn who_logs_out_is_asked_to_log_in_again() {
    let server = Server::start();
    let home = logged_in(&server);
    home.pakyas("logout").exits(0).says("Logged out");
    assert!(!home.read("credentials.json").contains(&server.key));
    home.pakyas("whoami").exits(5).says("Not logged in");
    home.pakyas("logout").exits(5);
}

#[test]
fn a_maintenance_window_is_planned_seen_and_called_off() {
    let server = Server::start();
    let home = logged_in(&server);
    let check = server.check("job", 3_600, 300, &NONE);
    let create = |more: &[&str]| {
        let mut line = vec!["maintenance", "create", "--reason", "Database move"];
        line.extend(more);
        home.run(line)
    };
    create(&["--starts", "2026-12-01 22:00", "--for", "1h"])
        .exits(2)
        .says("does not say its time zone");
    create(&["--starts", "now"]).exits(2).says("--for 2h");
    create(&["--starts", "now", "--for", "2h", "--check", "job"])
        .exits(0)
        .says("To call it off: pakyas maintenance delete");
    home.pakyas("maintenance list").exits(0).shows("check job");
    let list = home
        .pakyas("maintenance list --format json")
        .exits(0)
        .json();
    assert_eq!(list[0]["check_id"], check["id"]);
    let id = list[0]["id"].as_str().unwrap();
    home.run(["maintenance", "delete", id]).exits(2).says("-y");
    home.run(["maintenance", "delete", id, "-y"]).exits(0);
    home.run(["maintenance", "delete", id, "-y"]).exits(3);
}

#[test]
fn a_channel_of_one_check_is_made_changed_and_looked_at_on_the_command_line() {
    let server = Server::start();
    let home = logged_in(&server);
    let hook = Hook::start();
    home.pakyas("check create job --period 1h").exits(0);
    home.run([
        "channel", "create", "--kind", "slack", "--name", "chat", "--target", &hook.url, "--check",
        "job",
    ])
    .exits(0);
    home.pakyas("channel list")
        .exits(0)
        .shows("check job")
        .shows("unused");
    home.pakyas("channel deliveries chat")
        .exits(0)
        .says("was not to hear of anything yet");
    home.pakyas("ping job --fail").exits(0);
    hook.wait(1);
    support::wait_for("the delivery", || {
        let told = home.pakyas("channel deliveries CHAT").exits(0);
        told.stdout.contains("delivered").then_some(())
    });
    home.pakyas("channel list").exits(0).shows("delivered");
    home.pakyas("channel update chat").exits(2).says("--help");
    home.pakyas("channel update chat --enable --disable")
        .exits(2);
    home.pakyas("channel update chat --disable").exits(0);
    home.pakyas("channel list").exits(0).shows("disabled");
    home.pakyas("channel deliveries chat --limit 0").exits(2);
}

#[test]
fn a_channel_test_without_words_in_the_answer_ends_well() {
    let server = Server::start();
    let home = logged_in(&server);
    let silent = Stub::new(|_| Reply::text(204, ""));
    server.webhook("quiet", &silent.url(), None);
    let told = home.pakyas("channel test quiet").exits(0);
    assert!(told.stdout.trim_end().ends_with(" ms"), "{told:?}");
    server.webhook("nowhere", "http://127.0.0.1:1/", None);
    home.pakyas("channel test nowhere")
        .exits(1)
        .shows("127.0.0.1");
}
