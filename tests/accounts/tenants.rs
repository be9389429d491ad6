//! No organization sees or touches what is another's, and no key does more than it may: every
//! route is tried, with everything that a stranger could know.

use serde_json::{Value, json};

use crate::accounts::{admin_json, anyone, sql, with_token};
use crate::support::server::{Answer, Server};

const NONE: Value = Value::Null;

/// Where the routes stand; those that are forgotten here fail the test.
const ROUTES: &str = include_str!("../../src/server/api/mod.rs");

/// The routes that take no key, because they are how one comes by one.
const OPEN: [(&str, &str); 4] = [
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("POST", "/cli/auth/init"),
    ("GET", "/cli/auth/poll"),
];

/// The routes that answer a stranger with what is the stranger's own, whatever is asked.
const ABOUT_ONESELF: [&str; 2] = ["/me", "/organizations"];

/// The method and the parts of each route, in which a variable stands for an id: read from the
/// `match` that answers them.
fn routes() -> Vec<(String, Vec<String>)> {
    let mut routes = Vec::new();
    for arm in ROUTES.split("(\"").skip(1) {
        let Some((method, rest)) = arm.split_once("\", [") else {
            continue;
        };
        if !method.bytes().all(|b| b.is_ascii_uppercase()) {
            continue;
        }
        let parts = rest.split(']').next().unwrap();
        let parts = parts.split(',').map(|part| part.trim().to_owned());
        routes.push((method.to_owned(), parts.collect()));
    }
    assert!(routes.len() > 20, "the routes are not where they were");
    routes
}

/// Two organizations on one server, the first with one of everything.
struct Two {
    server: Server,
    /// An id of the victim's for each part of a path that an id follows.
    ids: Vec<(&'static str, String)>,
    stranger: String,
    reader: String,
    expired: String,
}

fn two() -> Two {
    let server = Server::start();
    let check = server.check("victim-check", 3600, 300, &NONE);
    server.ping_with(&check, "/fail", &[], b"victim output");
    let ping = server.history(&check)[0]["id"].to_string();
    let channel = server.webhook("victim-channel", "http://127.0.0.1:9/", None);
    let key = |words: &[&str]| {
        let made = admin_json(&server, words);
        made["key"].as_str().unwrap().to_owned()
    };
    admin_json(
        &server,
        &["org", "add", "Stranger", "--owner", "me@example.com"],
    );
    let stranger = key(&["key", "create", "s", "--org", "Stranger"]);
    let reader = key(&[
        "key", "create", "reader", "--org", "Acme", "--scopes", "read",
    ]);
    let expired = key(&["key", "create", "expired", "--org", "Acme"]);
    sql(
        &server,
        "UPDATE api_key SET expires_at = 1000 WHERE name = 'expired'",
    );
    let victims = server.api("GET", "/api-keys", None).json();
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let window = json!({"org_id": server.org_id, "reason": "victim's", "starts_at": "2036-01-01T00:00:00Z",
                        "ends_at": "2036-01-02T00:00:00Z"});
    let window = server.api("POST", "/maintenance", Some(&window)).json();
    let ids = vec![
        ("maintenance", id(&window)),
        ("projects", server.project_id.clone()),
        ("checks", id(&check)),
        ("pings", ping),
        ("channels", id(&channel)),
        ("api-keys", id(&victims["api_keys"][0])),
    ];
    Two {
        server,
        ids,
        stranger,
        reader,
        expired,
    }
}

impl Two {
    /// The route's path with the victim's ids in it.
    fn path(&self, parts: &[String]) -> String {
        let mut path = String::new();
        let mut before = "";
        for part in parts {
            path.push('/');
            match part.strip_prefix('"') {
                Some(word) => {
                    before = word.trim_end_matches('"');
                    path.push_str(before);
                }
                None => {
                    let id = self.ids.iter().find(|(known, _)| *known == before);
                    let (_, id) = id.unwrap_or_else(|| {
                        panic!("this test has no id of the victim's for what follows /{before}")
                    });
                    path.push_str(id);
                }
            }
        }
        path
    }

    /// A body that is good for any route, and names what is the victim's.
    fn body(&self) -> Value {
        let id = |name: &str| &self.ids.iter().find(|(known, _)| *known == name).unwrap().1;
        json!({
            "org_id": self.server.org_id, "project_id": self.server.project_id,
            "check_id": id("checks"), "name": "changed", "slug": "changed",
            "period_seconds": 60, "kind": "webhook", "target": "http://127.0.0.1:9/changed",
            "scopes": ["read"], "reason": "changed",
            "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2036-01-01T00:00:00Z",
        })
    }

    fn ask(&self, token: Option<&str>, org: Option<&str>, method: &str, path: &str) -> Answer {
        let body = if matches!(method, "POST" | "PUT" | "PATCH") {
            self.body()
        } else {
            NONE
        };
        match token {
            Some(token) => with_token(&self.server, token, org, method, path, &body),
            None => anyone(&self.server, method, path, &body),
        }
    }

    /// All that is kept, but when keys were used and what the engine notes by itself.
    fn kept(&self) -> String {
        let db = rusqlite::Connection::open(self.server.database()).unwrap();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' \
                      AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let mut statement = db.prepare(tables).unwrap();
        let names: Vec<String> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut all = String::new();
        for name in names {
            let mut statement = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                all.push_str(&name);
                for (index, column) in columns.iter().enumerate() {
                    if column != "last_used_at" {
                        all.push_str(&format!(" {column}={:?}", row.get_ref(index).unwrap()));
                    }
                }
                all.push('\n');
            }
        }
        all
    }
}

#[test]
fn no_route_lets_in_who_has_no_good_key_or_a_key_of_another_organization() {
    let two = two();
    let victim = two.server.org_id.clone();
    let before = two.kept();
    let mut closed = 0;
    for (method, parts) in routes() {
        let path = two.path(&parts);
        if OPEN.contains(&(method.as_str(), path.as_str())) {
            continue;
        }
        closed += 1;
        let what = format!("{method} {path}");
        for (token, expected) in [
            (None, 401),
            (Some("pk_live_wrong"), 401),
            (Some("pks_wrong"), 401),
            (Some(two.expired.as_str()), 401),
        ] {
            let answer = two.ask(token, None, &method, &path);
            // Who tries many unknown keys is soon not heard at all.
            let refused = answer.status == expected
                || (answer.status == 429 && token.is_some_and(|t| t.ends_with("wrong")));
            assert!(refused, "{what} with {token:?}: {answer:?}");
        }
        let queried = format!(
            "{path}?org_id={victim}&project_id={}&check_id={}",
            two.server.project_id, two.ids[2].1
        );
        for path in [&path, &queried] {
            for org in [None, Some(victim.as_str())] {
                let answer = two.ask(Some(&two.stranger), org, &method, path);
                let is_own = org.is_none()
                    && (ABOUT_ONESELF.contains(&path.split('?').next().unwrap())
                        || (parts.len() == 1 && method == "GET" && !path.contains('?')));
                if is_own && answer.status == 200 {
                    // The number of a ping is found in any text, and names nothing by itself.
                    let ids = two.ids.iter().filter(|(what, _)| *what != "pings");
                    for secret in ids.map(|(_, id)| id).chain([&victim]) {
                        assert!(!answer.body.contains(secret.as_str()), "{what}: {answer:?}");
                    }
                    assert!(!answer.body.contains("victim"), "{what}: {answer:?}");
                } else {
                    assert!(
                        [401, 403, 404].contains(&answer.status),
                        "{what} with a foreign key: {answer:?}"
                    );
                }
            }
        }
    }
    assert!(closed >= 18, "only {closed} routes were tried");
    assert_eq!(two.kept(), before, "something was changed");
}

#[test]
fn a_key_that_may_only_read_changes_nothing_on_any_route() {
    let two = two();
    let before = two.kept();
    for (method, parts) in routes() {
        let path = two.path(&parts);
        if OPEN.contains(&(method.as_str(), path.as_str())) {
            continue;
        }
        let answer = two.ask(Some(&two.reader), None, &method, &path);
        let expected = if method == "GET" { 200 } else { 403 };
        assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
    }
    assert_eq!(two.kept(), before, "something was changed");
}
