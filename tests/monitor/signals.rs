//! Signals go on to the job, and the job starts with what the wrapper was started with.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::monitor::support::{
    child_of, clean, code_of, is_pending, is_running, monitor, read_line, run, send_and_await,
    settle, state_of, text, wait_until,
};
use crate::support::catcher::{Answer, Catcher};
use crate::support::os::{self, Start, start_with};

/// A shell that says the name of each of these signals as it gets it, until USR2.
const SAYS_ITS_SIGNALS: &str = "for s in TERM INT HUP QUIT USR1 CONT WINCH TSTP ALRM URG; do \
     trap \"echo $s\" $s; done; trap 'echo USR2; exit 6' USR2; \
     echo ready; while :; do sleep 0.01; done";

/// Starts a job with its stdout caught and waits until it has said `ready`.
fn start(command: &mut Command, job: &[&str]) -> Child {
    let mut child = command
        .arg("--")
        .args(job)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(read_line(child.stdout.as_mut().unwrap()), "ready");
    child
}

#[test]
fn every_signal_that_can_be_is_forwarded() {
    let server = Catcher::new();
    let mut child = start(&mut monitor(&server.url()), &["sh", "-c", SAYS_ITS_SIGNALS]);
    for (signal, name) in [
        (libc::SIGTERM, "TERM"),
        (libc::SIGINT, "INT"),
        (libc::SIGHUP, "HUP"),
        (libc::SIGQUIT, "QUIT"),
        (libc::SIGUSR1, "USR1"),
        (libc::SIGCONT, "CONT"),
        (libc::SIGWINCH, "WINCH"),
        (libc::SIGTSTP, "TSTP"),
        (libc::SIGALRM, "ALRM"),
        (libc::SIGURG, "URG"),
        (libc::SIGUSR2, "USR2"),
    ] {
        os::kill(child.id(), signal);
        assert_eq!(read_line(child.stdout.as_mut().unwrap()), name);
    }
    assert_eq!(code_of(child), Some(6));
}

#[test]
fn a_real_time_signal_is_forwarded() {
    let server = Catcher::new();
    let child = start(&mut monitor(&server.url()), &READY_AND_WAIT);
    os::kill(child.id(), libc::SIGRTMIN() + 3);
    assert_eq!(code_of(child), Some(128 + libc::SIGRTMIN() + 3));
    assert_eq!(
        server.end().text().lines().next(),
        Some("ended by SIGRTMIN+3")
    );
}

#[test]
fn the_real_time_signal_that_musl_keeps_for_itself_is_forwarded_too() {
    let server = Catcher::new();
    let child = start(&mut monitor(&server.url()), &READY_AND_WAIT);
    let job = child_of(child.id());
    os::kill(child.id(), 34);
    assert_eq!(code_of(child), Some(128 + 34));
    assert!(!is_running(job));
    assert_eq!(
        server.end().text().lines().next(),
        Some("ended by SIGRTMIN+0")
    );
}

/// A job that a signal ends by itself, and not the shell around it.
const READY_AND_WAIT: [&str; 3] = ["sh", "-c", "echo ready; exec sleep 600"];

#[test]
fn a_job_that_sigterm_ends_is_reported_so_and_exits_143() {
    let server = Catcher::new();
    let child = start(&mut monitor(&server.url()), &READY_AND_WAIT);
    os::kill(child.id(), libc::SIGTERM);
    assert_eq!(code_of(child), Some(143));
    let end = server.end();
    assert_eq!(end.path, "/143");
    assert_eq!(end.text(), "ended by SIGTERM\nready\n");
}

#[test]
fn no_job_is_left_behind_by_sigterm() {
    let server = Catcher::new();
    let child = start(&mut monitor(&server.url()), &READY_AND_WAIT);
    let job = child_of(child.id());
    os::kill(child.id(), libc::SIGTERM);
    assert_eq!(code_of(child), Some(143));
    assert!(!is_running(job));
}

#[test]
fn a_job_that_takes_sigterm_as_a_wish_to_end_well_is_a_success() {
    let server = Catcher::new();
    let job = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let child = start(&mut monitor(&server.url()), &["sh", "-c", job]);
    os::kill(child.id(), libc::SIGTERM);
    assert_eq!(code_of(child), Some(0));
    assert_eq!(server.end().path, "/0");
}

#[test]
fn a_sigterm_after_the_jobs_end_ends_a_report_that_hangs_with_the_jobs_code() {
    let server = Catcher::scripted(|_, request| match request.path.as_str() {
        "/start" => Answer::Ok,
        _ => Answer::Hold,
    });
    let child = monitor(&server.url())
        .args(["--ping-timeout", "1m", "--", "sh", "-c", "exit 7"])
        .spawn()
        .unwrap();
    // That it is on its way is how the wrapper's end of the job shows outside.
    server.wait_for_path("/7");
    os::kill(child.id(), libc::SIGTERM);
    assert_eq!(code_of(child), Some(7));
}

#[test]
fn sigint_after_a_job_that_it_ended_ends_the_report_too() {
    let server = Catcher::answering(Answer::Hold);
    let mut command = monitor(&server.url());
    command.args(["--ping-timeout", "1m"]);
    let child = start(&mut command, &READY_AND_WAIT);
    let job = child_of(child.id());
    os::kill(child.id(), libc::SIGINT);
    wait_until("the job has ended", || !is_running(job));
    insist(&child, libc::SIGINT);
    assert_eq!(code_of(child), Some(130));
}

/// Asks for the end until it comes, as a person does who gets no answer.
fn insist(child: &Child, signal: i32) {
    wait_until("the wrapper has ended", || {
        os::kill(child.id(), signal);
        std::thread::sleep(Duration::from_millis(50));
        !is_running(child.id())
    });
}

#[test]
fn two_sigterms_at_once_do_not_lose_the_report() {
    let server = Catcher::new();
    let child = start(&mut monitor(&server.url()), &READY_AND_WAIT);
    let job = child_of(child.id());
    // As `timeout 10 pakyas monitor …` does: one to the wrapper, one to its whole group.
    os::kill(child.id(), libc::SIGTERM);
    wait_until("the job has ended", || !is_running(job));
    os::kill(child.id(), libc::SIGTERM);
    assert_eq!(code_of(child), Some(143));
    assert_eq!(server.end().path, "/143");
}

#[test]
fn a_job_that_signals_its_own_group_gets_the_signal_once() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    command.process_group(0).stdin(Stdio::piped());
    let job = "n=0; trap 'n=$((n+1))' USR1; echo ready; read line; kill -USR1 0; \
               until read line; do [ $? -gt 128 ] || break; done; exit $n";
    let mut child = start(&mut command, &["sh", "-c", job]);
    // The wrapper gets it after the job has handled its own, so that a second one would not
    // be lost in the first.
    let (wrapper, job) = (child.id(), child_of(child.id()));
    os::kill(wrapper, libc::SIGSTOP);
    wait_until("the wrapper has stopped", || state_of(wrapper) == 'T');
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"go\n").unwrap();
    wait_until("the group has the signal", || {
        is_pending(wrapper, libc::SIGUSR1) && !is_pending(job, libc::SIGUSR1)
    });
    os::kill(wrapper, libc::SIGCONT);
    settle(wrapper);
    drop(stdin);
    assert_eq!(code_of(child), Some(1));
}

/// What the kernel says of a process's signals, as the job sees it.
const OWN_SIGNALS: [&str; 3] = ["grep", "^Sig[BIC]", "/proc/self/status"];

/// Compares what a job gets under the wrapper with what it gets without, both started so.
fn gets_the_same(start: &Start) -> String {
    let server = Catcher::new();
    let mut bare = clean(OWN_SIGNALS[0]);
    bare.args(&OWN_SIGNALS[1..]);
    let mut wrapped = monitor(&server.url());
    wrapped.arg("--").args(OWN_SIGNALS);
    let outputs = [bare, wrapped].map(|mut command| {
        start_with(&mut command, start.clone());
        run(&mut command)
    });
    let [bare, wrapped] = outputs;
    assert_eq!(text(&wrapped.stdout), text(&bare.stdout));
    assert_eq!(wrapped.status.code(), Some(0));
    text(&wrapped.stdout)
}

#[test]
fn the_job_starts_with_nothing_blocked_and_sigpipe_as_it_was() {
    let status = gets_the_same(&Start::default());
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
    assert!(!ignores_sigpipe(&status), "{status}");
}

#[test]
fn the_job_starts_with_the_mask_that_the_wrapper_was_started_with() {
    gets_the_same(&Start {
        blocked: vec![libc::SIGUSR1, libc::SIGTERM, libc::SIGPIPE],
        ..Start::default()
    });
}

#[test]
fn the_job_ignores_what_the_wrapper_was_started_ignoring() {
    gets_the_same(&Start {
        ignored: vec![libc::SIGHUP, libc::SIGINT, libc::SIGTTOU],
        ..Start::default()
    });
}

#[test]
fn the_job_ignores_sigpipe_only_where_the_wrapper_was_started_so() {
    let status = gets_the_same(&Start {
        ignored: vec![libc::SIGPIPE],
        ..Start::default()
    });
    assert!(ignores_sigpipe(&status), "{status}");
}

/// Only this one: what started the tests may have ignored others.
fn ignores_sigpipe(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
    mask & (1 << (libc::SIGPIPE - 1)) != 0
}

#[test]
fn started_with_sigchld_ignored_it_still_gets_the_jobs_code() {
    let server = Catcher::new();
    let start = Start {
        ignored: vec![libc::SIGCHLD],
        ..Start::default()
    };
    gets_the_same(&start);
    let mut command = monitor(&server.url());
    command.args(["--", "sh", "-c", "exit 7"]);
    start_with(&mut command, start);
    assert_eq!(run(&mut command).status.code(), Some(7));
}

#[test]
fn under_nohup_a_hangup_ends_neither_the_wrapper_nor_the_job() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    start_with(
        &mut command,
        Start {
            ignored: vec![libc::SIGHUP],
            ..Start::default()
        },
    );
    command.stdin(Stdio::piped());
    let mut child = start(
        &mut command,
        &["sh", "-c", "echo ready; read line; echo \"$line\"; exit 7"],
    );
    send_and_await(child.id(), libc::SIGHUP);
    drop(child.stdin.take());
    assert_eq!(code_of(child), Some(7));
}

#[test]
fn an_alarm_that_was_set_for_the_job_reaches_it() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    start_with(
        &mut command,
        Start {
            alarm: 3,
            ..Start::default()
        },
    );
    let child = start(&mut command, &READY_AND_WAIT);
    assert_eq!(code_of(child), Some(128 + libc::SIGALRM));
}

#[test]
fn a_job_that_someone_stops_and_continues_does_not_stop_the_wrapper() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    command.stdin(Stdio::piped());
    let mut child = start(&mut command, &["sh", "-c", "echo ready; read line; exit 7"]);
    let job = child_of(child.id());
    os::kill(job, libc::SIGSTOP);
    wait_until("the job has stopped", || state_of(job) == 'T');
    os::kill(job, libc::SIGCONT);
    drop(child.stdin.take());
    assert_eq!(code_of(child), Some(7));
}
