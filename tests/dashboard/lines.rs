//! The lines that a check's page has to copy: each starts the job when the check expects it, or
//! is none that a program takes.

use serde_json::{Value, json};

use crate::dashboard::add_user;
use crate::support::browser::Browser;
use crate::support::server::Server;

/// The lines for one program, and the hint above them, of a check that is made with this.
fn lines(
    server: &Server,
    slug: &str,
    period: u64,
    more: &Value,
    program: &str,
) -> (String, String) {
    let check = server.check(slug, period, 300, more);
    let path = format!("/checks/{}", check["id"].as_str().unwrap());
    let page = Browser::signed_in(server, "me@acme.example")
        .get(&path)
        .body;
    let part = page.split(&format!("id=\"how-{program}\"")).nth(1).unwrap();
    let part = part
        .split("</details>")
        .next()
        .unwrap()
        .replace("&#39;", "'");
    let part = part.replace("&#34;", "\"");
    let between = |before: &str, after: &str| -> String {
        let rest = part.split(before).nth(1).unwrap();
        rest.split(after).next().unwrap().to_owned()
    };
    (
        between(&format!("id=\"lines-{program}\">"), "</code>"),
        between("<p class=\"hint\">", "</p>"),
    )
}

fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "member");
    server
}

#[test]
fn a_period_that_cron_can_t_say_gets_no_line_that_starts_the_job_at_other_times() {
    let server = server();
    for (slug, period, words) in [("a", 5_400, "every 1h 30m"), ("b", 18_000, "every 5h")] {
        for (program, line) in [
            ("crontab", "SCHEDULE pakyas monitor"),
            ("kubernetes", "schedule: \"SCHEDULE\""),
            ("github", "- cron: 'SCHEDULE'"),
        ] {
            let slug = format!("{slug}-{program}");
            let (text, hint) = lines(&server, &slug, period, &Value::Null, program);
            assert!(text.contains(line), "{text}");
            assert!(hint.contains(&format!("can't say {words}")), "{hint}");
        }
    }
}

#[test]
fn a_cron_check_of_a_zone_has_that_zone_wherever_its_line_goes() {
    let server = server();
    let nightly = json!({"cron_expression": "0 2 * * *", "timezone": "Asia/Manila"});
    let (text, _) = lines(&server, "a", 3600, &nightly, "crontab");
    assert!(text.contains("By the clock of Asia/Manila"), "{text}");
    assert!(text.contains("CRON_TZ=Asia/Manila") && text.contains("Debian's cron does not"));
    assert!(text.contains("\n0 2 * * * pakyas monitor a -- "), "{text}");
    assert!(text.lines().rev().skip(1).all(|line| line.starts_with('#')));
    let (text, _) = lines(&server, "b", 3600, &nightly, "kubernetes");
    let wanted = "  schedule: \"0 2 * * *\"\n  timeZone: Asia/Manila\n";
    assert!(text.contains(wanted), "{text}");
    let (text, hint) = lines(&server, "c", 3600, &nightly, "github");
    assert!(text.contains("- cron: '0 18 * * *'"), "{text}");
    assert!(hint.contains("this is 0 2 * * * in Asia/Manila"), "{hint}");
    // Berlin sets its clock, so no time of UTC is always 02:00 there.
    let berlin = json!({"cron_expression": "0 2 * * *", "timezone": "Europe/Berlin"});
    let (text, hint) = lines(&server, "d", 3600, &berlin, "github");
    assert!(text.contains("- cron: 'SCHEDULE'"), "{text}");
    assert!(hint.contains("02:00 there is 0"), "{hint}");
    let (text, _) = lines(&server, "e", 3600, &Value::Null, "crontab");
    assert_eq!(text.lines().count(), 1, "a period has no zone: {text}");
}

#[test]
fn what_only_this_server_knows_of_cron_is_copied_nowhere() {
    let server = server();
    let last = json!({"cron_expression": "45 23 L * *"});
    for program in ["crontab", "kubernetes", "github"] {
        let (text, hint) = lines(&server, program, 3600, &last, program);
        assert!(
            text.contains("SCHEDULE") && !text.contains("23 L"),
            "{text}"
        );
        assert!(hint.contains("no L, W or #"), "{hint}");
    }
}

#[test]
fn the_lines_for_curl_tell_the_start_and_the_end_of_one_run() {
    let server = server();
    let (text, _) = lines(&server, "a", 3_600, &Value::Null, "curl");
    let job = text
        .replace("&quot;", "\"")
        .replace("/path/to/job.sh", "(exit 3)");
    let output = std::process::Command::new("sh")
        .args(["-c", &job])
        .output()
        .unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("not found") {
        return eprintln!("skipped: there is no curl here");
    }
    assert!(output.status.success(), "{job}: {output:?}");
    let checks = server.api("GET", "/checks", None).json();
    let history = server.history(&checks[0]);
    let kinds: Vec<&Value> = history.iter().map(|ping| &ping["type"]).collect();
    assert_eq!(kinds, ["fail", "start"]);
    assert_eq!(history[0]["exit_code"], 3);
    assert!(history[0]["run_id"].is_string());
    assert_eq!(history[0]["run_id"], history[1]["run_id"]);
}
