//! Where a key and a ping go: to the address that was meant, or nowhere.

use crate::support::home::Home;
use crate::support::world::{KEY, PRODUCTION, World};

const WRONG: [&str; 5] = [":184800", ":99999", ":abc", ":-1", ":"];

#[test]
fn an_address_with_a_wrong_port_is_refused_wherever_it_stands() {
    for port in WRONG {
        let url = format!("http://127.0.0.1{port}");
        let says = "is not an address: the port is wrong";
        let home = Home::new().with("PAKYAS_API_KEY", "pk_live_x");
        for line in [
            format!("check list --api-url {url}"),
            format!("ping job --api-url http://127.0.0.1:9 --ping-url {url}"),
            format!("login --api-key pk_live_x --api-url {url}"),
        ] {
            home.pakyas(&line).exits(2).says(says).says(&url);
        }
        let id = "ping --public-id 550e8400-e29b-41d4-a716-446655440000";
        for variable in ["PAKYAS_API_URL", "PAKYAS_PING_URL"] {
            let home = Home::new().with(variable, &url);
            home.pakyas(&format!("{id} --strict"))
                .exits(2)
                .says(says)
                .says(variable);
        }
        let home = Home::new().with("PAKYAS_API_KEY", "pk_live_x");
        home.write("config.json", &format!("{{\"api_url\": \"{url}\"}}"));
        home.pakyas("whoami")
            .exits(2)
            .says(says)
            .says("config.json");
        let home = Home::at("http://pakyas.invalid")
            .with("HTTP_PROXY", &format!("http://me:secret@127.0.0.1{port}"));
        let outcome = home
            .pakyas(&format!("{id} --strict"))
            .exits(2)
            .says(says)
            .says("(HTTP_PROXY)");
        assert!(!outcome.stderr.contains("secret"), "{outcome:#?}");
    }
}

#[test]
fn a_proxy_that_does_not_answer_is_named_with_its_variable() {
    let home = Home::at("http://pakyas.invalid")
        .with("PAKYAS_API_KEY", "pk_live_x")
        .with("ALL_PROXY", "me:secret@127.0.0.1:9");
    let outcome = home.pakyas("org list").exits(4);
    let outcome = outcome.says("through the proxy 127.0.0.1:9 (ALL_PROXY)");
    assert!(!outcome.stderr.contains("secret"), "{outcome:#?}");
}

#[test]
fn a_job_runs_although_a_setting_is_wrong_and_its_run_goes_out_once_that_is_mended() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION).to_string();
    let by_id = ["monitor", "--public-id", &id, "--", "echo", "done"];
    let by_slug = ["monitor", "sync", "--", "echo", "done"];
    for (variable, value, run, told) in [
        (
            "PAKYAS_API_URL",
            "http://127.0.0.1:99999",
            &by_id[..],
            "the port is wrong",
        ),
        ("PAKYAS_API_URL", "127.0.0.1", &by_slug, "is not an address"),
        (
            "PAKYAS_PING_URL",
            "http://127.0.0.1:",
            &by_id,
            "the port is wrong",
        ),
        ("PAKYAS_PING_URL", "::no::", &by_slug, "is not an address"),
        (
            "HTTP_PROXY",
            "http://127.0.0.1:abc",
            &by_id,
            "the port is wrong",
        ),
        (
            "PAKYAS_CA_FILE",
            "/no/such/file.pem",
            &by_id,
            "no such file",
        ),
        ("PAKYAS_API_KEY", "two words", &by_slug, "is not an API key"),
        (
            "PAKYAS_API_KEY",
            "pk_live_other",
            &by_slug,
            "does not take the API key",
        ),
        (
            "PAKYAS_PROJECT",
            "prodution",
            &by_slug,
            "none is called 'prodution'",
        ),
        (
            "PAKYAS_ORG",
            "Company B",
            &by_slug,
            "none of yours is called 'Company B'",
        ),
    ] {
        let came = world.pings().len();
        let home = world.home();
        // The proxy and the certificates matter for another machine, and over TLS.
        let url = match variable {
            "HTTP_PROXY" => "http://pakyas.invalid",
            "PAKYAS_CA_FILE" => "https://127.0.0.1:9",
            _ => &world.url(),
        };
        let home = home.with("PAKYAS_API_URL", url).with(variable, value);
        home.run(run)
            .exits(0)
            .says("is kept")
            .says(told)
            .shows("done");
        assert_eq!(spooled(&home), 2, "{variable}={value}");
        // Nothing of it is thrown away for a setting that is still wrong.
        home.pakyas("spool flush").exits(4).says(told);
        assert_eq!(spooled(&home), 2, "{variable}={value}");
        assert_eq!(world.pings().len(), came);
        if url == world.url() && !["PAKYAS_PROJECT", "PAKYAS_ORG"].contains(&variable) {
            let mended = home
                .with("PAKYAS_API_URL", &world.url())
                .with("PAKYAS_PING_URL", &world.url())
                .with("PAKYAS_API_KEY", KEY);
            mended
                .pakyas("spool flush")
                .exits(0)
                .shows("2 sent, 0 left");
            assert_eq!(world.pings().len(), came + 2);
        }
    }
}

/// How many pings are kept.
fn spooled(home: &Home) -> usize {
    let folder = home.path().join(".local/state/pakyas/spool");
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let is_ping = |file: &std::fs::DirEntry| file.path().extension().is_some_and(|e| e == "ping");
    files.filter(is_ping).count()
}

#[test]
fn a_format_that_is_none_does_not_lose_a_ping() {
    let world = World::new();
    world.add("sync", PRODUCTION);
    let home = world.home().with("PAKYAS_FORMAT", "xml");
    home.pakyas("ping sync").exits(0).says("PAKYAS_FORMAT");
    assert_eq!(world.pings().len(), 1);
    home.pakyas("ping sync --format xml").exits(2);
    home.pakyas("check list").exits(2);
}

/// As Kubernetes Secrets have it that were made with `echo`.
#[test]
fn white_space_around_a_setting_of_the_environment_does_no_harm() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION);
    let padded = |text: &str| format!(" \t{text}\r\n");
    let spool = crate::support::TempDir::new();
    let spool = spool.path().to_str().unwrap();
    let config = crate::support::TempDir::new();
    let config = config.path().to_str().unwrap();
    let home = Home::new()
        .with("PAKYAS_API_URL", &padded(&world.url()))
        .with("PAKYAS_PING_URL", &padded(&world.url()))
        .with("PAKYAS_API_KEY", &padded(KEY))
        .with("PAKYAS_ORG", &padded("My Company"))
        .with("PAKYAS_PROJECT", &padded("production"))
        .with("PAKYAS_FORMAT", &padded("json"))
        .with("PAKYAS_CONFIG_DIR", &padded(config))
        .with("PAKYAS_SPOOL_DIR", &padded(spool))
        .with("PAKYAS_PUBLIC_ID", &padded(&id.to_string()));
    let told = home.pakyas("ping sync").exits(0).json();
    assert_eq!(told["delivered"], true);
    home.pakyas("ping").exits(0);
    home.run(["monitor", "--", "true"]).exits(0);
    assert_eq!(world.pings().len(), 4);
    assert!(std::path::Path::new(config).join("cache").exists());
    home.pakyas("ping --ping-url http://127.0.0.1:9 --ping-timeout 1s")
        .exits(0);
    assert!(std::fs::read_dir(spool).unwrap().count() > 0);
    // A file's name as well, and what stands in the file.
    let file = home.path().join("key");
    std::fs::write(&file, padded(KEY)).unwrap();
    let named = format!("file:{}", file.display());
    home.with("PAKYAS_API_KEY", &padded(&named))
        .pakyas("whoami")
        .exits(0);
    // The certificates': it is the file without the white space that is not there.
    let home = Home::at("https://127.0.0.1:9").with("PAKYAS_API_KEY", KEY);
    home.with("PAKYAS_CA_FILE", &padded("/no/such.pem"))
        .pakyas("whoami")
        .exits(2)
        .says("'/no/such.pem'");
}

#[test]
fn a_pasted_ping_url_stands_for_a_check_and_for_the_address_of_its_pings() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION).to_string();
    let url = format!("{}/{id}", world.url());
    // What is set would lead elsewhere.
    let home = Home::at("http://127.0.0.1:9");
    home.run(["ping", &url, "--exit-code", "3"]).exits(0);
    home.run(["ping", "--public-id", &format!("{url}/")])
        .exits(0);
    home.run(["monitor", &url, "--", "true"]).exits(0);
    home.run(["monitor", "--public-id", &url, "--", "true"])
        .exits(0);
    let told = home.with("PAKYAS_PUBLIC_ID", &url);
    told.run(["ping", "--format", "json"]).exits(0);
    let paths: Vec<String> = world.pings().into_iter().map(|ping| ping.path).collect();
    let expected = ["/3", "", "/start", "/0", "/start", "/0", ""];
    assert_eq!(paths, expected.map(|end| format!("/{id}{end}")));
    // Wherever a check is named.
    let shown = world.home().run(["check", "show", &url]).exits(0);
    assert!(shown.stdout.contains(&id), "{shown:?}");
    // What says more than which check is not taken for less.
    home_at(&world)
        .run(["ping", &format!("{url}/fail")])
        .exits(2);
}

#[test]
fn a_ping_to_a_pasted_url_that_is_kept_goes_there_later() {
    let id = "550e8400-e29b-41d4-a716-446655440000";
    let home = Home::new();
    let url = format!("http://127.0.0.1:9/{id}");
    home.run(["ping", &url, "--ping-timeout", "1s"])
        .exits(0)
        .says("is kept");
    let list = home.pakyas("spool list --format json").exits(0).json();
    assert_eq!(list[0]["server"], "http://127.0.0.1:9");
}

fn home_at(world: &World) -> Home {
    Home::at(&world.url())
}
