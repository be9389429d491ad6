//! What a person is told: what happened, to what, and what to do about it.

use crate::support::home::{Home, outcome};
use crate::support::stub::{Reply, Stub};
use crate::support::world::{KEY, PRODUCTION, World, refusal};

const ID: &str = "550e8400-e29b-41d4-a716-446655440000";

#[test]
fn logout_forgets_the_key_of_the_organization_that_was_named() {
    let world = World::new();
    let home = world.home_logged_in();
    let stored = home.read("credentials.json");
    let mut value: serde_json::Value = serde_json::from_str(&stored).unwrap();
    let mut theirs = value["keys"][0].clone();
    theirs["org_id"] = "00000000-0000-0000-0000-0000000000ff".into();
    theirs["org_name"] = "Company B".into();
    value["keys"].as_array_mut().unwrap().push(theirs);
    home.write("credentials.json", &value.to_string());
    home.run(["logout", "--org", "Company C"])
        .exits(3)
        .says("There are keys for: My Company, Company B");
    let home = home.with("PAKYAS_ORG", "nobody");
    home.pakyas("logout").exits(3);
    home.run(["logout", "--org", "company b"])
        .exits(0)
        .says("Logged out of the organization 'Company B'");
    let home = home.with("PAKYAS_ORG", "");
    home.pakyas("whoami").exits(0).shows("My Company");
    home.pakyas("logout").exits(0).says("'My Company'");
    home.pakyas("logout").exits(5).says("Not logged in");
    home.run(["logout", "--org", "Company B"]).exits(3);
}

#[test]
fn a_home_that_is_missing_is_what_is_told() {
    for home in [None, Some("/nonexistent")] {
        let run = |line: &str| {
            let mut command = Home::new().command();
            match home {
                Some(path) => command.env("HOME", path),
                None => command.env_remove("HOME"),
            };
            outcome(command.args(line.split_whitespace()))
        };
        for line in ["check list", "whoami", "logout", "ping job"] {
            let told = run(line).exits(5).says("HOME is not set or not there");
            assert!(!told.stderr.contains("pakyas login"), "{told:#?}");
        }
        run("monitor x -- true")
            .exits(0)
            .says("HOME is not set or not there");
    }
}

#[test]
fn an_address_without_the_api_is_told_to_be_none() {
    let stub = Stub::new(|_| {
        refusal(
            404,
            "There is no check with this id; is the ping URL right?",
        )
    });
    let url = format!("{}/foo", stub.url());
    Home::new()
        .run(["login", "--api-key", KEY, "--api-url", &url])
        .exits(3)
        .says(&format!("There is no Pakyas API at {url}. "))
        .says("--api-url");
}

#[test]
fn the_command_that_logs_in_names_the_server_that_was_asked() {
    Home::new()
        .pakyas("check list --api-url http://127.0.0.1:1")
        .exits(5)
        .says("Run: pakyas login --api-url http://127.0.0.1:1 --api-key KEY");
}

#[test]
fn a_key_that_is_given_and_not_taken_says_nothing_of_being_logged_out() {
    let world = World::new();
    let home = world.home_logged_in();
    let url = world.url();
    for line in ["auth key set foo", "login --api-key foo"] {
        let told = home.pakyas(line).exits(5);
        assert_eq!(
            told.stderr,
            format!(
                "The server {url} does not take the API key, the one given: The key is not known. \
                 To log in without one: pakyas login\n"
            )
        );
    }
    for line in [
        &["auth", "key", "set", "two words"][..],
        &["login", "--api-key", "two words"],
    ] {
        home.run(line)
            .exits(5)
            .says("What was given is not an API key");
    }
    home.pakyas("whoami").exits(0);
}

#[test]
fn keeping_the_key_in_use_anew_does_not_tell_to_switch_to_it() {
    let world = World::new();
    let home = world.home_logged_in();
    std::fs::write(home.path().join("key"), KEY).unwrap();
    let line = format!("auth key set file:{}", home.path().join("key").display());
    let told = home.pakyas(&line).exits(0);
    assert_eq!(told.stderr, "Kept the key for 'My Company'\n");
    let other = Home::at(&world.url());
    other
        .pakyas(&line)
        .exits(0)
        .says("To use that organization: pakyas org switch \"My Company\"");
}

#[test]
fn a_key_that_is_not_there_is_told_with_where_it_was_to_be() {
    let home = Home::at("http://127.0.0.1:9");
    let told = home.pakyas("auth key set").exits(2);
    let told = told.says("There is no key on standard input");
    assert!(!told.stderr.contains("pakyas login"), "{told:#?}");
    for (line, told) in [
        (
            "login --api-key file:/nope",
            "--api-key: can't read the file /nope",
        ),
        (
            "login --api-key file:",
            "--api-key: no file is named after 'file:'",
        ),
        ("auth key set file:/nope", "KEY: can't read the file /nope"),
        (
            "channel create --kind webhook --name x --target file:/nope",
            "--target: can't read the file /nope",
        ),
        (
            "channel create --kind webhook --name x --target http://a --secret file:/nope",
            "--secret: can't read the file /nope",
        ),
    ] {
        let outcome = home.pakyas(line).exits(2);
        assert!(outcome.stderr.starts_with(told), "{line}: {outcome:#?}");
    }
    for (value, told) in [
        ("file:", "PAKYAS_API_KEY: no file is named after 'file:'"),
        ("file:/nope", "PAKYAS_API_KEY: can't read the file /nope"),
    ] {
        let home = Home::new().with("PAKYAS_API_KEY", value);
        home.pakyas("whoami").exits(5).says(told);
    }
}

#[test]
fn a_maintenance_window_that_is_over_is_refused_before_anything_is_sent() {
    let world = World::new();
    let home = world.home();
    let create = "maintenance create --reason x --starts";
    for when in [
        "2020-01-01T00:00Z --for 2h",
        "2020-01-01T00:00Z --ends 2020-01-01T02:00Z",
    ] {
        home.pakyas(&format!("{create} {when}"))
            .exits(2)
            .says("It ended already");
    }
    assert!(world.stub.received().is_empty());
}

#[test]
fn a_dry_run_of_a_cron_expression_says_what_was_not_asked() {
    let world = World::new();
    let home = world.home();
    let dry = |cron: &str| {
        home.run([
            "check",
            "create",
            "x",
            "--dry-run",
            "--tz",
            "Asia/Manilla",
            "--cron",
            cron,
        ])
    };
    dry("61 * * * *").exits(2).says("the minute '61' is wrong");
    dry("@fortnightly").exits(2).says("such as @daily");
    dry("0 2 * * *")
        .exits(0)
        .says("the server has not been asked whether it takes the schedule");
    let told = home.pakyas("check create x --dry-run --period 1h").exits(0);
    assert!(!told.stderr.contains("has not been asked"), "{told:#?}");
}

#[test]
fn a_zone_for_a_check_with_a_period_is_refused() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    home.pakyas("check update sync --tz Europe/Berlin")
        .exits(2)
        .says("--tz goes with --cron");
    assert!(world.questions().iter().all(|line| line.starts_with("GET")));
    home.run([
        "check",
        "update",
        "sync",
        "--tz",
        "Europe/Berlin",
        "--cron",
        "0 2 * * *",
    ])
    .exits(0);
}

#[test]
fn the_output_of_a_run_is_json_where_json_is_wanted() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    for format in ["json", "ndjson"] {
        let line = format!("check logs sync --output last --format {format}");
        let shown = home.pakyas(&line).exits(0).json();
        assert_eq!(shown["output"], "disk full\n");
        assert_eq!(shown["ping_id"], "ffff0002-0000-0000-0000-000000000000");
    }
}

#[test]
fn a_check_that_is_not_there_is_told_with_where_it_was_looked_for() {
    let world = World::new();
    let home = world.home_logged_in();
    home.pakyas("check show x")
        .exits(3)
        .says("there is no check 'x' in the project 'Production' of the organization 'My Company'");
    home.pakyas("project default --clear").exits(0);
    home.pakyas("check show x")
        .exits(3)
        .says("there is no check 'x' in the organization 'My Company'");
}

#[test]
fn a_slug_that_is_taken_is_told_with_its_project() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    world
        .home_logged_in()
        .pakyas("check create sync --period 1h")
        .exits(1)
        .says("(in the project 'Production' of the organization 'My Company')");
}

#[test]
fn help_is_a_word_of_each_command_that_has_others() {
    let home = Home::new();
    for line in ["check help", "help check", "auth key help"] {
        let asked = home.pakyas(line).exits(0);
        let command = line.replace("help", "");
        assert_eq!(
            asked.stdout,
            home.pakyas(&format!("{command} --help")).stdout
        );
    }
}

#[test]
fn where_nothing_says_which_server_it_is_the_variable_is_named() {
    // A proxy that refuses keeps this test off the network.
    let proxy = Stub::new(|_| Reply::Raw(b"HTTP/1.1 403 No\r\n\r\n".to_vec()));
    Home::new()
        .with("HTTPS_PROXY", &proxy.url())
        .run([
            "monitor",
            "--public_id",
            ID,
            "--ping-timeout",
            "1s",
            "--",
            "true",
        ])
        .exits(0)
        .says("Can't reach https://ping.pakyas.com")
        .says("PAKYAS_PING_URL");
}

#[test]
fn a_command_in_quotes_as_a_whole_is_told_so() {
    let told = Home::at("http://127.0.0.1:9")
        .run([
            "monitor",
            "--public_id",
            ID,
            "--ping-timeout",
            "1s",
            "--",
            "echo hi",
        ])
        .exits(127)
        .says("without the quotes");
    assert!(told.stderr.contains("'echo hi'"), "{told:#?}");
}

#[test]
fn a_spool_that_can_not_be_written_is_told_once_in_a_run() {
    let home = Home::at("http://127.0.0.1:9").with("PAKYAS_SPOOL_DIR", "/dev/null/spool");
    let told = home
        .run([
            "monitor",
            "--public_id",
            ID,
            "--ping-timeout",
            "1s",
            "--",
            "true",
        ])
        .exits(0);
    assert_eq!(
        told.stderr.matches("can't keep a ping").count(),
        1,
        "{told:#?}"
    );
}
