//! The exit code, and what the server is told.

use std::os::unix::fs::PermissionsExt;

use crate::monitor::support::{folder, monitor, run, text};
use crate::support::catcher::{Catcher, Request};

/// The limit of API.md, "Ping-Body-Limit".
const BODY_LIMIT: usize = 10_000;

/// Runs a job and gives its exit code and the report of its end.
fn report_of(job: &[&str]) -> (Option<i32>, Request) {
    let server = Catcher::new();
    let output = run(monitor(&server.url()).arg("--").args(job));
    (output.status.code(), server.end())
}

fn report_of_script(script: &str) -> (Option<i32>, Request) {
    report_of(&["sh", "-c", script])
}

#[test]
fn a_run_is_reported_by_a_start_and_an_end_with_one_run_id() {
    let server = Catcher::new();
    run(monitor(&server.url()).args(["--", "true"]));
    let requests = server.requests();
    let paths: Vec<&str> = requests.iter().map(|r| r.path.as_str()).collect();
    assert_eq!(paths, ["/start", "/0"]);
    let run_ids: Vec<_> = requests.iter().map(|r| r.header("x-pakyas-run")).collect();
    assert!(run_ids[0].is_some());
    assert_eq!(run_ids[0], run_ids[1]);
}

#[test]
fn two_runs_have_two_run_ids() {
    let server = Catcher::new();
    for _ in 0..2 {
        run(monitor(&server.url()).args(["--", "true"]));
    }
    let requests = server.requests();
    assert_ne!(
        requests[0].header("x-pakyas-run"),
        requests[2].header("x-pakyas-run")
    );
}

#[test]
fn the_end_carries_the_duration() {
    let (_, end) = report_of(&["sleep", "0.3"]);
    let duration = end.number("x-pakyas-duration").unwrap();
    assert!((300..30_000).contains(&duration), "{duration} ms");
}

#[test]
fn the_end_carries_the_jobs_processor_time() {
    // The shell looks at its own clock ticks, the hundredths of a second of proc(5).
    let (_, end) = report_of_script(
        "ticks=0; while [ $ticks -lt 20 ]; do read -r stat < /proc/$$/stat; \
         set -- ${stat##*) }; ticks=$((${12} + ${13})); done",
    );
    let cpu = end.number("x-pakyas-cpu-ms").unwrap();
    let duration = end.number("x-pakyas-duration").unwrap();
    assert!(
        cpu >= 190 && cpu <= duration + 100,
        "{cpu} of {duration} ms"
    );
}

#[test]
fn the_end_carries_the_jobs_peak_memory() {
    let (_, end) = report_of(&["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
    let peak = end.number("x-pakyas-max-rss-kb").unwrap();
    assert!((64 * 1024..512 * 1024).contains(&peak), "{peak} KiB");
}

#[test]
fn the_exit_code_is_the_jobs_and_is_reported() {
    for code in [0, 1, 2, 42, 255] {
        let (exit_code, end) = report_of_script(&format!("exit {code}"));
        assert_eq!(exit_code, Some(code));
        assert_eq!(end.path, format!("/{code}"));
    }
}

#[test]
fn a_job_that_a_signal_ended_exits_with_128_and_the_signal() {
    let (exit_code, end) = report_of_script("kill -KILL $$");
    assert_eq!(exit_code, Some(137));
    assert_eq!(end.path, "/137");
    assert_eq!(end.text(), "ended by SIGKILL\n");
}

#[test]
fn a_command_that_is_not_there_exits_127_and_is_reported_with_the_reason() {
    let (exit_code, end) = report_of(&["no-such-command-anywhere"]);
    assert_eq!(exit_code, Some(127));
    assert_eq!(end.path, "/127");
    assert!(
        end.text().contains("no-such-command-anywhere"),
        "{}",
        end.text()
    );
}

#[test]
fn a_file_that_is_not_executable_exits_126_and_is_reported_with_the_reason() {
    let file = folder("plain").join("plain");
    std::fs::write(&file, "data").unwrap();
    let (exit_code, end) = report_of(&[file.to_str().unwrap()]);
    assert_eq!(exit_code, Some(126));
    assert_eq!(end.path, "/126");
    assert!(end.text().contains("permission denied"), "{}", end.text());
}

#[test]
fn a_script_whose_interpreter_is_missing_says_so() {
    let (exit_code, end) = report_of(&[&script("#!/no/such/interpreter\n")]);
    assert_eq!(exit_code, Some(127));
    assert!(end.text().contains("interpreter"), "{}", end.text());
}

#[test]
fn a_script_without_a_first_line_is_run_by_a_shell_as_cron_does() {
    let server = Catcher::new();
    let output = run(monitor(&server.url())
        .arg("--")
        .args([&script("echo \"[$1]\"; exit 5\n"), "an argument"]));
    assert_eq!(text(&output.stdout), "[an argument]\n");
    assert_eq!(output.status.code(), Some(5));
}

fn script(content: &str) -> String {
    let file = folder("script").join("script");
    std::fs::write(&file, content).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_failure_carries_the_end_of_its_stderr() {
    let (_, end) = report_of_script("echo fine; echo wrong >&2; exit 1");
    assert_eq!(end.text(), "wrong\n");
}

#[test]
fn a_failure_that_is_silent_on_stderr_carries_the_end_of_its_stdout() {
    let (_, end) = report_of_script("echo what happened; exit 1");
    assert_eq!(end.text(), "what happened\n");
}

#[test]
fn a_success_carries_no_output() {
    let (_, end) = report_of_script("echo fine; echo a warning >&2");
    assert_eq!(end.text(), "");
}

#[test]
fn a_long_output_is_cut_to_its_last_whole_lines_with_word_of_what_is_missing() {
    let (_, end) = report_of_script("seq -f 'line number %06g' 1 20000 >&2; exit 1");
    assert!(end.body.len() <= BODY_LIMIT);
    let report = end.text();
    let (notice, kept) = report.split_once('\n').unwrap();
    let left_out: usize = notice
        .trim_start_matches('[')
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{notice}"));
    assert_eq!(left_out + kept.len(), 20_000 * "line number 000001\n".len());
    assert!(kept.starts_with("line number "), "{kept}");
    assert!(kept.ends_with("\nline number 020000\n"), "{kept}");
}

#[test]
fn bytes_that_are_not_text_are_carried_as_they_are() {
    let (_, end) = report_of_script(r"printf 'a\377\000\r\n\300b' >&2; exit 1");
    assert_eq!(end.body, b"a\xff\x00\r\n\xc0b");
}

#[test]
fn no_output_keeps_the_output_at_home_but_not_the_reason() {
    let server = Catcher::new();
    run(monitor(&server.url())
        .args(["--no-output", "--", "sh", "-c"])
        .arg("echo a secret; echo a secret >&2; kill -TERM $$"));
    assert_eq!(server.end().text(), "ended by SIGTERM\n");
}

#[test]
fn words_of_a_shell_in_place_of_a_program_get_the_hint_that_a_shell_understands_them() {
    for job in [
        &["FOO=bar", "true"][..],
        &["no-such-builtin-cd /srv && make"],
        &["/no/such/job", "&&", "echo", "done"],
        &["FOO=bar true > /tmp/x"],
        &["source", "./env.sh"],
    ] {
        let (code, end) = report_of(job);
        assert_eq!(code, Some(127), "{job:?}");
        let text = end.text();
        assert!(text.contains("sh -c '…'"), "{job:?}: {text}");
    }
    for job in ["no-such-program", "/no/such/job", "no-such-program --flag"] {
        let (code, end) = report_of(&[job]);
        assert_eq!(code, Some(127), "{job}");
        assert!(!end.text().contains("sh -c"), "{job}: {}", end.text());
    }
}

#[test]
fn a_progress_bar_is_reported_as_a_terminal_would_show_it_and_hides_nothing_before_it() {
    let script = "echo 'disk full' >&2; n=0; \
                  while [ $n -lt 2000 ]; do printf '\\r[####    ] %d of 2000' $n >&2; n=$((n + 1)); done; \
                  printf '\\n' >&2; printf '50 %%\\r99 %%' >&2; exit 3";
    let (code, end) = report_of_script(script);
    assert_eq!(code, Some(3));
    assert_eq!(end.text(), "disk full\n[####    ] 1999 of 2000\n99 %");
}

#[test]
fn what_a_progress_bar_writes_passes_through_byte_for_byte() {
    let server = Catcher::new();
    let script = "printf '1 %%\\r2 %%\\r\\n'; exit 3";
    let output = run(monitor(&server.url()).args(["--", "sh", "-c", script]));
    assert_eq!(output.stdout, b"1 %\r2 %\r\n");
    assert_eq!(server.end().text(), "2 %\r\n");
}
