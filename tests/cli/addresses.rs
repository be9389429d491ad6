//! Where a key and a ping go: to the address that was meant, or nowhere.

use crate::support::home::Home;
use crate::support::world::{PRODUCTION, World};

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
            home.pakyas(id).exits(2).says(says).says(variable);
        }
        let home = Home::new().with("PAKYAS_API_KEY", "pk_live_x");
        home.write("config.json", &format!("{{\"api_url\": \"{url}\"}}"));
        home.pakyas("whoami")
            .exits(2)
            .says(says)
            .says("config.json");
        let home = Home::at("http://pakyas.invalid")
            .with("HTTP_PROXY", &format!("http://me:secret@127.0.0.1{port}"));
        let outcome = home.pakyas(id).exits(2).says(says).says("(HTTP_PROXY)");
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
fn a_job_runs_although_an_address_has_a_wrong_port_and_nothing_is_kept_for_that() {
    let world = World::new();
    let id = world.add("sync", PRODUCTION).to_string();
    for (variable, value) in [
        ("PAKYAS_API_URL", "http://127.0.0.1:99999"),
        ("PAKYAS_PING_URL", "http://127.0.0.1:"),
        ("HTTP_PROXY", "http://127.0.0.1:abc"),
    ] {
        let home = Home::at("http://pakyas.invalid").with(variable, value);
        home.run(["monitor", "--public-id", &id, "--", "echo", "done"])
            .exits(0)
            .says("the port is wrong")
            .shows("done");
        home.pakyas("spool list --format json").exits(0).shows("[]");
    }
}
