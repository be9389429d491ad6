//! The files that are kept between commands: damaged, shared, read-only, missing.

use std::os::unix::fs::PermissionsExt;

use crate::support::home::{Home, outcome};
use crate::support::world::{KEY, PRODUCTION, World};

#[test]
fn the_key_is_readable_by_its_owner_alone() {
    let world = World::new();
    let home = world.home_logged_in();
    let mode = |name: &str| home.file(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("credentials.json"), 0o600);
    assert_eq!(mode(""), 0o700);
    assert!(!home.read("config.json").contains(KEY));
    home.pakyas("check sync").exits(0);
    assert!(!home.read("cache/checks.json").contains(KEY));
}

#[test]
fn login_keeps_the_address_of_the_api_and_of_the_pings() {
    let world = World::new();
    let home = world.home_logged_in();
    let config: serde_json::Value = serde_json::from_str(&home.read("config.json")).unwrap();
    assert_eq!(config["api_url"], world.url());
    assert_eq!(config["ping_url"], world.url());
    home.pakyas("whoami").exits(0);
}

#[test]
fn a_damaged_configuration_is_named_and_left_as_it_is() {
    let world = World::new();
    let home = world.home_logged_in();
    home.write("config.json", "{ damaged");
    home.pakyas("check list").exits(2).says("config.json");
    assert_eq!(home.read("config.json"), "{ damaged");
    // A key must not go to the default server because the file that names its own is damaged.
    home.run(["login", "--api-key", KEY])
        .exits(2)
        .says("config.json");
}

#[test]
fn logging_in_again_sets_a_damaged_file_aside() {
    let world = World::new();
    let home = world.home_logged_in();
    home.write("config.json", "{ damaged");
    home.write("credentials.json", "[]");
    home.run(["login", "--api-key", KEY, "--api-url", &world.url()])
        .exits(0)
        .says("config.json.damaged-1")
        .says("credentials.json.damaged-1");
    assert_eq!(home.read("config.json.damaged-1"), "{ damaged");
    home.pakyas("whoami").exits(0);
}

#[test]
fn with_all_in_the_environment_a_damaged_configuration_does_not_matter() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home().with("PAKYAS_PING_URL", &world.url());
    home.write("config.json", "{ damaged");
    home.write("credentials.json", "{ damaged");
    home.pakyas("ping sync").exits(0);
    home.pakyas("whoami").exits(0);
}

#[test]
fn a_damaged_cache_is_begun_anew() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    home.write("cache/checks.json", "{ damaged");
    let outcome = home.pakyas("ping sync").exits(0);
    assert_eq!(outcome.stderr, "");
    serde_json::from_str::<serde_json::Value>(&home.read("cache/checks.json")).unwrap();
}

#[test]
fn without_a_home_commands_work_and_only_what_must_be_kept_is_refused() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home();
    let run = |line: &str| {
        outcome(
            home.command()
                .env_remove("HOME")
                .args(line.split_whitespace()),
        )
    };
    assert_eq!(run("ping sync").exits(0).stderr, "");
    run("ping sync -v").exits(0).says("no place for the cache");
    run("check list").exits(0);
    run(&format!("login --api-key {KEY}"))
        .exits(1)
        .says("PAKYAS_CONFIG_DIR");
}

#[test]
fn a_directory_that_can_not_be_written_stops_only_what_must_be_kept() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    // A file where the directory should be: also root can't write there.
    let home = world.home();
    std::fs::write(home.path().join(".config"), "").unwrap();
    assert_eq!(home.pakyas("ping sync").exits(0).stderr, "");
    home.pakyas("ping sync -v")
        .exits(0)
        .says("can't write the cache");
    home.run(["login", "--api-key", KEY])
        .exits(1)
        .says("Can't write");
    home.pakyas("project switch Production")
        .exits(1)
        .says("config.json");
}

#[test]
fn the_configuration_directory_may_be_named() {
    let world = World::new();
    let home = Home::new();
    let named = home.path().join("named");
    let home = home.with("PAKYAS_CONFIG_DIR", named.to_str().unwrap());
    home.run(["login", "--api-key", KEY, "--api-url", &world.url()])
        .exits(0);
    assert!(named.join("credentials.json").exists());
    let home = Home::new();
    let xdg = home.path().join("xdg");
    let home = home.with("XDG_CONFIG_HOME", xdg.to_str().unwrap());
    home.run(["login", "--api-key", KEY, "--api-url", &world.url()])
        .exits(0);
    assert!(xdg.join("pakyas/credentials.json").exists());
}

#[test]
fn many_processes_at_once_lose_nothing_of_the_cache() {
    let world = World::new();
    let home = world.home();
    let slugs: Vec<_> = (0..12).map(|number| format!("check-{number}")).collect();
    let children: Vec<_> = slugs
        .iter()
        .map(|slug| {
            home.command()
                .args(["check", "create", slug, "--period", "1h", "--quiet"])
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let before = world.questions().len();
    for slug in &slugs {
        home.run(["ping", slug, "--project", &PRODUCTION.to_string()])
            .exits(0);
    }
    assert_eq!(world.questions().len(), before);
}

#[test]
fn what_another_version_keeps_in_the_files_stays_there() {
    let world = World::new();
    let home = Home::new();
    home.write("config.json", r#"{"colour": "green"}"#);
    home.run(["login", "--api-key", KEY, "--api-url", &world.url()])
        .exits(0);
    assert!(home.read("config.json").contains("green"));
}

#[test]
fn each_organization_keeps_its_own_key_and_project() {
    let world = World::new();
    let home = world.home_logged_in();
    let other = "00000000-0000-0000-0000-0000000000ff";
    let stored = home.read("credentials.json");
    let mut value: serde_json::Value = serde_json::from_str(&stored).unwrap();
    let mut theirs = value["keys"][0].clone();
    theirs["org_id"] = other.into();
    theirs["org_name"] = "Company B".into();
    theirs["key"] = "pk_live_of_b".into();
    value["keys"].as_array_mut().unwrap().push(theirs);
    home.write("credentials.json", &value.to_string());
    home.run(["--org", "company b", "check", "list", "--project", "x"])
        .exits(5);
    let sent = world.stub.received().pop().unwrap();
    assert_eq!(sent.header("authorization"), Some("Bearer pk_live_of_b"));
    assert_eq!(sent.header("x-pakyas-org"), Some(other));
    home.run(["--org", "company b", "check", "list"])
        .exits(2)
        .says("No project selected");
    home.pakyas("check list").exits(0);
}
