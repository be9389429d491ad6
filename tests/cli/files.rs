//! The files that are kept between commands: damaged, shared, read-only, missing.

use std::os::unix::fs::PermissionsExt;

use crate::support::home::{Home, Outcome, captured, outcome};
use crate::support::stub::Reply;
use crate::support::world::{KEY, ORG, PRODUCTION, World};

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
    // Who gets no turn at the cache within a second leaves it as it is; four get theirs.
    for some in slugs.chunks(4) {
        let create = |slug: &String| {
            home.command()
                .args(["check", "create", slug, "--period", "1h", "--quiet"])
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        };
        let children: Vec<_> = some.iter().map(create).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
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
    // Of that organization no project was chosen: it is asked for all of its checks.
    home.run(["--org", "company b", "check", "list"]).exits(5);
    let sent = world.stub.received().pop().unwrap();
    assert_eq!(sent.path, "/api/v1/checks");
    home.run([
        "--org",
        "company b",
        "check",
        "create",
        "x",
        "--every",
        "1h",
    ])
    .exits(2)
    .says("No project selected");
    home.pakyas("check list").exits(0);
}

#[test]
fn logins_at_the_same_time_keep_every_key() {
    let world = World::but(|request| {
        // Each key is of an organization of its own.
        let key = request
            .header("authorization")?
            .strip_prefix("Bearer pk_live_")?;
        let org = format!("00000000-0000-0000-0000-0000000000{key}");
        let me = serde_json::json!({
            "organization_id": org, "organization_name": key, "org_id": org, "org_name": key,
            "email": "a@example.com", "scopes": [], "ping_url_base": "http://127.0.0.1:9",
        });
        Some(Reply::json(200, &me))
    });
    let home = Home::at(&world.url());
    let children: Vec<_> = (10..22)
        .map(|number| {
            home.command()
                .args(["login", "--api-key", &format!("pk_live_{number}")])
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let stored: serde_json::Value = serde_json::from_str(&home.read("credentials.json")).unwrap();
    assert_eq!(stored["keys"].as_array().unwrap().len(), 12);
    let config: serde_json::Value = serde_json::from_str(&home.read("config.json")).unwrap();
    assert!(config["org_id"].is_string());
}

#[test]
fn keys_that_others_can_read_are_closed_to_them_and_that_is_told_once() {
    let world = World::new();
    let home = world.home_logged_in();
    let file = home.file("credentials.json");
    let set = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    let mode = || file.metadata().unwrap().permissions().mode() & 0o777;
    set(0o644);
    let told = home
        .pakyas("whoami")
        .exits(0)
        .says("could be read by others");
    assert!(!told.stderr.contains(KEY));
    assert_eq!(mode(), 0o600);
    assert_eq!(home.pakyas("whoami").exits(0).stderr, "");
    set(0o640);
    assert_eq!(home.pakyas("whoami --quiet").exits(0).stderr, "");
    assert_eq!(mode(), 0o600);
}

#[test]
fn files_of_an_earlier_version_are_read_and_what_is_unknown_in_them_stays() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION);
    let home = world.home_logged_in();
    // As few fields as there ever were, and some that nobody knows any more.
    let stored = serde_json::json!({"version": 0, "keys": [{
        "api_url": world.url(), "org_id": ORG, "org_name": "My Company", "key": KEY,
        "label": "laptop"}]});
    home.write("credentials.json", &stored.to_string());
    let config = serde_json::json!({"api_url": world.url(), "org_id": ORG, "theme": "dark"});
    home.write("config.json", &config.to_string());
    let cache = serde_json::json!({"accounts": {"somebody's": {}}, "version": 0});
    home.write("cache/checks.json", &cache.to_string());
    home.pakyas("project switch Production").exits(0);
    home.pakyas("ping sync").exits(0);
    assert!(world.pings()[0].path.contains(&id.to_string()));
    assert!(home.read("config.json").contains("dark"));
    home.run(["login", "--api-key", KEY, "--api-url", &world.url()])
        .exits(0);
    assert!(home.read("credentials.json").contains("\"version\": 0"));
    assert!(home.read("cache/checks.json").contains("sync"));
}

/// A shell that may mount where the test wants it, with `script` in a private view of the
/// file systems; `$1` is the home, the rest is the client's command line.
fn mounted(home: &Home, script: &str, line: &str) -> Option<Outcome> {
    let mut command = crate::support::unshare(&["-m"])?;
    let program = env!("CARGO_BIN_EXE_pakyas");
    let variables = home.command();
    let variables: Vec<_> = variables
        .get_envs()
        .filter_map(|(n, v)| Some((n, v?)))
        .collect();
    command
        .args(["sh", "-c", script, "sh"])
        .arg(home.path())
        .arg(program)
        .args(line.split(' '))
        .envs(variables)
        .stdin(std::process::Stdio::null());
    let outcome = captured(&mut command);
    if outcome.code == 99 {
        eprintln!("skipped: nothing can be mounted here");
        return None;
    }
    Some(outcome)
}

#[test]
fn a_home_that_is_read_only_stops_only_what_must_be_kept() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home_logged_in();
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" || exit 99; shift; exec \"$@\"";
    let Some(ping) = mounted(&home, script, "ping sync") else {
        return;
    };
    assert_eq!(ping.exits(0).stderr, "");
    let run = |line: &str| mounted(&home, script, line).unwrap();
    run("check list").exits(0).shows("sync");
    run("check sync")
        .exits(1)
        .says("The cache was not refreshed");
    run("project switch Production")
        .exits(1)
        .says("Can't write")
        .says("PAKYAS_CONFIG_DIR");
    std::fs::set_permissions(
        home.file("credentials.json"),
        PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    run("whoami").exits(0).says("chmod 600");
}

#[test]
fn a_full_disk_leaves_the_files_as_they_were() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home_logged_in();
    let script = "mkdir \"$1/kept\" && cp -r \"$1/.config/pakyas/.\" \"$1/kept\" && \
                  mount -t tmpfs -o size=32k none \"$1/.config\" || exit 99; \
                  mkdir \"$1/.config/pakyas\" && cp -r \"$1/kept/.\" \"$1/.config/pakyas\"; \
                  head -c 1000000 /dev/zero > \"$1/.config/filler\" 2>/dev/null; \
                  home=$1; shift; \"$@\"; code=$?; \
                  diff -r \"$home/kept\" \"$home/.config/pakyas\" -x .lock -x cache >&2; rm -r \"$home/kept\"; exit $code";
    let Some(outcome) = mounted(&home, script, "project switch Production") else {
        return;
    };
    let outcome = outcome.exits(1).says("Can't write").says("config.json");
    assert!(!outcome.stderr.contains("Only in"), "{outcome:?}");
    let ping = mounted(&home, script, "ping sync").unwrap().exits(0);
    assert_eq!(ping.stderr, "");
}

#[test]
fn a_configuration_directory_that_is_a_file_is_told_by_its_name() {
    let world = World::new();
    let home = world.home();
    let file = home.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let home = home.with("PAKYAS_CONFIG_DIR", file.to_str().unwrap());
    home.pakyas("check list").exits(0);
    home.run(["login", "--api-key", KEY])
        .exits(1)
        .says("a-file/credentials.json");
}
