//! The first page: what is wrong stands first, and nobody sees what is another's.

use serde_json::{Value, json};

use crate::dashboard::{add_user, at, now, row, sql};
use crate::support::browser::Browser;
use crate::support::server::Server;

const NONE: Value = Value::Null;
const HOUR: i64 = 3_600_000;

fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "read-only");
    server
}

#[test]
fn who_is_not_signed_in_is_led_to_the_form_and_back() {
    let server = server();
    let mut browser = Browser::new(&server);
    let answer = browser.get("/");
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "/sign-in?next=/");
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("There is no check yet"), "{}", page.body);
}

#[test]
fn what_is_broken_comes_first_with_what_it_said_last() {
    let server = server();
    let good = server.check("a-good-one", 3600, 300, &NONE);
    let bad = server.check("z-bad-one", 3600, 300, &NONE);
    server.ping(&good, "");
    server.ping_with(&bad, "/fail", &[], b"step 1\ndisk full on /backups\n\n");
    let page = Browser::signed_in(&server, "me@acme.example").get("/");
    let at = |text: &str| {
        page.body
            .find(text)
            .unwrap_or_else(|| panic!("no {text}: {}", page.body))
    };
    assert!(at("Needs a look") < at("<b>z-bad-one"));
    assert!(at(">disk full on /backups</code>") < at("<b>a-good-one"));
    assert!(page.body.contains("0 succeeded, 1 failed, 0 missing"));
    assert!(page.body.contains("1 succeeded, 0 failed, 0 missing"));
    assert!(page.body.contains("</span> down</span>"));
    assert!(page.body.contains(" data-refresh=\"30\""));
    // Without a script nothing is taken from whoever writes into the filter.
    assert!(!page.body.contains("http-equiv=\"refresh\""));
    assert!(page.body.contains("<a href=\"\">Reload</a>"));
    assert!(!page.body.contains(" style=") && !page.body.contains("<script>"));
}

/// Lets an hourly check have succeeded nine and a half hours ago, and never since.
fn silence(server: &Server, check: &Value) {
    server.ping(check, "");
    let (row, now) = (row(check), now());
    let (ended, due) = (now - 9 * HOUR - HOUR / 2, now - 8 * HOUR - HOUR / 2);
    let down = due + 300_000;
    sql(
        server,
        &format!(
            "UPDATE ping SET created_at = {ended}, received_at = {ended} WHERE check_row = {row};
             UPDATE check_ SET status = 'down', status_since = {down}, expected_at = {due},
                 last_ping_at = {ended}, last_end_at = {ended} WHERE row = {row};
             INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status,
                 to_status, expected_at)
             VALUES ({row}, 'status_changed', 'schedule', {down}, {now}, 'late', 'down', {due});"
        ),
    );
}

#[test]
fn the_strip_has_a_bar_for_each_missing_run_where_it_was_due_and_as_many_as_the_check_tells() {
    let server = server();
    let check = server.check("hourly", 3600, 300, &NONE);
    silence(&server, &check);
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get("/");
    assert!(
        page.body.contains("1 succeeded, 0 failed, 9 missing"),
        "{}",
        page.body
    );
    // The success is left of all of them, though the server noticed the outage only now.
    assert!(page.body.contains("<path class=\"success\" d=\"M102 20v-"));
    assert!(
        page.body
            .contains("<path class=\"missing\" d=\"M107 20v-20M112 20v-20")
    );
    assert!(
        page.body.contains("Expected\">was due <time"),
        "{}",
        page.body
    );
    assert!(
        page.body.contains(">8h 30m ago</time></td>"),
        "{}",
        page.body
    );
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    let page = browser.get(&path);
    assert!(
        page.body.contains("9 expected runs are missing"),
        "{}",
        page.body
    );
}

#[test]
fn runs_that_were_missing_once_stay_in_the_strip_after_the_check_is_well_again() {
    let server = server();
    let check = server.check("hourly", 3600, 300, &NONE);
    silence(&server, &check);
    let (row, now) = (row(&check), now());
    let up = now - 4 * HOUR;
    sql(
        &server,
        &format!(
            "INSERT INTO ping (check_row, kind, created_at, received_at)
             VALUES ({row}, 'success', {up}, {up});
             UPDATE check_ SET status = 'up', status_since = {up}, expected_at = {now} + 1000000,
                 last_ping_at = {up}, last_end_at = {up} WHERE row = {row};
             INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status,
                 to_status) VALUES ({row}, 'status_changed', 'ping', {up}, {now}, 'down', 'up');"
        ),
    );
    let page = Browser::signed_in(&server, "me@acme.example").get("/");
    assert!(
        page.body.contains("2 succeeded, 0 failed, 5 missing"),
        "{}",
        page.body
    );
    assert!(
        page.body
            .contains("M147 20v-10\"/><path class=\"missing\" d=\"M122 "),
        "{}",
        page.body
    );
}

#[test]
fn the_last_two_lines_of_a_failure_are_shown_and_both_ends_of_a_long_one() {
    let server = server();
    let check = server.check("backup", 3600, 300, &NONE);
    let reason = format!(
        "{{\"level\":\"error\",\"trace\":\"{}\",\"why\":\"disk full\"}}",
        "x".repeat(850)
    );
    let output = format!("reading\n{reason}\n\nexit status 1\n\n");
    server.ping_with(&check, "/fail", &[], output.as_bytes());
    let page = Browser::signed_in(&server, "me@acme.example").get("/");
    let said: Vec<&str> = page.body.split("<code class=\"said\">").skip(1).collect();
    let said: Vec<&str> = said
        .iter()
        .map(|rest| rest.split("</code>").next().unwrap())
        .collect();
    assert_eq!(said.len(), 2, "{}", page.body);
    assert!(
        said[0].starts_with("{&#34;level&#34;:&#34;error") && said[0].contains(" … "),
        "{said:?}"
    );
    assert!(said[0].ends_with("disk full&#34;}") && said[0].len() < 250);
    assert_eq!(said[1], "exit status 1");
}

#[test]
fn the_first_line_says_how_many_are_broken_and_which_is_the_worst() {
    let server = server();
    let good = server.check("a-good-one", 3600, 300, &NONE);
    server.ping(&good, "");
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get("/");
    assert!(
        page.body
            .contains("<p class=\"summary fine\">Nothing is broken.</p>")
    );
    let bad = server.check("z-bad-one", 3600, 300, &NONE);
    server.ping_with(&bad, "/7", &[], b"");
    // Whatever is searched for.
    for path in ["/", "/?q=good"] {
        let page = browser.get(path);
        let summary = page
            .body
            .split("<p class=\"summary trouble\">")
            .nth(1)
            .unwrap();
        let summary = summary.split("</p>").next().unwrap();
        let id = bad["id"].as_str().unwrap();
        assert_eq!(
            summary,
            format!(
                "1 of 2 checks is broken. The worst: <a href=\"/checks/{id}\">z-bad-one</a>, \
                 failed with exit code 7."
            )
        );
    }
}

#[test]
fn maintenance_that_is_on_stands_at_the_top_and_at_the_checks_it_is_for() {
    let server = server();
    let one = server.check("one", 3600, 300, &NONE);
    server.check("other", 3600, 300, &NONE);
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let plan = |reason: &str, from: i64, check: &Value| {
        let window = json!({"org_id": server.org_id, "reason": reason, "check_id": check,
            "starts_at": at(now() + from), "ends_at": at(now() + from + 2 * HOUR)});
        let answer = server.api("POST", "/maintenance", Some(&window));
        assert!(answer.status < 300, "{answer:?}");
    };
    plan("Disk swap", -1000, &one["id"]);
    plan("Next week", 100 * HOUR, &NONE);
    let page = browser.get("/");
    assert!(
        page.body.contains("Maintenance of one until <time"),
        "{}",
        page.body
    );
    assert!(
        page.body
            .contains(": Disk swap. Alerts are held. <a href=\"/settings/maintenance?org=")
    );
    assert!(!page.body.contains("Next week"));
    assert_eq!(page.body.matches(">in maintenance</span>").count(), 1);
    plan("Move", -1000, &NONE);
    let page = browser.get("/");
    assert!(
        page.body.contains("Maintenance of all checks until <time"),
        "{}",
        page.body
    );
    // What is so of all of them is not said of each.
    assert!(!page.body.contains(">in maintenance</span>"));
}

#[test]
fn that_nobody_hears_of_checks_is_said_with_the_way_to_the_channels() {
    let server = server();
    let one = server.check("one", 3600, 300, &NONE);
    let other = server.check("other", 3600, 300, &NONE);
    server.check("third", 3600, 300, &NONE);
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let link = format!("<a href=\"/settings/channels?org={}\">", server.org_id);
    let page = browser.get("/");
    let all = format!("No channel: nobody hears of these checks. {link}");
    assert!(page.body.contains(&all), "{}", page.body);
    let hook = |name, more: &Value| server.channel("webhook", name, "http://127.0.0.1:9/", more);
    hook("first", &json!({"check_id": one["id"]}));
    assert!(
        browser
            .get("/")
            .body
            .contains(&format!("No channel hears of 2 of these 3 checks. {link}"))
    );
    hook("second", &json!({"check_id": other["id"]}));
    assert!(
        browser
            .get("/")
            .body
            .contains(&format!("No channel hears of third. {link}"))
    );
    let pager = hook("pager", &NONE);
    let page = browser.get("/");
    assert!(!page.body.contains("No channel"), "{}", page.body);
    assert!(!page.body.contains("has been failing"));
    sql(
        &server,
        &format!(
            "UPDATE channel SET failing_since = {} WHERE name = 'pager';",
            now() - 2 * HOUR
        ),
    );
    let page = browser.get("/");
    let failing = format!(
        "/settings/channels/{}\">pager</a> has been failing for <time",
        pager["id"].as_str().unwrap()
    );
    assert!(page.body.contains(&failing), "{}", page.body);
    // One that is switched off is none, but for one that nobody switched off.
    sql(&server, "UPDATE channel SET enabled = 0;");
    let page = browser.get("/");
    assert!(page.body.contains(&all) && !page.body.contains("has been failing"));
    sql(
        &server,
        "UPDATE channel SET disabled_reason = 'it is <gone>' WHERE name = 'pager';",
    );
    let page = browser.get("/");
    let off = "\">pager</a> is off: it is &#60;gone&#62;.";
    assert!(page.body.contains(off), "{}", page.body);
}

#[test]
fn checks_are_found_by_name_status_and_tag() {
    let server = server();
    let tagged = server.check("nightly", 3600, 300, &json!({"tags": ["db & co"]}));
    server.check("hourly", 3600, 300, &NONE);
    server.ping(&tagged, "");
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    for query in ["q=NIGHT", "status=up", "tag=db+%26+co"] {
        let page = browser.get(&format!("/?{query}"));
        assert!(page.body.contains("<b>nightly"), "{query}: {}", page.body);
        assert!(!page.body.contains("<b>hourly"), "{query}");
    }
    let page = browser.get("/?q=nothing");
    assert!(page.body.contains("No check matches"));
}

#[test]
fn nobody_sees_another_organization() {
    let server = server();
    server.check("victim-check", 3600, 300, &NONE);
    server.organization("Other", "me@example.com");
    add_user(&server, "them@other.example", "Other", "owner");
    let mut browser = Browser::signed_in(&server, "them@other.example");
    assert!(!browser.get("/").body.contains("victim-check"));
    for path in [
        format!("/?org={}", server.org_id),
        format!("/projects/{}", server.project_id),
        "/projects/none".to_owned(),
    ] {
        let page = browser.get(&path);
        assert_eq!(page.status, 404, "{path}");
        assert!(!page.body.contains("victim-check"));
    }
    let path = format!("/projects/{}", server.project_id);
    let page = Browser::signed_in(&server, "me@acme.example").get(&path);
    assert!(page.body.contains("<b>victim-check"));
}

#[test]
fn a_stored_script_stays_text() {
    let server = server();
    let script = "\"><script>alert(1)</script>";
    let check = server.check(
        "evil",
        3600,
        300,
        &json!({"name": script, "description": script, "tags": [script]}),
    );
    server.ping_with(&check, "/fail", &[], script.as_bytes());
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    for path in [
        "/".to_owned(),
        "/?q=%22%3E%3Cscript%3E&tag=%3Cscript%3E&status=%3Cscript%3E".to_owned(),
        format!("/projects/{}", server.project_id),
    ] {
        let page = browser.get(&path);
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("<script>"), "{}", page.body);
    }
    assert!(browser.get("/").body.contains("alert(1)"));
}

#[test]
fn a_page_of_many_checks_is_less_than_100_kb_and_none_is_lost() {
    let server = server();
    for number in 0..130 {
        let name = format!("check-{number:04}-{}", "x".repeat(50));
        server.check(&name, 3600, 300, &NONE);
    }
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let mut seen = 0;
    for number in 1..=3 {
        let page = browser.get(&format!("/?page={number}"));
        assert!(page.bytes.len() < 100_000, "{}", page.bytes.len());
        seen += page.body.matches("<b>check-").count();
    }
    assert_eq!(seen, 130);
    assert!(!browser.get("/?page=4").body.contains("<b>check-"));
}

#[test]
fn a_page_of_failures_with_long_outputs_is_less_than_100_kb_with_its_style() {
    let server = server();
    for number in 0..60 {
        let check = server.check(&format!("check-{number:04}"), 3600, 300, &NONE);
        let output = format!("{}\n", "what went wrong, at some length: ".repeat(20)).repeat(5);
        server.ping_with(&check, "/fail", &[], output.as_bytes());
        sql(
            &server,
            &format!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
                 INSERT INTO ping (check_row, kind, created_at, received_at, duration_ms)
                 SELECT {}, 'success', {now} - i * 3600000, {now} - i * 3600000, 1000 + i FROM n;",
                row(&check),
                now = now(),
            ),
        );
    }
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get("/").bytes.len();
    let style = browser.get("/web/style.css").bytes.len();
    assert!(page + style < 100_000, "{page} and {style}");
}
