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
