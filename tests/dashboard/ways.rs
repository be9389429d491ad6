//! Ways from one page to the next: they keep the organization, the project and what was asked
//! for; and what is not there is said on a page.

use serde_json::Value;

use crate::dashboard::{PASSWORD, add_user};
use crate::support::browser::{Browser, form};
use crate::support::server::Server;

const ME: &str = "me@acme.example";

fn server() -> Server {
    let server = Server::start();
    add_user(&server, ME, "Acme", "owner");
    server
}

/// The id of the organization of that name, which they belong to.
fn org(browser: &mut Browser<'_>, name: &str) -> String {
    let page = browser.get("/account");
    let before = page.body.split(&format!("\">{name}</a>")).next().unwrap();
    before.rsplit("?org=").next().unwrap().to_owned()
}

#[test]
fn who_belongs_to_two_organizations_stays_in_the_one_that_they_are_in() {
    let server = server();
    server.check("sync", 3600, 300, &Value::Null);
    server.organization("Other", "me@example.com");
    let mut browser = Browser::signed_in(&server, ME);
    let alone = browser.get("/");
    assert!(
        !alone.body.contains("class=\"within\""),
        "one needs no name"
    );
    assert!(
        alone.body.contains("href=\"/settings\""),
        "and none in addresses"
    );
    let join = ["user", "add", ME, "--org", "Other", "--role", "owner"];
    server.administer(&join);
    let other = org(&mut browser, "Other");
    let new = [
        ("org", other.as_str()),
        ("new_project", "Theirs"),
        ("name", "Their job"),
        ("schedule", "simple"),
        ("period", "1h"),
    ];
    let answer = crate::dashboard::send(&mut browser, "/account", "/checks/new", &new);
    let check = answer.header("location").to_owned();
    server_ping(&mut browser, &server, &check);
    let page = browser.get(&check);
    let run = page.body.split("<a data-output href=\"").nth(1).unwrap();
    let run = run.split('"').next().unwrap().to_owned();
    let project = page.body.split("href=\"/projects/").nth(1).unwrap();
    let project = format!("/projects/{}", project.split('"').next().unwrap());
    for path in [
        check.clone(),
        format!("{check}/edit"),
        format!("{check}/delete"),
        run,
        project.clone(),
        format!("{project}/public"),
        format!("/?org={other}"),
        format!("/checks/new?org={other}"),
        format!("/settings/channels?org={other}"),
        format!("/settings/members?org={other}"),
    ] {
        let page = browser.get(&path);
        assert_eq!(page.status, 200, "{path}");
        let header = page.body.split("</header>").next().unwrap();
        for link in [format!("/?org={other}"), format!("/settings?org={other}")] {
            assert!(
                header.contains(&format!("href=\"{link}\"")),
                "{path}: {header}"
            );
        }
        let name = "<span class=\"unseen\">Organization: </span>Other</span>";
        assert!(header.contains(name), "{path}: {header}");
    }
    let all = format!("<a href=\"/?org={other}\">All checks</a>");
    assert!(browser.get(&check).body.contains(&all));
    let settings = browser.get(&format!("/settings?org={other}"));
    let keys = browser.follow(&settings);
    assert!(keys.body.contains("Other</span>"));
}

fn server_ping(browser: &mut Browser<'_>, server: &Server, check: &str) {
    let page = browser.get(check).body;
    let url = page
        .split("id=\"ping-url\" class=\"long\">")
        .nth(1)
        .unwrap();
    let url = url.split('<').next().unwrap();
    let path = url.strip_prefix(&server.url).unwrap();
    assert_eq!(server.request("GET", path, &[], b"").unwrap().status, 200);
}

#[test]
fn a_new_check_from_a_projects_page_is_for_that_project() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    let page = "/settings/projects";
    crate::dashboard::send(&mut browser, page, page, &[("name", "Aaa")]);
    crate::dashboard::send(&mut browser, page, page, &[("name", "Zzz")]);
    let list = browser.get(page).body;
    let before = list.split("\">Zzz</a>").next().unwrap();
    let zzz = before.rsplit("/projects/").next().unwrap().to_owned();
    let link = |page: &str| -> String {
        let rest = page.split("href=\"/checks/new?").nth(1).unwrap();
        let link = rest.split('"').next().unwrap().replace("&amp;", "&");
        format!("/checks/new?{link}")
    };
    for made in [false, true] {
        if made {
            let body = serde_json::json!({"name": "sync", "slug": "sync", "project_id": zzz,
                "period_seconds": 3600, "grace_seconds": 60});
            assert!(server.api("POST", "/checks", Some(&body)).status < 300);
        }
        let page = browser.get(&format!("/projects/{zzz}"));
        let form = browser.get(&link(&page.body));
        let chosen = format!("<option value=\"{zzz}\" selected>Zzz</option>");
        assert!(form.body.contains(&chosen), "{}", form.body);
    }
}

#[test]
fn signing_in_leads_to_what_was_asked_for_with_its_query() {
    let server = server();
    for path in [
        "/?status=down&q=backup".to_owned(),
        format!("/settings/channels?org={}", server.org_id),
        format!("/projects/{}/public?q=a%20b", server.project_id),
        "/account".to_owned(),
    ] {
        let mut browser = Browser::new(&server);
        let answer = browser.get(&path);
        assert_eq!(answer.status, 303, "{path}");
        let location = answer.header("location").to_owned();
        assert_eq!(location.matches(['?', '&']).count(), 1, "{location}");
        let page = browser.follow(&answer);
        let good = form(&page, "/sign-in")
            .with("email", ME)
            .with("password", PASSWORD);
        assert_eq!(browser.send(&good).header("location"), path);
    }
    // Nothing of it leads elsewhere.
    let mut browser = Browser::new(&server);
    let answer = browser.get("/account?next=//evil.example");
    let page = browser.follow(&answer);
    let good = form(&page, "/sign-in")
        .with("email", ME)
        .with("password", PASSWORD);
    let location = browser.send(&good).header("location").to_owned();
    assert!(location.starts_with("/account"), "{location}");
}

#[test]
fn a_mistyped_address_gets_a_page_in_a_browser_and_what_programs_get_stays() {
    let server = server();
    let html = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for path in ["/setings", "/setings/members", "/not-a-ping/start"] {
        let page = server.request("GET", path, &html, b"").unwrap();
        assert_eq!(page.status, 404, "{path}");
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.body.contains("There is no such page"), "{}", page.body);
        assert!(page.body.contains("Pakyas</a>"));
        let api = server
            .request("GET", path, &[("accept", "*/*")], b"")
            .unwrap();
        assert!(api.refusal(404).contains("check"), "{path}");
        let post = server.request("POST", path, &html, b"x").unwrap();
        post.refusal(404);
    }
    let id = "00000000-0000-8000-8000-000000000000";
    for path in [
        format!("/{id}"),
        format!("/{id}/fail"),
        format!("/ping/{id}"),
        "/ping/none".to_owned(),
        "/api/v1/none".to_owned(),
    ] {
        let answer = server.request("GET", &path, &html, b"").unwrap();
        assert!(
            answer
                .header("content-type")
                .starts_with("application/json"),
            "{path}"
        );
    }
}

#[test]
fn a_page_of_the_settings_that_is_none_is_not_there() {
    let server = server();
    let mut browser = Browser::signed_in(&server, ME);
    for path in [
        "/settings/nope",
        "/settings/nope/more",
        "/settings/channels/a/nope",
        "/settings/members/a",
        "/settings/organization/a",
    ] {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
    for path in ["/settings/channels/a/test", "/settings/members/a/role"] {
        let answer = browser.get(path);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, "POST"),
            "{path}"
        );
    }
}
