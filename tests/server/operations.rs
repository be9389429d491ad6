//! pakyas-server as whoever runs it sees it: encryption, proxies, limits, logs, numbers, backups,
//! and what systemd and containers ask of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support;
use crate::support::TempDir;
use crate::support::server::{Answer, Server, command, init};
use crate::support::tls::{Authority, Identity, VALID};
use serde_json::Value;

const NONE: Value = Value::Null;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(arguments: &[&str]) -> Output {
    command()
        .env("HOME", "/nonexistent")
        .args(arguments)
        .output()
        .unwrap()
}

/// A server on a directory of its own with these options, and a key for it.
fn started(directory: &TempDir, options: impl FnOnce(&mut Command)) -> Server {
    let ids = init(directory);
    let id = |name: &str| ids[name].as_str().unwrap().to_owned();
    let mut server = Server::bare_with(directory, options);
    server.key = id("api_key");
    server.org_id = id("org_id");
    server.project_id = id("project_id");
    server
}

struct Certificates {
    directory: TempDir,
}

impl Certificates {
    fn new() -> Self {
        Self {
            directory: TempDir::new(),
        }
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    fn write(&self, identity: &Identity) {
        std::fs::write(self.certificate(), &identity.certificate_pem).unwrap();
        std::fs::write(self.key(), &identity.key_pem).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.key(), mode).unwrap();
    }

    fn options(&self, command: &mut Command) {
        command.arg("--tls-cert").arg(self.certificate());
        command.arg("--tls-key").arg(self.key());
    }
}

/// What a client that trusts this authority alone gets for `/healthz`.
fn health(url: &str, authority: &Authority) -> Result<String, ureq::Error> {
    let certificate = ureq::tls::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::new_with_certs(&[certificate]))
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(support::PATIENCE))
        .proxy(None)
        .build()
        .new_agent()
        .get(format!("{url}/healthz"))
        .call()?
        .body_mut()
        .read_to_string()
}

#[test]
fn it_serves_https_and_takes_a_renewed_certificate_at_sighup_but_not_a_broken_one() {
    let files = Certificates::new();
    let (first, second) = (Authority::new("First"), Authority::new("Second"));
    files.write(&first.issue(&["127.0.0.1"], VALID));
    let directory = TempDir::new();
    let said = directory.path().join("said");
    let server = Server::bare_with(&directory, |command| {
        files.options(command);
        command.stderr(std::fs::File::create(&said).unwrap());
    });
    assert!(
        server.url.starts_with("https://127.0.0.1:"),
        "{}",
        server.url
    );
    let login = format!("pakyas login --api-url {}", server.url);
    assert!(server.greeting.contains(&login), "{}", server.greeting);
    assert_eq!(health(&server.url, &first).unwrap(), "ok");
    assert!(health(&server.url, &second).is_err());

    files.write(&second.issue(&["127.0.0.1"], VALID));
    support::signal(server.pid() as u32, "HUP");
    support::wait_for("the new certificate", || health(&server.url, &second).ok());
    assert!(health(&server.url, &first).is_err());
    assert_eq!(std::fs::read_to_string(&said).unwrap(), "");

    std::fs::write(files.certificate(), "-----BEGIN CERTIFICATE-----\nnonsense").unwrap();
    support::signal(server.pid() as u32, "HUP");
    let sentence = support::wait_for("a word about it", || {
        Some(std::fs::read_to_string(&said).unwrap()).filter(|said| said.contains('\n'))
    });
    let file = files.certificate();
    assert!(sentence.contains(file.to_str().unwrap()), "{sentence}");
    assert!(sentence.contains("from before"), "{sentence}");
    assert_eq!(health(&server.url, &second).unwrap(), "ok");
}

#[test]
fn plain_http_on_the_port_of_https_is_told_so() {
    let files = Certificates::new();
    files.write(&Authority::new("A").issue(&["127.0.0.1"], VALID));
    let directory = TempDir::new();
    let server = Server::bare_with(&directory, |command| files.options(command));
    let mut stream = TcpStream::connect(server.url.trim_start_matches("https://")).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("https://"), "{answer}");
}

#[test]
fn a_key_that_others_can_read_is_warned_of_and_one_of_another_certificate_refused() {
    let files = Certificates::new();
    let authority = Authority::new("A");
    files.write(&authority.issue(&["127.0.0.1"], VALID));
    let directory = TempDir::new();
    let check = || {
        let mut command = command();
        files.options(&mut command);
        let data = directory.path();
        command.args(["--listen", "127.0.0.1:0", "check-config", "--data-dir"]);
        command.arg(data).output().unwrap()
    };
    let good = check();
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert_eq!(text(&good.stderr), "");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(files.key(), open).unwrap();
    let open = check();
    assert_eq!(open.status.code(), Some(0));
    assert!(text(&open.stderr).contains("chmod 600"));
    let other = authority.issue(&["127.0.0.1"], VALID);
    std::fs::write(files.key(), other.key_pem).unwrap();
    let other = check();
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stderr).contains("does not go with"));
}

#[test]
fn healthcheck_speaks_tls_where_the_server_does() {
    let files = Certificates::new();
    files.write(&Authority::new("A").issue(&["pakyas.example.com"], VALID));
    let directory = TempDir::new();
    let server = Server::bare_with(&directory, |command| files.options(command));
    let mut check = command();
    files.options(&mut check);
    let address = server.url.trim_start_matches("https://");
    let output = check
        .args(["--listen", address, "healthcheck", "--data-dir"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn only_a_trusted_proxy_is_believed_about_who_sent_a_ping() {
    let headers = [("x-forwarded-for", "192.0.2.1, 203.0.113.9")];
    let directory = TempDir::new();
    let source = |server: &Server| {
        let check = server.check("job", 3600, 300, &NONE);
        server.ping_with(&check, "", &headers, b"");
        let source = server.history(&check)[0]["source_ip"].clone();
        server.api(
            "DELETE",
            &format!("/checks/{}", check["id"].as_str().unwrap()),
            None,
        );
        source
    };
    let mut server = started(&directory, |_| {});
    assert_eq!(source(&server), "127.0.0.1");
    server.kill();
    let key = server.key.clone();
    for options in [
        &[
            "--trusted-proxy",
            "10.0.0.0/8",
            "--trusted-proxy",
            "127.0.0.1",
        ][..],
        &[],
    ] {
        let mut trusting = Server::bare_with(&directory, |command| {
            command.args(options);
            command.env(
                "PAKYAS_SERVER_TRUSTED_PROXY",
                "10.0.0.0/8, ::ffff:127.0.0.0/104",
            );
        });
        (trusting.key, trusting.project_id) = (key.clone(), server.project_id.clone());
        assert_eq!(source(&trusting), "203.0.113.9");
    }
}

#[test]
fn the_access_log_has_every_request_and_no_secret_and_follows_a_rotation() {
    let directory = TempDir::new();
    let log = directory.path().join("access.log");
    let server = started(&directory, |command| {
        command.arg("--access-log").arg(&log);
    });
    let check = server.check("job", 3600, 300, &NONE);
    let public_id = check["public_id"].as_str().unwrap();
    let ping = format!("/{public_id}/fail?rid=a-secret-of-theirs");
    server.request("POST", &ping, &[], b"output").unwrap();
    let lines = |path: &Path, count: usize| -> Vec<Value> {
        let text = support::wait_for("the log", || {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            (text.lines().count() >= count && text.ends_with('\n')).then_some(text)
        });
        for secret in [public_id, &server.key, "a-secret-of-theirs"] {
            assert!(!text.contains(secret), "{text}");
        }
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let told = lines(&log, 2);
    assert_eq!(told[0]["path"], "/api/v1/checks");
    assert_eq!(told[0]["status"], 201);
    let ping = &told[1];
    assert_eq!(ping["method"], "POST");
    assert_eq!(ping["path"], format!("/{}…/fail", &public_id[..8]));
    assert_eq!(ping["status"], 200);
    assert_eq!(ping["client"], "127.0.0.1");
    assert_eq!(ping["bytes_in"], 6);
    assert_eq!(ping["bytes_out"], 2);
    assert!(ping["duration_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(log.metadata().unwrap().permissions().mode() & 0o077, 0);

    let rotated = directory.path().join("access.log.1");
    std::fs::rename(&log, &rotated).unwrap();
    support::signal(server.pid() as u32, "HUP");
    support::wait_for("the new file", || log.exists().then_some(()));
    server.request("GET", "/healthz", &[], b"").unwrap();
    assert_eq!(lines(&log, 1)[0]["path"], "/healthz");
    assert_eq!(lines(&rotated, 2).len(), 2);
}

#[test]
fn an_organization_may_ask_so_often_in_a_minute_and_is_told_how_often_still() {
    let directory = TempDir::new();
    let server = started(&directory, |command| {
        command.args(["--api-limit", "5"]);
    });
    let check = server.check("job", 3600, 300, &NONE);
    let number = |answer: &Answer, name: &str| answer.header(name).parse::<u64>().unwrap();
    for left in (0..4).rev() {
        let answer = server.api("GET", "/me", None);
        assert_eq!(answer.status, 200);
        assert_eq!(number(&answer, "x-ratelimit-limit"), 5);
        assert_eq!(number(&answer, "x-ratelimit-remaining"), left);
        assert!(number(&answer, "x-ratelimit-reset") > 1_700_000_000);
    }
    let answer = server.api("GET", "/nowhere", None);
    assert!(answer.refusal(429).contains("Retry-After"));
    assert!((1..=60).contains(&number(&answer, "retry-after")));
    assert_eq!(number(&answer, "x-ratelimit-remaining"), 0);
    // Pings are never limited.
    for _ in 0..10 {
        assert_eq!(server.ping(&check, "").status, 200);
    }
    let metrics = server.request("GET", "/metrics", &[], b"").unwrap().body;
    assert!(
        metrics.contains("pakyas_rate_limited_total 1\n"),
        "{metrics}"
    );
}

#[test]
fn guessing_keys_is_limited_and_a_good_key_from_the_same_address_is_not() {
    let server = Server::start();
    let guess = || {
        let key = [("authorization", "Bearer pk_live_0000")];
        server.request("GET", "/api/v1/me", &key, b"").unwrap()
    };
    let refused = (0..100)
        .map(|_| guess())
        .find(|answer| answer.status != 401);
    let refused = refused.expect("a hundred guesses");
    assert!(refused.refusal(429).contains("API keys"));
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(server.api("GET", "/me", None).status, 200);
}

#[test]
fn the_metrics_count_what_happens_and_name_nobody() {
    let server = Server::start();
    let check = server.check("secret-slug", 3600, 300, &NONE);
    server.ping(&check, "");
    server.ping(&check, "/fail");
    server
        .request(
            "POST",
            "/ping/00000000-0000-0000-0000-000000000000/start",
            &[],
            b"",
        )
        .unwrap();
    let answer = server.request("GET", "/metrics", &[], b"").unwrap();
    assert!(answer.header("content-type").starts_with("text/plain"));
    for line in [
        "pakyas_pings_total{kind=\"success\",result=\"taken\"} 1",
        "pakyas_pings_total{kind=\"fail\",result=\"taken\"} 1",
        "pakyas_pings_total{kind=\"start\",result=\"unknown\"} 1",
        "pakyas_checks{status=\"down\"} 1",
        "pakyas_checks{status=\"new\"} 0",
        "pakyas_outbox_pending 0",
        "pakyas_http_answers_total{route=\"ping\",status=\"4xx\"} 1",
    ] {
        assert!(
            answer.body.lines().any(|l| l == line),
            "{line}: {}",
            answer.body
        );
    }
    for family in [
        "pakyas_http_request_seconds_count{route=\"ping\"} 3",
        "pakyas_store_commit_seconds_sum",
        "pakyas_store_batch_jobs_bucket",
        "pakyas_scheduler_lag_seconds_count",
        "pakyas_connections{state=\"open\"}",
        "pakyas_build_info{version=",
    ] {
        assert!(answer.body.contains(family), "{family}: {}", answer.body);
    }
    for secret in ["secret-slug", check["public_id"].as_str().unwrap(), "Acme"] {
        assert!(!answer.body.contains(secret), "{secret}");
    }
}

#[test]
fn a_backup_under_load_restores_to_every_ping_that_was_acknowledged_before() {
    let server = Server::start();
    let check = server.check("job", 3600, 300, &NONE);
    let path = format!("/{}", check["public_id"].as_str().unwrap());
    let folder = TempDir::new();
    let file = folder.path().join("backup.db");
    let acknowledged = Mutex::new(Vec::new());
    let stop = AtomicBool::new(false);
    let backup = |force: &[&str]| {
        command()
            .arg("backup")
            .arg(&file)
            .args(force)
            .arg("--data-dir")
            .arg(server.database().parent().unwrap())
            .output()
            .unwrap()
    };
    let mut before = Vec::new();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (server, path, stop, acknowledged) = (&server, &path, &stop, &acknowledged);
            scope.spawn(move || {
                for count in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let run = format!("{client}-{count}");
                    let headers = [("x-pakyas-run", run.as_str())];
                    let answer = server.request("POST", path, &headers, b"").unwrap();
                    assert_eq!(answer.status, 200);
                    acknowledged.lock().unwrap().push(run);
                }
            });
        }
        support::wait_for("pings", || {
            (acknowledged.lock().unwrap().len() > 100).then_some(())
        });
        before.clone_from(&acknowledged.lock().unwrap());
        let output = backup(&[]);
        stop.store(true, Ordering::SeqCst);
        assert!(output.status.success(), "{}", text(&output.stderr));
    });
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // What is there is kept, unless one insists; and nothing half is left behind.
    let refused = backup(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--force"));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");

    let elsewhere = TempDir::new();
    std::fs::copy(&file, elsewhere.path().join("pakyas.db")).unwrap();
    let mut restored = Server::bare(&elsewhere);
    restored.key = server.key.clone();
    let seen: Vec<String> = restored
        .history(&check)
        .iter()
        .map(|ping| ping["run_id"].as_str().unwrap().to_owned())
        .collect();
    for run in &before {
        assert!(seen.contains(run), "{run}");
    }
    assert_eq!(restored.show(&check)["status"], "up");
    assert_eq!(restored.ping(&check, "").status, 200);
    assert!(backup(&["--force"]).status.success());
}

#[test]
fn a_backup_of_nothing_or_to_nowhere_is_refused() {
    let empty = TempDir::new();
    let directory = empty.path().to_str().unwrap();
    let output = run(&["backup", "/tmp/never-made", "--data-dir", directory]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--data-dir"));
    let server = Server::start();
    let data = server.database().parent().unwrap().to_owned();
    let output = run(&[
        "backup",
        "/no/folder/x.db",
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/no/folder/x.db"));
}

#[test]
fn a_backup_never_takes_the_place_of_what_the_server_works_with() {
    let server = Server::start();
    let data = server.database().parent().unwrap().to_owned();
    let folder = TempDir::new();
    let (link, hard, way) = (
        folder.path().join("link.db"),
        folder.path().join("hard.db"),
        folder.path().join("way"),
    );
    std::os::unix::fs::symlink(server.database(), &link).unwrap();
    std::os::unix::fs::symlink(&data, &way).unwrap();
    std::fs::hard_link(server.database(), &hard).unwrap();
    let inode = |path: &Path| path.metadata().unwrap().ino();
    let before = inode(&server.database());
    for target in [
        server.database(),
        data.join("pakyas.db-wal"),
        data.join("pakyas.db-shm"),
        data.join("pakyas.db-journal"),
        data.join("lock"),
        data.join("..")
            .join(data.file_name().unwrap())
            .join("pakyas.db"),
        way.join("pakyas.db"),
        PathBuf::from("pakyas.db"),
        link,
        hard,
    ] {
        for force in [&["--force"][..], &[]] {
            let output = command()
                .current_dir(&data)
                .args(["backup", "--data-dir", "."])
                .args(force)
                .arg(&target)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1), "{target:?}");
            let said = text(&output.stderr);
            assert!(said.contains("is the database itself"), "{said}");
        }
    }
    assert_eq!(inode(&server.database()), before);
    assert_eq!(server.api("GET", "/me", None).status, 200);
    assert_eq!(
        server.request("GET", "/healthz", &[], b"").unwrap().status,
        200
    );
}

#[test]
fn a_backup_replaces_regular_files_only() {
    let server = Server::start();
    let data = server.database().parent().unwrap().to_owned();
    let folder = TempDir::new();
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&socket, &link).unwrap();
    let nowhere = folder.path().join("nowhere");
    std::os::unix::fs::symlink("/nonexistent/x", &nowhere).unwrap();
    let backup = |target: &Path| {
        let (target, data) = (target.to_str().unwrap(), data.to_str().unwrap());
        run(&["backup", "--force", target, "--data-dir", data])
    };
    for target in [&socket, &link, &nowhere, &folder.path().to_owned()] {
        let output = backup(target);
        assert_eq!(output.status.code(), Some(1), "{target:?}");
        let said = text(&output.stderr);
        assert!(said.contains("is not a regular file"), "{said}");
    }
    assert!(socket.metadata().unwrap().file_type().is_socket());
    let file = folder.path().join("file");
    std::fs::write(&file, "old").unwrap();
    let output = backup(&file);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        std::fs::read(&file)
            .unwrap()
            .starts_with(b"SQLite format 3")
    );
}

/// Takes what a service tells systemd.
struct Manager(UnixDatagram);

impl Manager {
    fn next(&self, patience: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 1000];
        let length = self.0.recv(&mut buffer).ok()?;
        Some(text(&buffer[..length]))
    }

    fn expect(&self, state: &str) {
        loop {
            let said = self.next(support::PATIENCE).expect(state);
            if said.lines().any(|line| line == state) {
                return;
            }
        }
    }
}

#[test]
fn systemd_is_told_of_its_start_its_reloads_and_its_end() {
    let name = format!("pakyas-test-{}", std::process::id());
    let folder = TempDir::new();
    let path = folder.path().join("notify");
    for (address, variable) in [
        (
            SocketAddr::from_pathname(&path).unwrap(),
            path.display().to_string(),
        ),
        (
            SocketAddr::from_abstract_name(&name).unwrap(),
            format!("@{name}"),
        ),
    ] {
        let manager = Manager(UnixDatagram::bind_addr(&address).unwrap());
        let directory = TempDir::new();
        let mut server = Server::bare_with(&directory, |command| {
            command.env("NOTIFY_SOCKET", &variable);
        });
        manager.expect("READY=1");
        support::signal(server.pid() as u32, "HUP");
        manager.expect("RELOADING=1");
        manager.expect("READY=1");
        support::signal(server.pid() as u32, "TERM");
        manager.expect("STOPPING=1");
        assert_eq!(server.wait(), Some(0));
    }
}

#[test]
fn the_watchdog_is_told_that_all_is_well_only_while_the_store_writes() {
    let folder = TempDir::new();
    let path = folder.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&path).unwrap());
    let directory = TempDir::new();
    let server = Server::bare_with(&directory, |command| {
        command.env("NOTIFY_SOCKET", &path);
        command.env("WATCHDOG_USEC", "200000");
    });
    manager.expect("WATCHDOG=1");
    manager.expect("WATCHDOG=1");
    // Somebody holds the writer up, as a disk that hangs would.
    let mut db = rusqlite::Connection::open(server.database()).unwrap();
    db.busy_timeout(support::PATIENCE).unwrap();
    let hold = db
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .unwrap();
    let silent = (0..20).any(|_| manager.next(Duration::from_secs(1)).is_none());
    assert!(silent, "it was told though nothing was written");
    drop(hold);
    manager.expect("WATCHDOG=1");
}

#[test]
fn the_access_log_on_stdout_is_whole_when_the_server_has_ended() {
    let directory = TempDir::new();
    init(&directory);
    let mut child = command()
        .args(["--listen", "127.0.0.1:0", "--access-log", "-", "--data-dir"])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut greeting = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut greeting).unwrap();
    let url = greeting.trim().rsplit(' ').next().unwrap().to_owned();
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    for _ in 0..3 {
        let answer = agent.get(format!("{url}/healthz")).call().unwrap();
        assert_eq!(answer.status(), 200);
    }
    support::signal(child.id(), "TERM");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(rest.matches("\"/healthz\"").count(), 3, "{rest}");
}
