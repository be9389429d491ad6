//! The official client 0.1.8 beside this one: its command lines, its files in the same directory,
//! and what it is not followed in.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::home::Home;
use crate::support::programs::pakyas;
use crate::support::stub::Reply;
use crate::support::world::{CI_TESTS, KEY, ORG, PRODUCTION, World};

/// Its flags that have no effect here, each as it is typed.
const IDLE: &[&str] = &[
    "--no-external",
    "--external-timeout-ms 5000",
    "--migration-mode",
    "--healthchecks-id 550e8400-e29b-41d4-a716-446655440000",
    "--healthchecks-endpoint https://hc.example.com",
    "--cronitor-key k",
    "--cronitor-api-key k",
    "--cronitor-monitor m",
    "--cronitor-endpoint https://cronitor.example.com",
    "--webhook-url https://example.com/hook",
    "--debug-http",
    "--time relative",
];

/// Its flags that ask for what is done anyway, or have an effect.
const SILENT: &[&str] = &[
    "--no-update-check",
    "--ignore-env",
    "--plain",
    "--display-tz local",
    "--display-tz utc",
];

/// A home whose shell knows the program as `$PAKYAS`.
fn home_with_program(world: &World) -> Home {
    let program = pakyas();
    world.home().with("PAKYAS", program.to_str().unwrap())
}

fn flag(typed: &str) -> &str {
    typed.split(' ').next().unwrap()
}

#[test]
fn every_flag_of_the_official_client_lets_the_job_run_and_is_said_to_have_no_effect() {
    let world = World::new();
    let home = home_with_program(&world);
    let id = world.add("job", PRODUCTION);
    for typed in IDLE.iter().chain(SILENT) {
        for form in [(*typed).to_owned(), typed.replacen(' ', "=", 1)] {
            let ran = home.shell(&format!(
                "$PAKYAS monitor {form} --public_id {id} -- sh -c 'echo ran; exit 7'"
            ));
            assert_eq!((ran.code, ran.stdout.as_str()), (7, "ran\n"), "{ran:#?}");
            let said = format!("pakyas: {} has no effect here\n", flag(typed));
            match IDLE.contains(typed) {
                true => assert_eq!(ran.stderr, said, "{typed}"),
                false => assert_eq!(ran.stderr, "", "{typed}"),
            }
        }
        home.pakyas(&format!("ping job {typed}"))
            .exits(if *typed == "--ignore-env" { 5 } else { 0 });
        home.pakyas(&format!("{typed} check list"))
            .exits(if *typed == "--ignore-env" { 5 } else { 0 });
    }
    let all = home.pakyas(&format!("check list {}", IDLE.join(" ")));
    all.exits(0)
        .says("--debug-http, --time have no effect here\n");
    let quiet = home.pakyas("check list --no-external --quiet").exits(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn with_ignore_env_the_stored_key_is_used() {
    let world = World::new();
    let home = world
        .home_logged_in()
        .with("PAKYAS_API_KEY", "pk_live_of_nobody");
    home.pakyas("whoami").exits(5);
    home.pakyas("whoami --ignore-env")
        .exits(0)
        .shows("My Company");
}

#[test]
fn capital_v_prints_the_version_and_display_tz_utc_shows_times_in_utc() {
    let world = World::new();
    let home = world.home().with("TZ", "Asia/Manila");
    let version = home.pakyas("-V").exits(0).stdout;
    assert_eq!(version, home.pakyas("--version").exits(0).stdout);
    world.add("job", PRODUCTION);
    let in_utc = home.pakyas("check logs job --utc").exits(0).stdout;
    assert_eq!(
        home.pakyas("check logs job --display-tz utc").stdout,
        in_utc
    );
    assert_ne!(
        home.pakyas("check logs job --display-tz local").stdout,
        in_utc
    );
    home.pakyas("check logs job --display-tz mars")
        .exits(2)
        .says("--display-tz takes local or utc, not 'mars'");
}

/// What was sent last with this method.
fn sent(world: &World, method: &str) -> Value {
    let received = world.stub.received();
    let last = received.iter().rfind(|request| request.method == method);
    serde_json::from_slice(&last.unwrap().body).unwrap()
}

#[test]
fn its_other_names_for_flags_mean_what_they_mean_there() {
    let world = World::new();
    let home = world.home();
    let created = home
        .run([
            "check",
            "create",
            "job",
            "--schedule",
            "0 2 * * *",
            "--json",
        ])
        .exits(0)
        .json();
    assert_eq!(created["cron_expression"], "0 2 * * *");
    let line = "check update job -y --alert-after-failures 3 --missed-before-alert 2";
    home.run(line.split(' ').chain(["--schedule", "@daily"]))
        .exits(0);
    let changed = sent(&world, "PUT");
    assert_eq!(changed["cron_expression"], "@daily");
    assert_eq!(changed["alert_after_fail_pings"], 3);
    assert_eq!(changed["alert_after_miss_pings"], 2);
    home.pakyas("check update job --yes --grace 5m").exits(0);
    home.run(["project", "create", "--name", "Night Jobs"])
        .exits(0);
    assert_eq!(sent(&world, "POST")["name"], "Night Jobs");
    home.run(["org", "switch", "My Company", "--no-prompt"])
        .exits(0);
    home.pakyas("api-key create ci -s read --expires 30")
        .exits(3);
    let asked = sent(&world, "POST");
    assert_eq!(
        (&asked["scopes"], &asked["expires_in_days"]),
        (&json!(["read"]), &json!(30))
    );
    home.run(["auth", "key", "set", "--key", KEY]).exits(0);
    home.pakyas("auth key rm --yes")
        .exits(0)
        .says("Forgot the key");
}

#[test]
fn tail_shows_as_many_as_its_limit_says() {
    let world = World::but(|request| {
        let is_events = request.path.contains("/events?");
        let limit = request.path.split("limit=").nth(1)?.split('&').next()?;
        let events: Vec<Value> = (0..limit.parse::<u64>().ok()?)
            .map(|id| {
                json!({"id": 100 - id, "event_type": "run_finished", "source": "ping",
                       "occurred_at": "2026-01-02T03:04:05Z", "payload": {},
                       "effective_at": "2026-01-02T03:04:05Z", "from_status": null,
                       "to_status": null, "summary": "A run ended in success"})
            })
            .collect();
        let page = json!({"events": events, "next_cursor": null, "has_more": false});
        is_events.then(|| Reply::json(200, &page))
    });
    world.add("job", PRODUCTION);
    let home = world.home();
    let lines = |line: &str| home.pakyas(line).exits(0).stdout.lines().count();
    assert_eq!(lines("check tail job --limit 3"), 3);
    assert_eq!(lines("check tail job --limit 3 --since 2d"), 3);
    assert_eq!(lines("check tail job"), 20);
    home.pakyas("check tail job --limit 0").exits(2);
}

#[test]
fn logs_read_ids_that_are_integers_and_find_the_output_by_one() {
    let world = World::but(|request| {
        let ping = |id: u64| {
            json!({"id": id, "type": "fail", "exit_code": 3, "has_body": true,
                   "created_at": "2026-01-02T03:04:05Z", "received_at": "2026-01-02T03:04:05Z",
                   "duration_ms": 1, "run_id": null, "source_ip": null, "user_agent": null,
                   "cpu_ms": null, "max_rss_kb": null})
        };
        let page = json!({"total": 2, "pings": [ping(1234567890), ping(1234567)]});
        let is_page = request.path.contains("/pings?");
        is_page.then(|| Reply::json(200, &page))
    });
    world.add("job", PRODUCTION);
    let home = world.home();
    home.pakyas("check logs job")
        .exits(0)
        .shows("1234567890")
        .shows("1234567\n");
    home.pakyas("check logs job --output 1234567")
        .exits(0)
        .shows("disk full");
    assert_eq!(world.stub.to("/pings/1234567/body").len(), 1);
    // A beginning is enough of a text only: 123 is another ping's number.
    home.pakyas("check logs job --output 12345").exits(3);
}

#[test]
fn doctor_exits_1_at_an_error_and_never_with_fail_on_never() {
    let world = World::but(|request| {
        let body = json!({"check_id": Uuid::nil(), "check_name": "job", "deep": false,
            "analyzed_at": "2026-01-02T03:04:05Z", "status": "critical", "summary": "It is down.",
            "findings": [{"code": "down", "severity": "error", "title": "Down",
                          "description": "d", "details": {}, "suggested_actions": []}]});
        let is_doctor = request.path.contains("/doctor");
        is_doctor.then(|| Reply::json(200, &body))
    });
    world.add("job", PRODUCTION);
    let home = world.home();
    home.pakyas("check doctor job").exits(1);
    home.pakyas("check doctor job --format json").exits(1);
    home.pakyas("check doctor job --fail-on never").exits(0);
}

/// Runs a job with these words before the `--`; what it is reported with.
fn job_with(world: &World, words: &str, job: &str) -> (i32, String, String) {
    let ran = home_with_program(world).shell(&format!("$PAKYAS monitor {words} -- sh -c '{job}'"));
    assert_eq!(ran.stdout, "ran\n", "{ran:#?}");
    let body = world.pings().pop().map_or_else(Vec::new, |ping| ping.body);
    (ran.code, ran.stderr, String::from_utf8(body).unwrap())
}

#[test]
fn a_flag_that_nobody_knows_is_told_in_a_line_and_in_the_record_and_the_job_runs() {
    let world = World::new();
    let id = world.add("job", PRODUCTION);
    for words in [
        "--frobnicate job",
        "job --frobnicate",
        "--frobnicate=x job",
        // Its value is no slug.
        "--frobnicate x job",
        "job --frobnicate x",
        "--public-id ID --frobnicate x",
        "-x job",
        "--frobnicate --public-id ID",
        // Nor are wrong values a reason.
        "job --capture most",
        "job --timeout soon",
        "job --timeout 0",
        "job --kill-after soon",
        "job --ping-timeout soon",
        "job --format yaml",
        "job --no-output=yes",
        "job --timeout 1h --timeout 2h",
        "job --timeout",
        "job extra",
        "job --public-id ID",
    ] {
        for code in [0, 7] {
            let words = words.replace("ID", &id.to_string());
            let job = format!("echo ran; exit {code}");
            let (exit_code, said, body) = job_with(&world, &words, &job);
            assert_eq!(exit_code, code, "{words}: {said}");
            assert_eq!(said.lines().count(), 1, "{words}: {said}");
            assert!(said.starts_with("pakyas: "), "{words}: {said}");
            assert!(
                said.ends_with("(the job runs without it)\n"),
                "{words}: {said}"
            );
            let recorded = body.lines().next().unwrap_or_default();
            assert!(recorded.starts_with("pakyas left out: "), "{words}: {body}");
            let last = world.pings().pop().unwrap();
            assert_eq!(last.path, format!("/{id}/{code}"), "{words}");
        }
    }
}

#[test]
fn what_stands_before_the_word_monitor_does_not_stop_the_job_either() {
    let world = World::new();
    let id = world.add("job", PRODUCTION);
    for words in ["--frobnicate", "--frobnicate x"] {
        let home = home_with_program(&world);
        let ran = home.shell(&format!("$PAKYAS {words} monitor {id} -- echo ran"));
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "ran\n"), "{ran:#?}");
    }
    // Where there is no job, a mistake is one.
    world.home().pakyas("--frobnicate check list -- x").exits(2);
}

#[test]
fn the_value_of_a_flag_that_nobody_knows_is_not_shown() {
    let world = World::new();
    world.add("job", PRODUCTION);
    for words in [
        "--token s3cret job",
        "--token=s3cret job",
        "job --token s3cret",
    ] {
        let (_, said, body) = job_with(&world, words, "echo ran");
        assert!(said.contains("--token") && body.contains("--token"));
        assert!(
            !said.contains("s3cret") && !body.contains("s3cret"),
            "{said}{body}"
        );
    }
}

#[test]
fn a_job_without_a_check_runs_and_that_is_told() {
    let world = World::new();
    let (code, said, _) = job_with(&world, "", "echo ran; exit 7");
    assert_eq!(code, 7);
    assert!(said.contains("needs a check"), "{said}");
    assert_eq!(world.pings().len(), 0);
}

#[test]
fn with_strict_a_flag_that_nobody_knows_is_a_usage_error() {
    let world = World::new();
    world.add("job", PRODUCTION);
    for words in [
        "job --strict --frobnicate",
        "--frobnicate job --strict",
        "job --capture most --strict",
        "job --format yaml --strict",
        "--strict",
    ] {
        let line = format!("monitor {words} -- echo ran");
        let refused = world.home().pakyas(&line).exits(2);
        assert_eq!(refused.stdout, "", "{line}");
    }
}

#[test]
fn its_variables_api_url_and_ping_url_stay_unread() {
    let world = World::new();
    let id = world.add("job", PRODUCTION);
    let home = world
        .home()
        .with("API_URL", "http://127.0.0.1:9")
        .with("PING_URL", "http://127.0.0.1:9");
    home.pakyas("check list").exits(0).shows("job");
    home.pakyas("ping job").exits(0);
    home.pakyas("monitor job -- true").exits(0);
    assert_eq!(world.pings().len(), 3);
    assert!(
        world
            .pings()
            .iter()
            .all(|ping| ping.path.contains(&id.to_string()))
    );
}

#[test]
fn its_config_toml_is_read_where_there_is_no_config_json() {
    let world = World::new();
    world.add("job", CI_TESTS);
    let home = Home::new().with("PAKYAS_API_KEY", KEY);
    let toml = format!(
        "api_url = \"{}\"\nping_url = \"{}\"\nactive_org_id = \"{ORG}\"\n\
         active_org_name = \"My Company\"\nactive_project_id = \"{CI_TESTS}\"\n\
         active_project_name = \"CI Tests\"\nformat = \"json\"\ncolor = true\n",
        world.url(),
        world.url()
    );
    home.write("config.toml", &toml);
    let list = home.pakyas("check list").exits(0).json();
    assert_eq!(list[0]["slug"], "job");
    home.pakyas("ping job").exits(0);
    // What is chosen here is kept here, with what was there.
    home.pakyas("project switch Production").exits(0);
    let config: Value = serde_json::from_str(&home.read("config.json")).unwrap();
    assert_eq!(config["api_url"], world.url());
    assert_eq!(config["format"], "json");
    assert_eq!(home.read("config.toml"), toml);
    // From then on ours alone counts.
    home.write("config.toml", "api_url = \"http://127.0.0.1:9\"\n");
    assert_eq!(home.pakyas("check list").exits(0).json(), json!([]));
}

#[test]
fn an_address_in_its_config_toml_that_is_none_is_told_to_stand_there() {
    let home = Home::new().with("PAKYAS_API_KEY", KEY);
    home.write("config.toml", "api_url = \"not an address\"\n");
    home.pakyas("check list").exits(2).says("config.toml");
}

/// The official client's file as it writes it.
fn their_credentials() -> Value {
    json!({"version": 2, "orgs": {"7f0a2b1e-0000-4000-8000-000000000000": {
        "api_key": "pk_live_of_the_other_client", "label": "web-1",
        "added_at": "2026-01-02T03:04:05Z"}}, "legacy_api_key": "pk_live_older"})
}

#[test]
fn neither_client_loses_the_keys_of_the_other() {
    let world = World::new();
    let home = Home::new();
    home.write("credentials.json", &their_credentials().to_string());
    home.run(["login", "--api-key", KEY, "--api-url", &world.url()])
        .exits(0);
    // Ours keeps theirs.
    let stored: Value = serde_json::from_str(&home.read("credentials.json")).unwrap();
    for field in ["version", "orgs", "legacy_api_key"] {
        assert_eq!(stored[field], their_credentials()[field]);
    }
    // Theirs drops ours whenever it writes, and ours is still there.
    home.write("credentials.json", &their_credentials().to_string());
    home.pakyas("whoami").exits(0).shows("My Company");
    // A logout of theirs deletes the file.
    std::fs::remove_file(home.file("credentials.json")).unwrap();
    home.pakyas("whoami").exits(0).shows("My Company");
    // A logout of ours takes our key alone, from everywhere.
    home.write("credentials.json", &their_credentials().to_string());
    home.pakyas("logout").exits(0);
    for file in ["credentials.json", "keys.json"] {
        assert!(!home.read(file).contains(KEY), "{file}");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(home.file(file)).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(
        home.read("credentials.json")
            .contains("pk_live_of_the_other_client")
    );
    home.pakyas("whoami").exits(5);
}

#[test]
fn its_key_of_no_organization_is_forgotten_with_legacy() {
    let home = Home::new();
    home.write("credentials.json", &their_credentials().to_string());
    home.pakyas("auth key rm --legacy").exits(0).says("Forgot");
    let stored = home.read("credentials.json");
    assert!(!stored.contains("pk_live_older"), "{stored}");
    assert!(stored.contains("pk_live_of_the_other_client"), "{stored}");
    home.pakyas("auth key rm --legacy")
        .exits(0)
        .says("There is no key");
}

#[test]
fn the_cache_is_one_that_the_official_client_reads_and_keeps_what_it_put_there() {
    let world = World::new();
    world.add("job", PRODUCTION);
    let home = world.home();
    home.pakyas("check sync").exits(0);
    let cache: Value = serde_json::from_str(&home.read("cache/checks.json")).unwrap();
    assert!(cache["projects"].is_object(), "{cache}");
    let theirs = json!({PRODUCTION.to_string(): {"other": {
        "public_id": Uuid::from_u128(1), "check_id": Uuid::from_u128(2), "name": "Other",
        "cached_at": "2026-01-02T03:04:05Z"}}});
    // As that client writes it: nothing of ours is left.
    home.write(
        "cache/checks.json",
        &json!({ "projects": theirs }).to_string(),
    );
    home.pakyas("ping job").exits(0);
    let cache: Value = serde_json::from_str(&home.read("cache/checks.json")).unwrap();
    assert_eq!(cache["projects"], theirs);
    // And ours works without a question more.
    let before = world.questions().len();
    home.pakyas("ping job").exits(0);
    assert_eq!(world.questions().len(), before);
}
