//! All pages in one table, and what holds for each of them.
//!
//! A new page is a line in [`pages`]; one that shows what people wrote shows [`SCRIPT`] there.

use serde_json::json;

use crate::browser::tab::{DESKTOP, PHONE, Tab};
use crate::browser::{ME, publish, server};
use crate::support::server::Server;

/// What an attacker writes into every field that takes text.
const SCRIPT: &str = "'\"><img src=x onerror=ow=1><script>ow=1</script>";

/// A page, by its path.
struct Page {
    path: String,
    /// Whether it is looked at without a session.
    signed_out: bool,
}

fn page(path: impl Into<String>) -> Page {
    Page {
        path: path.into(),
        signed_out: false,
    }
}

fn open_page(path: impl Into<String>) -> Page {
    Page {
        path: path.into(),
        signed_out: true,
    }
}

/// Every page, on a server that [`furnished`] has filled.
fn pages(server: &Server) -> Vec<Page> {
    let project = format!("/projects/{}", server.project_id);
    let broken = id(server, "/checks", "slug", "broken");
    vec![
        open_page("/sign-in"),
        open_page("/status/acme"),
        open_page("/status/off"),
        open_page("/sign-in?next=/checks/new&sent=form"),
        open_page("/setings"),
        page("/"),
        page("/?q=nothing&tag=none"),
        page(project.clone()),
        page("/account"),
        page(format!("{project}/public")),
        page(device(server, SCRIPT)),
        page("/projects/none"),
        page(format!("/checks/{broken}")),
        page(format!("/checks/{broken}/edit")),
        page(format!("/checks/{broken}/delete")),
        page(run(server, &broken)),
        page("/checks/new"),
        page("/settings/api-keys"),
        page("/settings/api-keys/new/00000000-0000-8000-8000-000000000000"),
        page("/settings/channels"),
        page(channel(server)),
        page("/settings/members"),
        page("/settings/maintenance"),
        page("/settings/projects"),
        page(format!("/settings{project}")),
        page("/settings/organization"),
    ]
}

/// The id of what the API lists at `path`, by one of its fields.
pub fn id(server: &Server, path: &str, field: &str, value: &str) -> String {
    let answer = server.api("GET", path, None).json();
    let all = answer.as_array().into_iter().chain(
        answer
            .as_object()
            .into_iter()
            .flat_map(|object| object.values().filter_map(|value| value.as_array())),
    );
    let found = all.flatten().find(|one| one[field] == value);
    let found = found.unwrap_or_else(|| panic!("no {value} in {answer}"));
    found["id"].as_str().unwrap().to_owned()
}

fn channel(server: &Server) -> String {
    let id = id(server, "/channels", "name", SCRIPT);
    format!("/settings/channels/{id}")
}

fn run(server: &Server, check: &str) -> String {
    let check = json!({ "id": check });
    let run = server.history(&check)[0]["id"].clone();
    let check = check["id"].as_str().unwrap();
    format!("/checks/{check}/runs/{}", run)
}

/// The page of a machine that asks, under that name.
pub fn device(server: &Server, name: &str) -> String {
    let asked = json!({ "device_name": name, "cli_version": name }).to_string();
    let answer = server
        .request("POST", "/api/v1/cli/auth/init", &[], asked.as_bytes())
        .unwrap();
    let url = answer.json()["auth_url"].clone();
    let url = url.as_str().unwrap_or_else(|| panic!("{answer:?}"));
    url[url.find("/device/").unwrap()..].to_owned()
}

/// A check in each state that can be had at once, and a script wherever people write.
fn furnished() -> Server {
    let server = server();
    let name = format!("/projects/{}", server.project_id);
    let project = json!({ "name": SCRIPT, "description": SCRIPT });
    assert_eq!(server.api("PUT", &name, Some(&project)).status, 200);
    let more = json!({ "name": SCRIPT, "description": SCRIPT, "tags": [SCRIPT, "db"] });
    server.channel("webhook", SCRIPT, "http://127.0.0.1:9/", &json!({}));
    let window = json!({ "org_id": server.org_id, "reason": SCRIPT,
        "starts_at": "2098-01-01T00:00:00Z", "ends_at": "2098-02-01T00:00:00Z" });
    assert!(server.api("POST", "/maintenance", Some(&window)).status < 300);
    let broken = server.check("broken", 3600, 300, &more);
    server.ping_with(
        &broken,
        "/fail",
        &[],
        format!("{SCRIPT}\n{SCRIPT}").as_bytes(),
    );
    let well = server.check("well", 3600, 300, &json!({ "tags": ["db"] }));
    server.ping(&well, "/start");
    server.ping(&well, "");
    server.check("a-new-one-with-a-name-that-is-far-too-long-for-a-phone", 60, 60, &json!({
        "name": "A_new_one_with_a_name_that_is_far_too_long_for_a_phone_and_has_no_space_at_all",
    }));
    let paused = server.check("paused", 3600, 300, &json!({}));
    let pause = format!("/checks/{}/pause", paused["id"].as_str().unwrap());
    assert!(server.api("PATCH", &pause, None).status < 300);
    // On now, for a check of whose trouble nobody need hear here.
    let now = jiff::Timestamp::now().as_second();
    let at = |second| jiff::Timestamp::from_second(second).unwrap().to_string();
    let window = json!({ "org_id": server.org_id, "check_id": paused["id"], "reason": SCRIPT,
        "starts_at": at(now - 60), "ends_at": at(now + 7_200) });
    assert!(server.api("POST", "/maintenance", Some(&window)).status < 300);
    server
}

/// Looks at each page in a window of this size, and at its colours in the dark too.
fn look_at_all(size: (u32, u32)) {
    let server = furnished();
    let Some(mut tab) = Tab::new(&server) else {
        return;
    };
    tab.open("/");
    tab.sign_in(ME);
    publish(&mut tab, &server.project_id, "acme");
    tab.press("Sign out");
    tab.sees("Password");
    tab.resize(size);
    let mut found = Vec::new();
    let (open, closed): (Vec<Page>, Vec<Page>) =
        pages(&server).into_iter().partition(|page| page.signed_out);
    for (list, signed_out) in [(open, true), (closed, false)] {
        if !signed_out {
            tab.open("/");
            tab.sign_in(ME);
        }
        for page in list {
            tab.open(&page.path);
            let mut faults = faults(&mut tab);
            tab.scheme(true);
            let dark = tab.audit_contrast().into_iter();
            faults.extend(dark.map(|what| format!("in the dark: {what}")));
            tab.scheme(false);
            let path = &page.path;
            found.extend(faults.into_iter().map(|what| format!("{path}: {what}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What is wrong with the page that is open: axe's findings, what is wider than the window, what
/// the console says, and what somebody's text has become.
fn faults(tab: &mut Tab) -> Vec<String> {
    let mut found = tab.audit();
    let over =
        tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    if over.as_i64() > Some(0) {
        found.push(format!("it scrolls sideways by {over} px"));
    }
    found.extend(tab.problems());
    if !tab.evaluate("window.ow ?? null").is_null() {
        found.push("a stored script ran".to_owned());
    }
    let scripts = "[...document.querySelectorAll('script:not([src]), img[src=x]')].length";
    if tab.evaluate(scripts) != 0 {
        found.push("a stored script became an element".to_owned());
    }
    found
}

#[test]
fn every_page_passes_axe_and_keeps_to_itself() {
    look_at_all(DESKTOP);
}

#[test]
fn every_page_passes_axe_and_fits_a_phone() {
    look_at_all(PHONE);
}
