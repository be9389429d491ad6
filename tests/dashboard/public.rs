//! What everybody may see of a project: off until an admin says so, and no more than names and
//! states then.

use serde_json::{Value, json};

use crate::dashboard::add_user;
use crate::support::browser::{Browser, form};
use crate::support::server::{Answer, Server};

const NONE: Value = Value::Null;

fn server() -> Server {
    let server = Server::start();
    add_user(&server, "me@acme.example", "Acme", "admin");
    server
}

fn settings(server: &Server) -> String {
    format!("/projects/{}/public", server.project_id)
}

/// Sends the form of the project's public things with these fields.
fn send(server: &Server, browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> Answer {
    let path = settings(server);
    let mut form = form(&browser.get(&path), &path);
    for (name, value) in fields {
        form = form.with(name, value);
    }
    browser.send(&form)
}

/// The same, where it must be done; gives the page after it.
#[track_caller]
fn change(server: &Server, browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> String {
    let answer = send(server, browser, fields);
    browser.follow(&answer).body
}

/// The first path of this kind in a page, up to a quote or a bracket.
fn path_in(server: &Server, page: &str, kind: &str) -> String {
    let start = format!("{}{kind}", server.url);
    let mut found = page.match_indices(&start).map(|(at, _)| {
        let rest = &page[at + server.url.len()..];
        let end = rest.find(['"', ')', '<']).unwrap();
        rest[..end].to_owned()
    });
    found
        .find(|path| path.len() > kind.len())
        .unwrap_or_else(|| panic!("no {kind}: {page}"))
}

/// A stranger's request.
fn get(server: &Server, path: &str) -> Answer {
    server.request("GET", path, &[], b"").unwrap()
}

#[test]
fn a_project_shows_nothing_until_its_page_is_switched_on() {
    let server = server();
    let broken = server.check(
        "nightly-dump",
        3600,
        300,
        &json!({"description": "hidden words"}),
    );
    server.ping_with(&broken, "/fail", &[], b"the secret output");
    let mut me = Browser::signed_in(&server, "me@acme.example");
    let page = me.get(&settings(&server)).body;
    assert!(page.contains("It is switched off"), "{page}");
    let page = change(&server, &mut me, &[("action", "page")]);
    let path = path_in(&server, &page, "/status/");
    assert_eq!(path.len(), "/status/".len() + 32, "{path}");

    let answer = get(&server, &path);
    assert_eq!(answer.status, 200);
    for text in [
        "Production",
        "nightly-dump",
        "Of 1 jobs: 1 down",
        "The last run failed, since <time",
    ] {
        assert!(answer.body.contains(text), "no {text}: {}", answer.body);
    }
    for secret in [
        "the secret output",
        "hidden words",
        broken["id"].as_str().unwrap(),
        broken["public_id"].as_str().unwrap(),
        &server.project_id,
        &server.org_id,
        "me@",
        "sign-in",
    ] {
        assert!(!answer.body.contains(secret), "{secret}: {}", answer.body);
    }
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(answer.header("cache-control"), "public, max-age=30");
    assert_eq!(answer.header("x-robots-tag"), "noindex");
    assert!(
        answer
            .body
            .contains("<meta name=\"robots\" content=\"noindex\">")
    );

    change(&server, &mut me, &[("action", "no-page")]);
    let off = get(&server, &path);
    let unknown = get(&server, "/status/00000000000000000000000000000000");
    assert_eq!((off.status, unknown.status), (404, 404));
    assert_eq!(off.body, unknown.body);
    assert_eq!(off.header("set-cookie"), "");
}

#[test]
fn a_page_moves_to_a_path_of_its_own_and_leaves_none_behind() {
    let server = server();
    let mut me = Browser::signed_in(&server, "me@acme.example");
    let page = change(&server, &mut me, &[("action", "page")]);
    let random = path_in(&server, &page, "/status/");
    // Saved again without a change it stays where it is.
    let page = change(&server, &mut me, &[("action", "page")]);
    assert_eq!(path_in(&server, &page, "/status/"), random);
    let fields = [("action", "page"), ("path", "Acme-Jobs"), ("listed", "yes")];
    change(&server, &mut me, &fields);
    assert_eq!(get(&server, &random).status, 404);
    let chosen = get(&server, "/status/acme-jobs");
    assert_eq!(chosen.status, 200);
    assert_eq!(chosen.header("x-robots-tag"), "");
    assert!(!chosen.body.contains("noindex"));
    let page = change(&server, &mut me, &[("action", "random")]);
    let other = path_in(&server, &page, "/status/");
    assert_ne!(other, random);
    assert_eq!(get(&server, "/status/acme-jobs").status, 404);
    assert_eq!(get(&server, &other).status, 200);

    let bad = send(&server, &mut me, &[("action", "page"), ("path", "a/../b")]);
    assert_eq!(bad.status, 422);
    assert!(bad.body.contains("small letters, digits and hyphens") && bad.body.contains("a/../b"));
    assert_eq!(get(&server, &other).status, 200);
}

#[test]
fn two_pages_can_not_have_the_same_path() {
    let server = server();
    let mut me = Browser::signed_in(&server, "me@acme.example");
    let fields = [("action", "page"), ("path", "jobs")];
    change(&server, &mut me, &fields);
    let body = json!({"org_id": server.org_id, "name": "Staging"});
    let other = server.api("POST", "/projects", Some(&body)).json();
    let path = format!("/projects/{}/public", other["id"].as_str().unwrap());
    let form = form(&me.get(&path), &path)
        .with("action", "page")
        .with("path", "JOBS");
    let answer = me.send(&form);
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains("Choose another"), "{}", answer.body);
}

#[test]
fn only_owners_and_admins_of_the_organization_decide() {
    let server = server();
    server.organization("Other", "me@example.com");
    add_user(&server, "them@other.example", "Other", "owner");
    add_user(&server, "looks@acme.example", "Acme", "read-only");
    add_user(&server, "works@acme.example", "Acme", "member");
    let path = settings(&server);
    let mut me = Browser::signed_in(&server, "me@acme.example");
    let mine = form(&me.get(&path), &path).with("action", "page");
    // Others don't even see that it is there.
    let mut them = Browser::signed_in(&server, "them@other.example");
    assert_eq!(them.get(&path).status, 404);
    assert_eq!(them.send(&mine).status, 403, "the token is mine");
    let own = crate::dashboard::form_to(&them.get("/account"), &path, &[("action", "page")]);
    assert_eq!(them.send(&own).status, 404);
    for email in ["looks@acme.example", "works@acme.example"] {
        let mut browser = Browser::signed_in(&server, email);
        let page = browser.get(&path);
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("name=\"action\""), "{}", page.body);
        // A form of theirs that the page does not offer: that of signing out has their token.
        let token = page.body.split("name=\"csrf\" value=\"").nth(1).unwrap();
        let token = token.split('"').next().unwrap();
        let answer = browser.send(&mine.clone().with("csrf", token));
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains("Only owners and admins"), "{answer:?}");
    }
    // Nor is anything done for a form of another page.
    assert_eq!(me.send(&mine.clone().without("csrf")).status, 403);
    let evil = me.send_from(&mine, Some("https://evil.example"));
    assert_eq!(evil.status, 403);
    assert!(me.get(&path).body.contains("It is switched off"));
    let mut nobody = Browser::new(&server);
    let answer = nobody.get(&path);
    assert_eq!(answer.header("location"), format!("/sign-in?next={path}"));
}

#[test]
fn days_of_the_past_are_told_by_what_happened_then() {
    let mut server = server();
    let check = server.check("nightly", 86_400, 3600, &NONE);
    server.ping(&check, "");
    let day = 86_400_000;
    server.kill();
    let db = rusqlite::Connection::open(server.database()).unwrap();
    // Up for ten days, but for an hour five days ago.
    db.execute_batch(&format!(
        "DELETE FROM event;
         INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status, to_status)
         SELECT row, 'status_changed', 'ping', status_since + at, status_since + at, was, became
         FROM check_ JOIN (SELECT {} AS at, 'new' AS was, 'up' AS became
             UNION ALL SELECT {}, 'up', 'down' UNION ALL SELECT {}, 'down', 'up')
         ORDER BY at;",
        -10 * day,
        -5 * day,
        -5 * day + 3_600_000
    ))
    .unwrap();
    drop(db);
    server.restart();
    let mut me = Browser::signed_in(&server, "me@acme.example");
    change(&server, &mut me, &[("action", "page"), ("path", "jobs")]);
    let page = get(&server, "/status/jobs").body;
    assert!(page.contains("All jobs run as they should"), "{page}");
    // An hour of ten days, which may lie on both sides of midnight.
    let strips = [
        "10 days without trouble, 1 with trouble, 79 without data",
        "9 days without trouble, 2 with trouble, 79 without data",
    ];
    assert!(strips.iter().any(|one| page.contains(one)), "{page}");
    assert!(page.contains("99.58 % without trouble"), "{page}");
}

#[test]
fn the_public_page_of_many_jobs_has_pages_and_tells_what_is_wrong_on_any_of_them() {
    let server = server();
    for number in 0..61 {
        server.check(&format!("job-{number:02}"), 3600, 300, &json!({}));
    }
    let last = server.check("zz-last", 3600, 300, &json!({}));
    server.ping(&last, "/fail");
    let mut me = Browser::signed_in(&server, "me@acme.example");
    change(&server, &mut me, &[("action", "page"), ("path", "jobs")]);

    let first = get(&server, "/status/jobs").body;
    assert!(first.contains("Of 62 jobs: 1 down"), "{first}");
    // As what is wrong now, though the list does not reach it.
    assert_eq!(first.matches("zz-last").count(), 1, "{first}");
    assert!(first.contains("job-59") && !first.contains("job-60"));
    assert!(
        first.contains("<a href=\"?page=2\">More jobs</a>"),
        "{first}"
    );
    assert!(!first.contains("Jobs before these"), "{first}");

    let second = get(&server, "/status/jobs?page=2").body;
    assert!(second.contains("Of 62 jobs: 1 down"), "{second}");
    assert_eq!(second.matches("zz-last").count(), 2, "{second}");
    assert!(second.contains("job-60") && !second.contains("job-59"));
    assert!(
        second.contains("<a href=\"?page=1\">Jobs before these</a>"),
        "{second}"
    );
    assert!(!second.contains("More jobs"), "{second}");

    for odd in ["0", "x", "-1", "99999999999999999999"] {
        let page = get(&server, &format!("/status/jobs?page={odd}"));
        assert!(page.status == 200 && page.body.contains("job-00"), "{odd}");
    }
    // Past the end there is nothing but the way back.
    let page = get(&server, "/status/jobs?page=7").body;
    assert!(
        page.contains("?page=6") && !page.contains("job-00"),
        "{page}"
    );
}

#[test]
fn of_what_is_wrong_now_the_worst_stands_first() {
    let server = server();
    for (slug, status) in [
        ("a-late", "late"),
        ("b-long", "overrunning"),
        ("c-down", "down"),
    ] {
        let check = server.check(slug, 3600, 300, &json!({}));
        let row = crate::dashboard::row(&check);
        let status = format!("UPDATE check_ SET status = '{status}' WHERE row = {row};");
        crate::dashboard::sql(&server, &status);
    }
    let mut me = Browser::signed_in(&server, "me@acme.example");
    change(&server, &mut me, &[("action", "page"), ("path", "jobs")]);
    let page = get(&server, "/status/jobs").body;
    let wrong = page.split("<ul class=\"incidents\">").nth(1).unwrap();
    let wrong = wrong.split("</ul>").next().unwrap();
    let at = |name: &str| {
        wrong
            .find(name)
            .unwrap_or_else(|| panic!("no {name}: {wrong}"))
    };
    assert!(
        at("c-down") < at("b-long") && at("b-long") < at("a-late"),
        "{wrong}"
    );
}

#[test]
fn badges_tell_how_a_check_a_tag_and_a_project_are() {
    let server = server();
    let well = server.check("well", 3600, 300, &json!({"tags": ["db"]}));
    let broken = server.check("broken", 3600, 300, &json!({"tags": ["db", "web"]}));
    server.ping(&well, "");
    let mut me = Browser::signed_in(&server, "me@acme.example");
    let page = change(&server, &mut me, &[("action", "badges")]);
    let badge = |label: &str| {
        let start = format!("![{label}](");
        let at = page
            .find(&start)
            .unwrap_or_else(|| panic!("no {label}: {page}"));
        path_in(&server, &page[at..], "/badge/")
    };
    let (project, db, web) = (badge("Production"), badge("db"), badge("web"));
    let (well_badge, broken_badge) = (badge("well"), badge("broken"));
    let says = |path: &str| {
        let answer = get(&server, path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.header("set-cookie"), "");
        assert!(answer.header("cache-control").starts_with("no-cache"));
        assert!(answer.header("content-type").starts_with("image/svg+xml"));
        let title = answer.body.split("<title>").nth(1).unwrap().to_owned();
        title.split('<').next().unwrap().to_owned()
    };
    assert_eq!(says(&well_badge), "well: up");
    assert_eq!(says(&broken_badge), "broken: new");
    assert_eq!(says(&db), "db: up");
    assert_eq!(says(&web), "web: new");
    assert_eq!(says(&project), "Production: up");
    let before = get(&server, &db);
    let tag = before.header("etag").to_owned();
    let again = || {
        let headers = [("if-none-match", tag.as_str())];
        server.request("GET", &db, &headers, b"").unwrap()
    };
    assert_eq!((again().status, again().bytes.len()), (304, 0));
    server.ping_with(&broken, "/fail", &[], b"oh");
    assert_eq!(again().status, 200);
    assert_eq!(says(&db), "db: down");
    assert_eq!(says(&project), "Production: down");
    assert_eq!(says(&well_badge), "well: up");
    let json = get(&server, &db.replace(".svg", ".json")).json();
    assert_eq!(
        (&json["schemaVersion"], &json["label"], &json["message"]),
        (&json!(1), &json!("db"), &json!("down"))
    );
    assert!(!db.contains(server.org_id.as_str()));

    // One badge tells nothing of the others, and none outlives the switch.
    let forged = format!("{}{:032x}.svg", &db[.."/badge/".len() + 16], 7);
    for path in [
        forged.as_str(),
        "/badge/",
        "/badge/x.svg",
        "/badge/é.svg",
        &db.replace(".svg", ".png"),
    ] {
        assert_eq!(get(&server, path).status, 404, "{path}");
    }
    let page = change(&server, &mut me, &[("action", "badges")]);
    assert_ne!(path_in(&server, &page, "/badge/"), project);
    assert_eq!(get(&server, &project).status, 404);
    change(&server, &mut me, &[("action", "no-badges")]);
    assert_eq!(
        get(&server, &path_in(&server, &page, "/badge/")).status,
        404
    );
}

#[test]
fn a_stored_script_stays_text_on_the_public_page_and_on_badges() {
    let server = server();
    let script = "\"'><script>alert(1)</script>](javascript:x)";
    let path = format!("/projects/{}", server.project_id);
    assert_eq!(
        server
            .api("PUT", &path, Some(&json!({"name": script})))
            .status,
        200
    );
    let check = server.check(
        "evil",
        3600,
        300,
        &json!({"name": script, "tags": [script]}),
    );
    server.ping_with(&check, "/fail", &[], script.as_bytes());
    let mut me = Browser::signed_in(&server, "me@acme.example");
    change(&server, &mut me, &[("action", "page"), ("path", "jobs")]);
    let page = change(&server, &mut me, &[("action", "badges")]);
    let badge = get(&server, &path_in(&server, &page, "/badge/"));
    let status = get(&server, "/status/jobs");
    for body in [&page, &badge.body, &status.body] {
        assert!(
            body.contains("alert(1)") && !body.contains("<script>"),
            "{body}"
        );
    }
    assert!(!page.contains("](javascript:x)]("), "{page}");
    assert_eq!(
        badge.header("content-security-policy"),
        "default-src 'none'"
    );
}

#[test]
fn what_is_for_everybody_can_only_be_looked_at() {
    let server = server();
    for path in ["/status/x", "/badge/x.svg"] {
        let answer = server.request("POST", path, &[], b"x").unwrap();
        assert_eq!(answer.status, 405, "{path}");
    }
    let mut me = Browser::signed_in(&server, "me@acme.example");
    change(&server, &mut me, &[("action", "page"), ("path", "jobs")]);
    let answer = server.request("HEAD", "/status/jobs", &[], b"").unwrap();
    assert_eq!((answer.status, answer.bytes.len()), (200, 0));
}
