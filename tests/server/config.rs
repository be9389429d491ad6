//! The command line and the configuration of pakyas-server: what is wrong is told, all of it at
//! once, before and without serving.

use std::path::Path;
use std::process::Output;

use crate::support;
use crate::support::TempDir;
use crate::support::server::{Server, command, init};

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

/// What `check-config` says of this directory and these flags, where it finds something.
#[track_caller]
fn found(directory: &Path, flags: &[&str]) -> String {
    let output = command()
        .args(["check-config", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory)
        .args(flags)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

#[test]
fn check_config_says_everything_at_once_and_makes_nothing() {
    let folder = TempDir::new();
    let data = folder.path().join("data");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = run(&[
        "check-config",
        "--listen",
        &address,
        "--data-dir",
        file.to_str().unwrap(),
        "--tls-cert=/no/cert",
        "--tls-key=/no/key",
        "--access-log",
        "/no/folder/log",
        "--smtp-host=mail.example.com",
        "--smtp-from=alerts@example.com",
        "--smtp-ca-file=/no/authority",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    for word in [
        &address,
        file.to_str().unwrap(),
        "/no/cert",
        "/no/key",
        "/no/folder/log",
        "/no/authority",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let usage = run(&[
        "check-config",
        "--listen",
        "x",
        "--trusted-proxy",
        "y",
        "--api-limit=0",
    ]);
    assert_eq!(usage.status.code(), Some(1));
    let said = text(&usage.stderr);
    for word in ["'x'", "'y'", "--api-limit"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let data_dir = data.to_str().unwrap();
    let good = run(&[
        "check-config",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data_dir,
    ]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert_eq!(text(&good.stdout), "The configuration is good.\n");
    assert!(!data.exists());
}

#[test]
fn check_config_and_healthcheck_work_beside_a_running_server() {
    let directory = TempDir::new();
    let mut server = Server::bare(&directory);
    let address = server.url.trim_start_matches("http://").to_owned();
    let data = directory.path().to_str().unwrap();
    for what in ["check-config", "healthcheck"] {
        let output = run(&[what, "--listen", &address, "--data-dir", data]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    server.kill();
    let output = run(&["healthcheck", "--listen", &address, "--data-dir", data]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("does not answer"));
}

#[test]
fn slips_of_the_finger_are_recognised() {
    for (arguments, word) in [
        (&["--lissen", "x"][..], "did you mean --listen?"),
        (&["--acess-log=x"], "did you mean --access-log?"),
        (&["bakcup", "x"], "did you mean backup?"),
        (&["backup", "--fore", "x"], "did you mean --force?"),
        (&["--listen"], "needs a value"),
        (&["--version=2"], "takes no value"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{output:?}");
    }
}

#[test]
fn a_damaged_database_is_named_with_what_to_do() {
    let directory = TempDir::new();
    init(&directory);
    let path = directory.path().join("pakyas.db");
    let length = path.metadata().unwrap().len() as usize;
    for damage in [vec![b'x'; length], {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[2000..].fill(0xee);
        bytes
    }] {
        std::fs::write(&path, damage).unwrap();
        let output = command()
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let beside = command()
            .args(["user", "list", "--data-dir"])
            .arg(directory.path())
            .output()
            .unwrap();
        assert_eq!(beside.status.code(), Some(1));
        for output in [output, beside] {
            let sentence = text(&output.stderr);
            assert!(sentence.contains(path.to_str().unwrap()), "{sentence}");
            assert!(sentence.contains("put a backup in its place"), "{sentence}");
        }
    }
}

#[test]
fn check_config_sees_that_nothing_can_be_written_there() {
    let Some(mut command) = support::unshare(&["-m"]) else {
        return;
    };
    let folder = TempDir::new();
    // Even root writes nothing to a read-only file system, whatever the modes say.
    let script = "mount -t tmpfs none \"$1\" && mkdir \"$1/there\" && mount -o remount,ro \"$1\" \
                  || { echo skipped; exit; }; \
                  for name in there new/one; do \
                    \"$2\" check-config --listen 127.0.0.1:0 --data-dir \"$1/$name\"; \
                  done 2>&1";
    let output = command
        .args(["sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(env!("CARGO_BIN_EXE_pakyas-server"))
        .output()
        .unwrap();
    let said = text(&output.stdout);
    if said == "skipped\n" {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
}

#[test]
fn check_config_says_what_makes_no_sense_together_with_what_can_not_be_used() {
    let folder = TempDir::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = found(
        &file,
        &[
            "--public-url=ftp://x",
            "--trusted-proxy=y",
            "--trusted-proxy=z",
            "--api-limit=0",
            "--keep-days=0",
            "--keep-pings=many",
            "--tls-cert=/no/cert",
            "--tls-key=/no/key",
            "--access-log=/no/folder/log",
            "--smtp-host=a b",
            "--smtp-port=x",
            "--smtp-security=ssl",
        ],
    );
    for word in [
        "not a directory",
        "ftp://x",
        "'y'",
        "'z'",
        "--api-limit",
        "--keep-days",
        "'many'",
        "/no/cert",
        "/no/key",
        "/no/folder/log",
        "'a b'",
        "--smtp-port",
        "'ssl'",
        "--smtp-from",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let lines = said.lines().count();
    let ours = said
        .lines()
        .filter(|line| line.starts_with("pakyas-server: "));
    assert_eq!(ours.count(), lines, "{said}");
}

#[test]
fn check_config_sees_that_a_data_directory_can_not_be_made() {
    // Even root, who may write there by its modes, makes nothing in /proc.
    let said = found(
        Path::new("/proc/x/y"),
        &["--tls-cert=/no/cert", "--tls-key=/no/key"],
    );
    for word in ["can't use the data directory /proc/x/y: ", "/no/cert"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn check_config_sees_that_another_server_has_the_data_directory() {
    let directory = TempDir::new();
    let _server = Server::bare(&directory);
    let said = found(directory.path(), &[]);
    assert!(said.contains("another pakyas-server is using"), "{said}");
}

#[test]
fn check_config_reads_the_whole_database() {
    let server = Server::start();
    for number in 0..200 {
        let slug = format!("job-{number}");
        server.check(&slug, 3600, 300, &serde_json::Value::Null);
    }
    let path = server.database();
    let backup = TempDir::new();
    let copy = backup.path().join("pakyas.db");
    let output = run(&[
        "backup",
        copy.to_str().unwrap(),
        "--data-dir",
        path.parent().unwrap().to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{output:?}");
    let listen = ["--listen", "127.0.0.1:0", "check-config", "--data-dir"];
    let good = command().args(listen).arg(backup.path()).output().unwrap();
    assert!(good.status.success(), "{good:?}");
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xee);
    std::fs::write(&copy, bytes).unwrap();
    let said = found(backup.path(), &[]);
    assert!(said.contains("is damaged"), "{said}");
    assert!(said.contains("put a backup in its place"), "{said}");
}

#[test]
fn mail_without_a_mail_server_is_refused() {
    let directory = TempDir::new();
    for (flag, name) in [
        ("--smtp-from=a@example.com", "--smtp-from"),
        ("--smtp-user=me", "--smtp-user"),
    ] {
        let said = found(directory.path(), &[flag]);
        let told = format!("{name} needs --smtp-host");
        assert!(said.contains(&told), "{said}");
    }
}

#[test]
fn help_and_flags_are_taken_as_the_client_takes_them() {
    let asked = |words: &[&str]| {
        let output = run(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        text(&output.stdout)
    };
    assert_eq!(asked(&["help"]), asked(&["--help"]));
    let backup = asked(&["backup", "--help"]);
    assert!(backup.contains("backup [--force]"), "{backup}");
    assert_eq!(asked(&["help", "backup"]), backup);
    assert_eq!(asked(&["user", "help"]), asked(&["user", "--help"]));
    let directory = TempDir::new();
    let data = format!("--data_dir={}", directory.path().display());
    let good = asked(&["check-config", "--listen", "127.0.0.1:0", &data]);
    assert_eq!(good, "The configuration is good.\n");
}

#[test]
fn what_a_command_lacks_is_told_in_a_sentence() {
    for (words, told) in [
        (
            &["init"][..],
            "'pakyas-server init' needs --org: the organization's name",
        ),
        (
            &["backup"],
            "'pakyas-server backup' needs file: the file to write",
        ),
        (
            &["backup", "a", "b"],
            "'pakyas-server backup' takes no further argument 'b'",
        ),
        (
            &["user"],
            "'pakyas-server user' needs a command: add, list, passwd, remove",
        ),
        (&["--listen=a", "--listen=b"], "--listen is given twice"),
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let said = text(&output.stderr);
        assert!(
            said.starts_with(&format!("pakyas-server: {told}\n")),
            "{said}"
        );
    }
}

#[test]
fn a_setting_from_the_environment_works_with_a_line_end_around_it() {
    let directory = TempDir::new();
    let server = Server::bare_with(&directory, |command| {
        command
            .env("PAKYAS_SERVER_PUBLIC_URL", " https://pakyas.example.com\n")
            .env("PAKYAS_SERVER_API_LIMIT", "1000\n");
    });
    let greeting = &server.greeting;
    assert!(
        greeting.contains("https://pakyas.example.com"),
        "{greeting}"
    );
}
