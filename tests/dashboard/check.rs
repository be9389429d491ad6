//! The page of one check: what it shows, who may do what, and that it stays light.

use serde_json::{Value, json};

use crate::dashboard::{add_user, at, now, row, sql};
use crate::support::browser::{Browser, Form};
use crate::support::hook::Hook;
use crate::support::server::{Answer, Server};
use crate::support::wait_for;

const NONE: Value = Value::Null;
const DAY: i64 = 86_400_000;

fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    server
}

fn path(check: &Value) -> String {
    format!("/checks/{}", check["id"].as_str().unwrap())
}

/// The first thing of the page between these two texts.
fn between<'a>(page: &'a Answer, before: &str, after: &str) -> &'a str {
    let rest = page.body.split(before).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no {before}: {}", page.body));
    rest.split(after).next().unwrap()
}

/// A form of the page that goes to this path.
fn form(page: &Answer, action: &str) -> Form {
    Form {
        action: action.to_owned(),
        fields: vec![(
            "csrf".to_owned(),
            between(page, "name=\"csrf\" value=\"", "\"").to_owned(),
        )],
    }
}

#[test]
fn the_overview_leads_to_a_check_and_the_check_says_what_is_wrong() {
    let server = server();
    let check = server.check("backup", 3600, 300, &json!({"name": "Night backup"}));
    server.ping_with(
        &check,
        "/3",
        &[("x-pakyas-duration", "1234")],
        b"step 1\n\x1b[31mdisk full\x1b[0m on /backups\n",
    );
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let overview = browser.get("/");
    assert!(
        overview
            .body
            .contains(&format!("href=\"{}\"", path(&check)))
    );
    assert!(overview.body.contains("failed with exit code 3"));
    assert!(overview.body.contains("disk full on /backups</code>"));
    assert!(overview.body.contains("<title>1 down · Acme"));
    let page = browser.get(&path(&check));
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<h1>Night backup</h1>"));
    assert!(page.body.contains("</span> down</span> since <time"));
    assert!(page.body.contains("The last run failed with exit code 3"));
    let wrote = between(&page, "what the last run wrote\">", "</pre>");
    assert_eq!(wrote, "step 1\ndisk full on /backups\n");
    assert!(page.body.contains("Every hour; 5m grace"));
    assert!(page.body.contains(" data-refresh=\"30\""));
    // Without a script nothing is taken from under the reader's hands.
    assert!(!page.body.contains("http-equiv=\"refresh\""));
    assert!(page.body.contains("<a href=\"\">Reload</a>"));
}

#[test]
fn of_a_long_output_the_last_lines_are_shown_whole_and_that_they_are_the_last_is_said() {
    let server = server();
    let check = server.check("backup", 3600, 300, &NONE);
    let output: String = (1..=300)
        .map(|line| format!("line {line} of what it wrote\n"))
        .collect();
    let output = format!("{output}\ndisk full on /backups\n\n");
    server.ping_with(&check, "/fail", &[], output.as_bytes());
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&path(&check));
    let now = between(&page, "<section class=\"now", "</section>");
    assert!(now.contains("The last 10 lines that it wrote:"), "{now}");
    let wrote = between(&page, "what the last run wrote\">", "</pre>");
    assert!(wrote.starts_with("line 293 of what it wrote\n"), "{wrote}");
    assert!(wrote.ends_with("line 300 of what it wrote\n\ndisk full on /backups\n"));
    assert_eq!(wrote.lines().count(), 10);
    let link = between(&page, "</pre>\n<p><a href=\"", "\"").to_owned();
    assert!(
        browser
            .get(&link)
            .body
            .contains("line 1 of what it wrote\n")
    );
    // One line without an end has both its ends.
    let line = format!(
        "{{\"trace\":\"{}\",\"error\":\"disk full\"}}",
        "x".repeat(900)
    );
    server.ping_with(&check, "/fail", &[], line.as_bytes());
    let page = browser.get(&path(&check));
    assert!(page.body.contains("The last line that it wrote:"));
    let wrote = between(&page, "what the last run wrote\">", "</pre>");
    assert!(wrote.starts_with("{&#34;trace&#34;:&#34;xxx"), "{wrote}");
    assert!(wrote.contains(" … ") && wrote.ends_with("disk full&#34;}\n"));
}

#[test]
fn a_check_that_nobody_hears_of_leads_to_the_channels_and_one_that_fails_is_named() {
    let server = server();
    let check = server.check("sync", 3600, 300, &NONE);
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&path(&check));
    let alerts = between(&page, "<h2 id=\"alerts\">", "</section>");
    let link = format!("href=\"/settings/channels?org={}\"", server.org_id);
    assert!(
        alerts.contains("so nobody is told") && alerts.contains(&link),
        "{alerts}"
    );
    assert!(
        browser
            .get(link.split('"').nth(1).unwrap())
            .body
            .contains("Who hears when a check")
    );
    let pager = server.webhook("pager", "http://127.0.0.1:9/", None);
    sql(
        &server,
        &format!("UPDATE channel SET failing_since = {};", now() - 7_200_000),
    );
    let page = browser.get(&path(&check));
    let alerts = between(&page, "<h2 id=\"alerts\">", "</section>");
    let link = format!(
        "/settings/channels/{}\">pager</a> has been failing",
        pager["id"].as_str().unwrap()
    );
    assert!(alerts.contains(&link), "{alerts}");
    sql(&server, "UPDATE channel SET enabled = 0;");
    assert!(!browser.get(&path(&check)).body.contains("has been failing"));
    sql(
        &server,
        "UPDATE channel SET disabled_reason = 'it is gone';",
    );
    let page = browser.get(&path(&check));
    let alerts = between(&page, "<h2 id=\"alerts\">", "</section>");
    assert!(alerts.contains("pager</a> is off: it is gone."), "{alerts}");
}

#[test]
fn a_schedule_is_told_in_words_with_the_next_five_times() {
    let server = server();
    let check = server.check(
        "nightly",
        3600,
        1800,
        &json!({"cron_expression": "0 2 * * *", "timezone": "Asia/Manila"}),
    );
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&path(&check));
    let words = "Every day at 02:00, Asia/Manila; 30m grace";
    assert!(page.body.contains(words), "{}", page.body);
    let next = between(&page, "<ol class=\"next\">", "</ol>");
    assert_eq!(next.matches("<li>").count(), 5);
    assert_eq!(next.matches("T18:00:00Z\"").count(), 10, "{next}");
    let odd = server.check(
        "odd",
        3600,
        1800,
        &json!({"cron_expression": "*/7 * * * *"}),
    );
    let page = browser.get(&path(&odd));
    assert!(page.body.contains("As cron has it, UTC"));
    assert!(page.body.contains("<code>*/7 * * * *</code>"));
    let by_period = server.check("by-period", 3600, 300, &NONE);
    let page = browser.get(&path(&by_period));
    assert!(page.body.contains("expected from its first report on"));
    server.ping(&by_period, "");
    let page = browser.get(&path(&by_period));
    let next = between(&page, "<ol class=\"next\">", "</ol>");
    assert_eq!(next.matches("<li>").count(), 5);
}

#[test]
fn what_a_run_wrote_is_shown_when_it_is_asked_for() {
    let server = server();
    let check = server.check("sync", 3600, 300, &NONE);
    server.ping_with(&check, "/1", &[], b"old output of the first run\n");
    server.ping(&check, "");
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&path(&check));
    assert!(!page.body.contains("old output"), "{}", page.body);
    let row = between(&page, "failed with exit code 1</span></td>", "</tr>");
    let link = row.split("href=\"").nth(1).unwrap();
    let link = link.split('"').next().unwrap();
    let run = browser.get(link);
    assert_eq!(run.status, 200);
    assert!(run.body.contains(">old output of the first run\n</pre>"));
    for wrong in ["none", "00000000-0000-8000-8000-000000000000"] {
        let page = browser.get(&format!("{}/runs/{wrong}", path(&check)));
        assert_eq!(page.status, 404);
    }
    let other = server.check("other", 3600, 300, &NONE);
    let id = link.rsplit('/').next().unwrap();
    let page = browser.get(&format!("{}/runs/{id}", path(&other)));
    assert_eq!(page.status, 404, "a run of another check");
}

#[test]
fn a_run_that_has_not_ended_is_in_the_list_and_one_that_has_is_there_once() {
    let server = server();
    let check = server.check("sync", 3600, 300, &NONE);
    let run = |id: &'static str, suffix: &str| {
        server.ping_with(&check, suffix, &[("x-pakyas-run", id)], b"")
    };
    run("a", "/start");
    run("a", "");
    run("b", "/start");
    let page = Browser::signed_in(&server, "me@acme.example").get(&path(&check));
    let runs = between(&page, "<table class=\"checks runs\">", "</table>");
    assert_eq!(runs.matches("</span> succeeded").count(), 1, "{runs}");
    assert_eq!(runs.matches("started, no end yet").count(), 1, "{runs}");
    assert!(page.body.contains("A run is under way"));
}

#[test]
fn alerts_are_listed_with_whom_they_reached() {
    let server = server();
    let hook = Hook::start();
    server.webhook("pager", &hook.url, None);
    let check = server.check("sync", 3600, 300, &NONE);
    server.ping(&check, "/fail");
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = wait_for("the alert to be told", || {
        let page = browser.get(&path(&check));
        page.body
            .contains("<span class=\"delivered\">")
            .then_some(page)
    });
    let alerts = between(&page, "<table class=\"checks alerts\">", "</table>");
    assert!(alerts.contains("<td>sync failed</td>"), "{alerts}");
    assert!(alerts.contains("pager <small>(webhook)</small>"));
    assert!(page.body.contains("One channel hears of this check"));
}

#[test]
fn lines_to_copy_name_this_check_and_this_server() {
    let server = server();
    let check = server.check("sync", 3600, 300, &NONE);
    let page = Browser::signed_in(&server, "me@acme.example").get(&path(&check));
    let url = check["ping_url"].as_str().unwrap();
    for text in [
        "0 * * * * pakyas monitor sync -- /path/to/job.sh".to_owned(),
        format!("{url}/start"),
        format!("{url}/$?"),
        "ExecStart=/usr/local/bin/pakyas monitor sync -- ".to_owned(),
        "kind: CronJob".to_owned(),
        "PAKYAS_API_KEY: ${{ secrets.PAKYAS_API_KEY }}".to_owned(),
        "PAKYAS_PROJECT: &#39;production&#39;".to_owned(),
    ] {
        assert!(page.body.contains(&text), "{text}: {}", page.body);
    }
    // Without a script there is no button that does nothing.
    assert!(page.body.contains("data-copy=\"ping-url\" hidden>"));
}

#[test]
fn a_member_pauses_resumes_and_deletes_after_being_asked() {
    let server = server();
    let check = server.check("sync", 3600, 300, &NONE);
    server.ping(&check, "");
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let here = path(&check);
    let page = browser.get(&here);
    assert!(page.body.contains(&format!("href=\"{here}/edit\"")));
    let answer = browser.send(&form(&page, &format!("{here}/pause")));
    let page = browser.follow(&answer);
    assert_eq!(server.show(&check)["status"], "paused");
    assert!(page.body.contains("Nothing is expected while it is paused"));
    let answer = browser.send(&form(&page, &format!("{here}/resume")));
    let page = browser.follow(&answer);
    assert_eq!(server.show(&check)["status"], "up");
    assert!(page.body.contains(&format!("href=\"{here}/delete\"")));
    let page = browser.get(&format!("{here}/delete"));
    assert!(page.body.contains("Delete sync?"));
    assert_eq!(
        server.show(&check)["status"],
        "up",
        "asking deletes nothing"
    );
    let answer = browser.send(&form(&page, &format!("{here}/delete")));
    let page = browser.follow(&answer);
    assert_eq!(page.status, 200);
    assert!(!page.body.contains(">sync<"));
    assert_eq!(browser.get(&here).status, 404);
}

#[test]
fn a_form_without_its_token_changes_nothing() {
    let server = server();
    let check = server.check("sync", 3600, 300, &NONE);
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    let page = browser.get(&path(&check));
    for act in ["pause", "resume", "delete"] {
        let action = format!("{}/{act}", path(&check));
        let good = form(&page, &action);
        for bad in [
            good.clone().without("csrf"),
            good.clone().with("csrf", "00"),
        ] {
            assert_eq!(browser.send(&bad).status, 403, "{act}");
        }
        let answer = browser.send_from(&good, Some("https://evil.example"));
        assert_eq!(answer.status, 403, "{act}");
    }
    for act in ["pause", "resume"] {
        let page = browser.get(&format!("{}/{act}", path(&check)));
        assert_eq!(page.status, 405, "{act}");
    }
    assert_eq!(server.show(&check)["status"], "new");
}

#[test]
fn who_may_only_look_sees_no_buttons_and_can_press_none() {
    let server = server();
    add_user(&server, "ro@acme.example", "Acme", "read-only");
    let check = server.check("sync", 3600, 300, &NONE);
    let mut browser = Browser::signed_in(&server, "ro@acme.example");
    let page = browser.get(&path(&check));
    assert_eq!(page.status, 200);
    for act in ["pause", "delete", "edit"] {
        let action = format!("{}/{act}", path(&check));
        assert!(!page.body.contains(&action), "{act}");
    }
    for act in ["pause", "delete"] {
        let action = format!("{}/{act}", path(&check));
        assert_eq!(browser.send(&form(&page, &action)).status, 403, "{act}");
    }
    assert_eq!(browser.get(&format!("{}/delete", path(&check))).status, 403);
    assert_eq!(server.show(&check)["status"], "new");
}

#[test]
fn another_organization_finds_no_check_and_nobody_without_signing_in() {
    let server = server();
    let check = server.check("victim", 3600, 300, &NONE);
    server.ping_with(&check, "/fail", &[], b"their secret\n");
    let here = path(&check);
    let run = server.history(&check)[0]["id"].to_string();
    server.organization("Other", "me@example.com");
    add_user(&server, "them@other.example", "Other", "owner");
    let mut browser = Browser::signed_in(&server, "them@other.example");
    let own = browser.get("/account");
    for path in [
        here.clone(),
        format!("{here}/delete"),
        format!("{here}/runs/{run}"),
        "/checks/none".to_owned(),
    ] {
        let page = browser.get(&path);
        assert_eq!(page.status, 404, "{path}");
        assert!(!page.body.contains("victim") && !page.body.contains("their secret"));
    }
    for act in ["pause", "resume", "delete"] {
        let action = format!("{here}/{act}");
        assert_eq!(browser.send(&form(&own, &action)).status, 404, "{act}");
    }
    assert_eq!(server.show(&check)["status"], "down");
    let mut nobody = Browser::new(&server);
    let answer = nobody.get(&here);
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), format!("/sign-in?next={here}"));
}

#[test]
fn a_stored_script_stays_text_on_every_page_of_a_check() {
    let server = server();
    let script = "\"><script>alert(1)</script>";
    let check = server.check(
        "evil",
        3600,
        300,
        &json!({"name": script, "description": script, "tags": [script]}),
    );
    let headers = [("user-agent", script), ("x-pakyas-run", script)];
    server.ping_with(&check, "/fail", &headers, script.as_bytes());
    let window = json!({"org_id": server.org_id, "reason": script,
        "starts_at": at(now()), "ends_at": at(now() + DAY)});
    assert!(server.api("POST", "/maintenance", Some(&window)).status < 300);
    server.channel("webhook", script, "http://127.0.0.1:9/", &NONE);
    server.ping(&check, "");
    server.ping_with(&check, "/fail", &headers, script.as_bytes());
    let run = server.history(&check)[0]["id"].to_string();
    let here = path(&check);
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    for path in [
        here.clone(),
        format!("{here}/delete"),
        format!("{here}/runs/{run}"),
        format!("{here}?span=%22%3E%3Cscript%3E&before=%3Cscript%3E&alerts=%3Cscript%3E"),
    ] {
        let page = browser.get(&path);
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains("<script>"), "{path}: {}", page.body);
        assert!(page.body.contains("alert(1)"), "{path}");
        assert!(!page.body.contains(" style="), "{path}");
    }
}

/// A run every ten minutes for thirty days, each hundredth failed, with outputs; a day of
/// silence, and as many changes of status.
fn thirty_days(server: &Server, check: &Value) {
    let id = check["id"].as_str().unwrap().replace('-', "");
    let from = now() - 30 * DAY;
    sql(
        server,
        &format!(
            "BEGIN;
             UPDATE check_ SET created_at = {from} WHERE id = x'{id}';
             WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4319)
             INSERT INTO ping (check_row, kind, exit_code, created_at, received_at, duration_ms,
                 run_id, source_ip, user_agent, max_rss_kb, body)
             SELECT (SELECT row FROM check_ WHERE id = x'{id}'),
                 iif(i % 100 = 50, 'fail', 'success'), iif(i % 100 = 50, 1, 0),
                 {from} + i * 600000, {from} + i * 600000, 10000 + i % 977, 'run-' || i,
                 '10.0.0.1', 'pakyas/0.1.0', 65536 + i % 991,
                 iif(i % 100 = 50, CAST(replace(hex(zeroblob(4999)), '0', '<') AS BLOB), NULL)
             FROM n;
             WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 8639)
             INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status,
                 to_status)
             SELECT (SELECT row FROM check_ WHERE id = x'{id}'), 'status_changed', 'ping',
                 {from} + i * 300000, {from} + i * 300000,
                 CASE WHEN i = 0 THEN 'new' WHEN i % 2 = 1 THEN 'up' ELSE 'late' END,
                 iif(i % 2 = 1, 'late', 'up')
             FROM n;
             COMMIT;"
        ),
    );
}

#[test]
fn thirty_days_of_runs_weigh_less_than_100_kb_and_none_is_lost() {
    let server = server();
    let check = server.check("busy", 600, 60, &NONE);
    thirty_days(&server, &check);
    server.ping_with(&check, "/fail", &[], &[b'<'; 10_000]);
    let here = path(&check);
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    for query in ["", "?span=24h", "?span=7d", "?span=30d", "?span=90d"] {
        let page = browser.get(&format!("{here}{query}"));
        assert_eq!(page.status, 200);
        assert!(page.bytes.len() < 100_000, "{query}: {}", page.bytes.len());
    }
    let page = browser.get(&format!("{here}?span=30d"));
    let run = between(&page, "<a data-output href=\"", "\"").to_owned();
    let output = browser.get(&run);
    assert!(output.bytes.len() < 100_000, "{}", output.bytes.len());
    // Six pages back, every run is there once.
    let (mut seen, mut next) = (std::collections::HashSet::new(), here.clone());
    for number in 1..=6 {
        let page = browser.get(&next);
        for link in page.body.split("<a data-output href=\"").skip(1) {
            assert!(seen.insert(link.split('"').next().unwrap().to_owned()));
        }
        assert_eq!(seen.len(), 25 * number);
        let before = between(&page, "?before=", "#");
        next = format!("{here}?before={before}");
    }
}

#[test]
fn uptime_counts_neither_pauses_nor_the_time_before_the_first_ping() {
    let server = server();
    let check = server.check("sync", 3600, 300, &NONE);
    let mut browser = Browser::signed_in(&server, "me@acme.example");
    server.ping(&check, "");
    let row = row(&check);
    let hour = 3_600_000;
    let ago = |hours: i64| now() - hours * hour;
    let change = |at: i64, from: &str, to: &str| {
        format!(
            "INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status,
                 to_status) VALUES ({row}, 'status_changed', 'ping', {at}, {at}, '{from}', '{to}');"
        )
    };
    sql(
        &server,
        &[
            format!(
                "DELETE FROM event; UPDATE check_ SET created_at = {};",
                ago(23)
            ),
            change(ago(20), "new", "up"),
            change(ago(16), "up", "paused"),
            change(ago(6), "paused", "up"),
            change(ago(4), "up", "down"),
            change(ago(2), "down", "up"),
        ]
        .concat(),
    );
    let page = browser.get(&path(&check));
    let uptime = between(&page, "24 hours</span>", "</li>");
    // Up for 4, 2 and 2 hours, down for 2.
    assert!(
        uptime.contains("80.00 %") || uptime.contains("79.99 %"),
        "{uptime}"
    );
    assert!(uptime.contains("down for 2h, watched for "), "{uptime}");
    let fresh = server.check("fresh", 3600, 300, &NONE);
    server.ping(&fresh, "/log");
    let page = browser.get(&path(&fresh));
    assert!(!page.body.contains(" %</b>"), "{}", page.body);
}
