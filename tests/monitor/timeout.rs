//! `--timeout`: TERM, then KILL, to all that the job started.

use std::process::Stdio;

use crate::monitor::support::{monitor, read_all, run};
use crate::support::catcher::Catcher;

#[test]
fn a_job_that_outlives_its_timeout_is_ended_and_reported_with_the_reason() {
    let server = Catcher::new();
    let output = run(monitor(&server.url())
        .args(["--timeout", "3s", "--", "sh", "-c"])
        .arg("echo working; exec sleep 600"));
    assert_eq!(output.status.code(), Some(124));
    let end = server.end();
    assert_eq!(end.path, "/124");
    assert_eq!(
        end.text(),
        "ran out of time after 3s; ended by SIGTERM\nworking\n"
    );
}

#[test]
fn a_job_that_ends_in_time_keeps_its_code() {
    let server = Catcher::new();
    let output = run(monitor(&server.url()).args(["--timeout", "10m", "--", "sh", "-c", "exit 7"]));
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(server.end().path, "/7");
}

#[test]
fn a_job_that_cleans_up_on_sigterm_has_the_time_to() {
    let server = Catcher::new();
    let output = run(monitor(&server.url())
        .args(["--timeout", "3s", "--kill-after", "10m", "--", "sh", "-c"])
        .arg("exec 2>&-; trap 'sleep 0.2; echo clean; exit 3' TERM; while :; do sleep 0.01; done"));
    assert_eq!(output.status.code(), Some(124));
    assert_eq!(server.end().text(), "ran out of time after 3s\nclean\n");
}

#[test]
fn a_job_that_ignores_sigterm_is_killed_with_all_that_it_started() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--timeout", "3s", "--kill-after", "1s", "--capture", "none"])
        .args([
            "--",
            "sh",
            "-c",
            "trap '' TERM; sleep 600 & sleep 600; sleep 600",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(crate::monitor::support::code_of(child), Some(124));
    // The end of the file comes once nobody is left who could write.
    read_all(&mut stdout);
    assert_eq!(
        server.end().text(),
        "ran out of time after 3s; ended by SIGKILL\n"
    );
}

#[test]
fn what_a_job_leaves_behind_when_its_time_is_out_is_killed_too() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--timeout", "3s", "--kill-after", "1s", "--capture", "none"])
        .args([
            "--",
            "sh",
            "-c",
            "(trap '' TERM; sleep 600; sleep 600) & exec sleep 600",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(crate::monitor::support::code_of(child), Some(124));
    read_all(&mut stdout);
}

#[test]
fn a_limit_beyond_all_reckoning_does_no_harm() {
    let server = Catcher::new();
    let for_ever = "18446744073709551615";
    let output = run(monitor(&server.url())
        .args(["--timeout", for_ever, "--kill-after", for_ever])
        .args(["--ping-timeout", for_ever, "--", "sh", "-c", "exit 7"]));
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_stopped_job_can_run_out_of_time_as_well() {
    let server = Catcher::new();
    let output =
        run(monitor(&server.url()).args(["--timeout", "3s", "--", "sh", "-c", "kill -STOP $$"]));
    assert_eq!(output.status.code(), Some(124));
}

/// As one that `sudo` or `su` started: its user is no longer ours.
#[test]
fn a_job_that_can_not_be_ended_at_its_timeout_is_said_to_be_so() {
    use std::os::unix::fs::PermissionsExt;

    // A copy of setpriv(1) that anybody may become root with, in a folder that allows that.
    let folder = crate::monitor::support::folder("out-of-reach");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let own = folder.join("setpriv");
    let may_become_root = std::fs::copy("/usr/bin/setpriv", &own).is_ok()
        && std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o4755)).is_ok();
    let as_nobody = |program: &std::ffi::OsStr| {
        let mut command = crate::monitor::support::clean("setpriv");
        command
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(program);
        command
    };
    let tried = as_nobody(own.as_os_str())
        .args(["--reuid", "0", "--regid", "0", "--clear-groups", "id", "-u"])
        .output();
    let is_root = |out: std::process::Output| out.status.success() && out.stdout == b"0\n";
    if !may_become_root || !tried.is_ok_and(is_root) {
        eprintln!("skipped: nobody can become root here");
        return;
    }
    let server = Catcher::new();
    // Where everybody may run it.
    let pakyas = folder.join("pakyas");
    std::fs::copy(crate::monitor::support::pakyas(), &pakyas).unwrap();
    let output = run(as_nobody(pakyas.as_os_str())
        .args(crate::monitor::support::monitor_arguments(&server.url()))
        .args(["--timeout", "1s", "--kill-after", "1s", "--"])
        .arg(&own)
        .args([
            "--reuid",
            "0",
            "--regid",
            "0",
            "--clear-groups",
            "sleep",
            "4",
        ]));
    let stderr = crate::monitor::support::text(&output.stderr);
    assert_eq!(output.status.code(), Some(124), "{stderr}");
    assert!(stderr.contains("runs as another user"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let end = server.end();
    assert_eq!(
        end.text(),
        "ran out of time after 1s, and could not be ended then: it ran as another user\n"
    );
}
