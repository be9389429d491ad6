//! Nothing that a ping meets delays the job, stops it, or changes its exit code.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::monitor::support::{
    self, clean, monitor, monitor_arguments, output_of, pakyas, read_line, run, text,
};
use crate::support::catcher::{Answer, Catcher};
use crate::support::os::{self, Start};

/// Runs a job that ends with 7 and checks that it ran, that its code came through, and that all
/// that the wrapper said is one line of its own.
fn runs_all_the_same(command: &mut Command) {
    let output = run(command.args(["sh", "-c", "echo the job ran; exit 7"]));
    let stderr = text(&output.stderr);
    assert_eq!(text(&output.stdout), "the job ran\n", "{stderr}");
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("pakyas: "), "{stderr}");
    assert!(stderr.ends_with('\n'), "{stderr}");
}

fn runs_all_the_same_with(url: &str) {
    runs_all_the_same(monitor(url).args(["--ping-timeout", "1s", "--"]));
}

#[test]
fn a_server_that_accepts_and_never_answers_does_no_harm() {
    // Nobody accepts: the kernel does, and then nothing is ever read.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    runs_all_the_same_with(&format!("http://{}", deaf.local_addr().unwrap()));
}

#[test]
fn a_server_that_reads_and_never_answers_does_no_harm() {
    runs_all_the_same_with(&Catcher::answering(Answer::Hold).url());
}

#[test]
fn a_server_that_resets_does_no_harm() {
    runs_all_the_same_with(&Catcher::answering(Answer::Reset).url());
}

#[test]
fn a_port_that_nobody_listens_on_does_no_harm() {
    runs_all_the_same_with("http://127.0.0.1:1");
}

#[test]
fn a_name_that_does_not_resolve_does_no_harm() {
    runs_all_the_same_with("http://no-such-host.invalid");
}

#[test]
fn a_url_that_is_none_does_no_harm() {
    runs_all_the_same_with("::not a url::");
}

#[test]
fn an_answer_of_401_does_no_harm() {
    runs_all_the_same_with(&Catcher::answering(Answer::Status(401)).url());
}

#[test]
fn an_answer_of_404_does_no_harm() {
    runs_all_the_same_with(&Catcher::answering(Answer::Status(404)).url());
}

#[test]
fn an_answer_of_500_does_no_harm() {
    runs_all_the_same_with(&Catcher::answering(Answer::Status(500)).url());
}

#[test]
fn a_redirect_does_no_harm() {
    runs_all_the_same_with(&Catcher::answering(Answer::Redirect).url());
}

#[test]
fn a_machine_with_no_route_does_no_harm() {
    let Some(mut unshare) = crate::monitor::places::unshare(&["-n"]) else {
        return;
    };
    unshare
        .arg(pakyas())
        .args(monitor_arguments("http://192.0.2.1"))
        .args(["--ping-timeout", "1s", "--"]);
    runs_all_the_same(&mut unshare);
}

#[test]
fn a_slug_without_any_configuration_does_no_harm() {
    let mut command = clean(pakyas());
    command
        .args(["monitor", "nightly", "--ping-timeout", "1s"])
        .args(["--api-url", "http://127.0.0.1:1"])
        .args(["--ping-url", "http://127.0.0.1:1", "--"]);
    runs_all_the_same(&mut command);
}

/// The job's first line is read and the job has ended while the server still holds its answer.
#[test]
fn the_job_starts_and_ends_while_the_server_is_still_silent() {
    let server = Catcher::answering(Answer::Hold);
    let mut child = monitor(&server.url())
        .args(["--ping-timeout", "1m"])
        .args(["--", "sh", "-c", "echo started; exit 7"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(read_line(&mut stdout), "started");
    assert_eq!(
        read_line(&mut stdout),
        "",
        "it is closed once the job is over"
    );
    assert!(support::is_running(child.id()));
    server.release();
    assert_eq!(support::code_of(child), Some(7));
}

#[test]
fn the_start_is_on_its_way_while_the_job_runs() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    server.wait_for_path("/start");
    assert_eq!(server.requests().len(), 1);
    drop(child.stdin.take());
    assert_eq!(support::code_of(child), Some(0));
    assert_eq!(server.end().path, "/0");
}

#[test]
fn an_end_is_sent_although_its_start_never_got_an_answer() {
    let server = Catcher::scripted(|_, request| {
        if request.path == "/start" {
            Answer::Hold
        } else {
            Answer::Ok
        }
    });
    let output = run(monitor(&server.url()).args(["--ping-timeout", "4s", "--", "true"]));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(server.end().path, "/0");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_start_that_got_lost_is_told_in_one_line() {
    let server = Catcher::scripted(|_, request| {
        if request.path == "/start" {
            Answer::Status(404)
        } else {
            Answer::Ok
        }
    });
    let output = run(monitor(&server.url()).args(["--", "true"]));
    let stderr = text(&output.stderr);
    assert!(
        stderr.starts_with("pakyas: the start of this run"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_delivered_run_leaves_no_word_on_the_jobs_streams() {
    let server = Catcher::new();
    let output = run(monitor(&server.url()).args(["--", "sh", "-c", "echo out; echo err >&2"]));
    assert_eq!(text(&output.stdout), "out\n");
    assert_eq!(text(&output.stderr), "err\n");
}

#[test]
fn verbose_tells_on_stderr_what_is_sent_where_and_how_it_went() {
    let server = Catcher::new();
    let output = run(monitor(&server.url()).args(["-v", "--", "sh", "-c", "echo out; exit 7"]));
    let stderr = text(&output.stderr);
    assert_eq!(text(&output.stdout), "out\n");
    assert!(
        stderr.lines().all(|line| line.starts_with("pakyas: ")),
        "{stderr}"
    );
    for part in ["start", "end", "delivered", &server.url(), "exit code 7"] {
        assert!(stderr.contains(part), "'{part}' is not in: {stderr}");
    }
}

#[test]
fn quiet_says_nothing_of_a_lost_report() {
    let output = run(monitor("http://127.0.0.1:1")
        .args(["--quiet", "--ping-timeout", "1s"])
        .args(["--", "true"]));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn strict_makes_a_lost_report_of_a_success_exit_3() {
    let output = run(monitor("http://127.0.0.1:1")
        .args(["--ping-timeout", "1s"])
        .args(["--strict", "--", "true"]));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn strict_leaves_a_failed_jobs_code_alone() {
    let output = run(monitor("http://127.0.0.1:1")
        .args(["--ping-timeout", "1s"])
        .args(["--strict", "--", "sh", "-c", "exit 7"]));
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn strict_is_content_with_a_delivered_report() {
    let server = Catcher::new();
    let output = run(monitor(&server.url()).args(["--strict", "--", "true"]));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_stderr_that_nobody_reads_does_not_hold_the_wrapper() {
    // The job fills its stderr, which is inherited, to the brim; the wrapper's one line then
    // has no room.
    let fill = "yes 2>/dev/null | dd bs=1 count=65536 status=none >&2";
    let mut command = monitor("http://127.0.0.1:1");
    command
        .args([
            "--capture",
            "none",
            "--ping-timeout",
            "1s",
            "--",
            "sh",
            "-c",
            fill,
        ])
        .stderr(Stdio::piped());
    os::start_with(&mut command, Start::default());
    let mut child = command.spawn().unwrap();
    let full = child.stderr.take().unwrap();
    assert_eq!(output_of(child).status.code(), Some(0));
    drop(full);
}
