//! A server with a past: a dozen jobs in three projects, ninety days of runs, some of them bad.
//! What can't have happened while a test runs is written into its database, while it is away.

use serde_json::{Value, json};

use crate::browser::server;
use crate::support::server::Server;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A job: its project, what it is, how often it runs, how long that takes, and how its past was.
struct Job {
    project: usize,
    name: &'static str,
    slug: &'static str,
    tags: &'static [&'static str],
    /// Seconds.
    period: u64,
    grace: u64,
    /// A cron expression in place of the period.
    cron: Option<&'static str>,
    /// Milliseconds.
    duration: i64,
    /// Days ago on which it was down for some hours.
    bad_days: &'static [i64],
    now: Now,
}

/// What it is at the end.
enum Now {
    Well,
    Failed(&'static str),
    Missing,
    Late,
    Running,
    Overrunning,
    Paused,
    New,
}

const PROJECTS: [&str; 3] = ["Production", "Data", "Office"];

const JOBS: [Job; 12] = [
    Job {
        project: 0,
        name: "Database backup",
        slug: "db-backup",
        tags: &["db", "backup"],
        period: 86_400,
        grace: 3_600,
        cron: None,
        duration: 412_000,
        bad_days: &[41],
        now: Now::Failed(
            "pg_dump: error: could not write to /backups/app.dump: No space left on device",
        ),
    },
    Job {
        project: 0,
        name: "Certificates",
        slug: "certificates",
        tags: &["web"],
        period: 43_200,
        grace: 3_600,
        cron: None,
        duration: 3_100,
        bad_days: &[],
        now: Now::Well,
    },
    Job {
        project: 0,
        name: "Log rotation",
        slug: "log-rotation",
        tags: &[],
        period: 86_400,
        grace: 1_800,
        cron: Some("15 4 * * *"),
        duration: 900,
        bad_days: &[],
        now: Now::Well,
    },
    Job {
        project: 0,
        name: "Worker heartbeat",
        slug: "worker",
        tags: &["web"],
        period: 300,
        grace: 600,
        cron: None,
        duration: 40,
        bad_days: &[12, 13, 60],
        now: Now::Well,
    },
    Job {
        project: 0,
        name: "Session cleanup",
        slug: "session-cleanup",
        tags: &["db"],
        period: 3_600,
        grace: 600,
        cron: None,
        duration: 5_400,
        bad_days: &[],
        now: Now::Missing,
    },
    Job {
        project: 1,
        name: "Orders to warehouse",
        slug: "orders-etl",
        tags: &["etl"],
        period: 3_600,
        grace: 900,
        cron: None,
        duration: 184_000,
        bad_days: &[3, 25],
        now: Now::Running,
    },
    Job {
        project: 1,
        name: "Search index",
        slug: "search-index",
        tags: &["etl", "web"],
        period: 21_600,
        grace: 1_800,
        cron: None,
        duration: 760_000,
        bad_days: &[],
        now: Now::Overrunning,
    },
    Job {
        project: 1,
        name: "Exchange rates",
        slug: "exchange-rates",
        tags: &["etl"],
        period: 3_600,
        grace: 7_200,
        cron: None,
        duration: 1_200,
        bad_days: &[33, 34],
        now: Now::Late,
    },
    Job {
        project: 1,
        name: "Model training",
        slug: "model-training",
        tags: &["etl"],
        period: 604_800,
        grace: 7_200,
        cron: None,
        duration: 5_100_000,
        bad_days: &[],
        now: Now::Well,
    },
    Job {
        project: 2,
        name: "Weekly sales report",
        slug: "weekly-sales",
        tags: &["report"],
        period: 604_800,
        grace: 7_200,
        cron: Some("0 6 * * 1"),
        duration: 31_000,
        bad_days: &[],
        now: Now::Well,
    },
    Job {
        project: 2,
        name: "Invoices by mail",
        slug: "invoices",
        tags: &["report"],
        period: 86_400,
        grace: 3_600,
        cron: None,
        duration: 12_500,
        bad_days: &[],
        now: Now::Paused,
    },
    Job {
        project: 2,
        name: "Time sheets",
        slug: "time-sheets",
        tags: &[],
        period: 86_400,
        grace: 3_600,
        cron: None,
        duration: 0,
        bad_days: &[],
        now: Now::New,
    },
];

/// The server, and the ids of its projects; the first is `Production`.
pub fn lively() -> (Server, Vec<String>) {
    let mut server = server();
    let mut projects = vec![server.project_id.clone()];
    for name in &PROJECTS[1..] {
        let body = json!({ "org_id": server.org_id, "name": name });
        let made = server.api("POST", "/projects", Some(&body)).json();
        projects.push(made["id"].as_str().unwrap().to_owned());
    }
    let checks: Vec<Value> = JOBS
        .iter()
        .map(|job| {
            let mut more = json!({
                "name": job.name, "tags": job.tags, "project_id": projects[job.project],
            });
            if let Some(cron) = job.cron {
                more["cron_expression"] = cron.into();
                more["period_seconds"] = Value::Null;
            }
            if matches!(job.now, Now::Overrunning) {
                more["max_runtime_seconds"] = 900.into();
            }
            server.check(job.slug, job.period, job.grace, &more)
        })
        .collect();
    let now = jiff::Timestamp::now().as_millisecond();
    server.kill();
    remember(&server, &checks, now);
    server.restart();
    for (job, check) in JOBS.iter().zip(&checks) {
        bring_to_now(&server, job, check);
    }
    server.kill();
    date_back(&server, now);
    server.restart();
    // After all that there was to tell, so that nothing is sent to it.
    server.webhook("On call", "https://hooks.example.com/on-call", None);
    (server, projects)
}

/// Writes the runs and the changes of ninety days, but for the newest.
fn remember(server: &Server, checks: &[Value], now: i64) {
    let mut db = rusqlite::Connection::open(server.database()).unwrap();
    let db = db.transaction().unwrap();
    // The rows of pings and events are in the order of their arrival.
    let mut pings: Vec<(i64, i64, &str, i64, Option<&str>)> = Vec::new();
    let mut events: Vec<(i64, i64, &str, &str)> = Vec::new();
    for (row, job) in (1..).zip(&JOBS) {
        db.execute(
            "UPDATE check_ SET created_at = ? WHERE row = ?",
            (now - 95 * DAY, row),
        )
        .unwrap();
        if matches!(job.now, Now::New) {
            continue;
        }
        events.push((now - 89 * DAY, row, "new", "up"));
        for &days in job.bad_days {
            let (from, hours) = (now - days * DAY - 7 * HOUR, 1 + spread(days, 6));
            events.push((from, row, "up", "down"));
            events.push((from + hours * HOUR, row, "down", "up"));
        }
        let period = i64::try_from(job.period).unwrap() * 1000;
        // As many as a strip and a chart show; more of a frequent job would take long.
        let count = (89 * DAY / period).min(200);
        for back in (1..=count).rev() {
            let at = now - back * period - 20 * MINUTE;
            let was_bad = job
                .bad_days
                .iter()
                .any(|days| (now - days * DAY - 7 * HOUR..now - days * DAY - HOUR).contains(&at));
            let duration = job.duration * (70 + spread(back, 60)) / 100;
            let (kind, body) = if was_bad {
                ("fail", Some("connection refused"))
            } else {
                ("success", None)
            };
            pings.push((at, row, kind, duration, body));
        }
    }
    pings.sort_by_key(|ping| ping.0);
    events.sort_by_key(|event| event.0);
    for (at, row, kind, duration, body) in pings {
        db.prepare_cached(
            "INSERT INTO ping (check_row, kind, exit_code, created_at, received_at, duration_ms,
                 run_id, source_ip, user_agent, cpu_ms, max_rss_kb, body)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, 'run-' || ?4, '192.0.2.17', 'pakyas/0.1.0',
                 ?5 / 3, 40000 + ?5 % 9000, ?6)",
        )
        .unwrap()
        .execute((
            row,
            kind,
            i64::from(kind == "fail"),
            at,
            duration,
            body.map(str::as_bytes),
        ))
        .unwrap();
    }
    for (at, row, from, to) in events {
        db.prepare_cached(
            "INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status,
                 to_status) VALUES (?1, 'status_changed', 'ping', ?2, ?2, ?3, ?4)",
        )
        .unwrap()
        .execute((row, at, from, to))
        .unwrap();
    }
    assert_eq!(checks.len(), JOBS.len());
    db.commit().unwrap();
}

/// A number from 0 to below `most` that looks random, and is the same each time.
fn spread(seed: i64, most: i64) -> i64 {
    (((seed + 11) * 104_729) >> 3) % most
}

/// The newest changes were made a moment ago: lets them have happened when they would have.
fn date_back(server: &Server, now: i64) {
    let mut db = rusqlite::Connection::open(server.database()).unwrap();
    let db = db.transaction().unwrap();
    db.execute("DELETE FROM event WHERE effective_at >= ?", [now])
        .unwrap();
    for (row, job) in (1_i64..).zip(&JOBS) {
        let ago = match job.now {
            Now::Failed(_) => HOUR,
            Now::Missing => 47 * MINUTE,
            Now::Late => 12 * MINUTE,
            Now::Overrunning => 16 * MINUTE,
            Now::Paused => 3 * DAY,
            Now::Well | Now::Running | Now::New => {
                let days = job.bad_days.iter().min().unwrap_or(&89);
                db.execute(
                    "UPDATE check_ SET status_since = ? WHERE row = ?",
                    (now - days * DAY, row),
                )
                .unwrap();
                continue;
            }
        };
        let at = now - ago;
        let source = match job.now {
            Now::Failed(_) => "ping",
            Now::Paused => "user",
            _ => "schedule",
        };
        db.execute(
            "INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status,
                 to_status)
             SELECT row, 'status_changed', ?3, ?1, ?1, 'up', status
             FROM check_ WHERE row = ?2",
            (at, row, source),
        )
        .unwrap();
        db.execute(
            "UPDATE check_ SET status_since = ? WHERE row = ?",
            (at, row),
        )
        .unwrap();
    }
    db.commit().unwrap();
}

/// Sends what makes the check what it is at the end.
fn bring_to_now(server: &Server, job: &Job, check: &Value) {
    let send = |kind: &str, ago: i64, duration: i64, body: &str| {
        let (age, duration) = (ago.to_string(), duration.to_string());
        let headers = [
            ("x-pakyas-age", age.as_str()),
            ("x-pakyas-duration", duration.as_str()),
        ];
        let answer = server.ping_with(check, kind, &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let period = i64::try_from(job.period).unwrap() * 1000;
    let grace = i64::try_from(job.grace).unwrap() * 1000;
    let status = match job.now {
        Now::New => return,
        Now::Well => {
            // Between that moment and now a cron job might be due.
            let ago = if job.cron.is_some() { 0 } else { period / 7 };
            send("", ago, job.duration, "");
            "up"
        }
        Now::Failed(output) => {
            send("", period + HOUR, job.duration, "");
            let text = format!("pg_dump: dumping contents of table \"orders\"\n{output}\n");
            send("/fail", HOUR, job.duration / 3, &text);
            "down"
        }
        Now::Missing => {
            send("", period + grace + 47 * MINUTE, job.duration, "");
            "down"
        }
        Now::Late => {
            send("", period + 12 * MINUTE, job.duration, "");
            "late"
        }
        Now::Running => {
            send("", period - 5 * MINUTE, job.duration, "");
            send("/start", 2 * MINUTE, 0, "");
            "up"
        }
        Now::Overrunning => {
            send("", period, job.duration, "");
            send("/start", 31 * MINUTE, 0, "");
            "overrunning"
        }
        Now::Paused => {
            send("", period / 2, job.duration, "");
            let path = format!("/checks/{}/pause", check["id"].as_str().unwrap());
            assert!(server.api("PATCH", &path, None).status < 300);
            "paused"
        }
    };
    server.wait_for_status(check, status);
}
