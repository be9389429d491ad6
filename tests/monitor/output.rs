//! What the job sees and writes is what it would be without the wrapper.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pakyas::sys::{self, Await};

use crate::monitor::support::{
    PATIENCE, clean, code_of, folder, monitor, output_of, read_all, read_line, run, text,
};
use crate::support::catcher::Catcher;
use crate::support::os::{self, Start, start_with};

/// Bytes of all values, in an order that a mistake would disturb.
fn noise(length: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(length)
    .collect()
}

#[test]
fn both_streams_pass_through_byte_for_byte() {
    let server = Catcher::new();
    let file = folder("noise").join("noise");
    std::fs::write(&file, noise(3_000_001)).unwrap();
    let output = run(monitor(&server.url())
        .args(["--", "sh", "-c", "cat \"$0\"; cat \"$0\" >&2"])
        .arg(&file));
    assert!(output.stdout == noise(3_000_001));
    assert!(output.stderr == noise(3_000_001));
}

#[test]
fn a_line_shows_when_it_is_written() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args([
            "--",
            "sh",
            "-c",
            "printf 'a question? '; read answer; echo \"$answer\"",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut question = [0; 12];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut question)
        .unwrap();
    assert_eq!(&question, b"a question? ");
    child.stdin.take().unwrap().write_all(b"yes\n").unwrap();
    assert_eq!(text(&output_of(child).stdout), "yes\n");
}

#[test]
fn streams_that_are_the_same_pipe_keep_their_order() {
    let server = Catcher::new();
    let job =
        "i=0; while [ $i -lt 2000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; exit 1";
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = monitor(&server.url());
    command
        .args(["--", "sh", "-c", job])
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let child = command.spawn().unwrap();
    drop(command);
    let all = text(&read_all(&mut reader));
    let expected: String = (0..2000).map(|i| format!("out {i}\nerr {i}\n")).collect();
    assert!(all == expected, "{all}");
    assert_eq!(code_of(child), Some(1));
    assert!(server.end().text().ends_with("out 1999\nerr 1999\n"));
}

#[test]
fn a_gigabyte_through_stderr_takes_no_more_memory_than_a_line() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--", "sh", "-c"])
        .arg("head -c 1073741824 /dev/zero >&2; read -r line; exit 7")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let all = std::io::copy(&mut (&mut stderr).take(1 << 30), &mut std::io::sink());
    assert_eq!(all.unwrap(), 1 << 30);
    // The peak of the wrapper alone (proc(5)), while it is still there to be asked.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak_kb = peak.unwrap().trim().trim_end_matches(" kB");
    assert!(peak_kb.parse::<u64>().unwrap() < 16 * 1024, "{peak_kb} KiB");
    child.stdin.take().unwrap().write_all(b"end\n").unwrap();
    assert_eq!(read_all(&mut stderr), b"");
    assert_eq!(code_of(child), Some(7));
    assert!(server.end().body.len() <= 10_000);
}

#[test]
fn a_file_is_inherited_and_none_of_it_is_reported() {
    let server = Catcher::new();
    let folder = folder("inherited");
    let (out, err) = (folder.join("out"), folder.join("err"));
    let child = monitor(&server.url())
        .args([
            "--",
            "sh",
            "-c",
            "readlink /proc/self/fd/1 /proc/self/fd/2; exit 1",
        ])
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .spawn()
        .unwrap();
    assert_eq!(code_of(child), Some(1));
    let seen = std::fs::read_to_string(&out).unwrap();
    assert_eq!(seen, format!("{}\n{}\n", out.display(), err.display()));
    assert_eq!(server.end().text(), "");
}

#[test]
fn a_file_for_stdout_does_not_keep_stderr_from_being_reported() {
    let server = Catcher::new();
    let out = folder("dump").join("dump");
    let mut command = monitor(&server.url());
    command
        .args(["--", "sh", "-c", "echo the dump; echo wrong >&2; exit 1"])
        .stdout(File::create(&out).unwrap())
        .stderr(Stdio::piped());
    let output = output_of(command.spawn().unwrap());
    assert_eq!(text(&output.stderr), "wrong\n");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "the dump\n");
    assert_eq!(server.end().text(), "wrong\n");
}

#[test]
fn dev_null_is_inherited() {
    let server = Catcher::new();
    let child = monitor(&server.url())
        .args([
            "--",
            "sh",
            "-c",
            "test \"$(readlink /proc/$$/fd/1)\" = /dev/null",
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(code_of(child), Some(0));
}

#[test]
fn capture_none_inherits_a_pipe_and_reports_none_of_it() {
    let server = Catcher::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(writer.try_clone().unwrap()));
    let expected = format!("pipe:[{}]\n", pipe.metadata().unwrap().ino());
    let mut command = monitor(&server.url());
    command
        .args([
            "--capture",
            "none",
            "--",
            "sh",
            "-c",
            "readlink /proc/$$/fd/1; exit 1",
        ])
        .stdout(writer);
    let child = command.spawn().unwrap();
    drop((command, pipe));
    assert_eq!(text(&read_all(&mut reader)), expected);
    assert_eq!(code_of(child), Some(1));
    assert_eq!(server.end().text(), "");
}

#[test]
fn capture_all_reports_what_goes_to_a_file_as_well() {
    let server = Catcher::new();
    let log = folder("log").join("log");
    let file = File::create(&log).unwrap();
    let child = monitor(&server.url())
        .args([
            "--capture",
            "all",
            "--",
            "sh",
            "-c",
            "echo one; echo two >&2; echo three; exit 1",
        ])
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    assert_eq!(code_of(child), Some(1));
    let written = "one\ntwo\nthree\n";
    assert_eq!(std::fs::read_to_string(&log).unwrap(), written);
    assert_eq!(server.end().text(), written);
}

#[test]
fn capture_stderr_leaves_stdout_alone() {
    let server = Catcher::new();
    let output = run(monitor(&server.url()).args([
        "--capture",
        "stderr",
        "--",
        "sh",
        "-c",
        "echo out; exit 1",
    ]));
    assert_eq!(text(&output.stdout), "out\n");
    assert_eq!(server.end().text(), "");
}

#[test]
fn stdin_is_the_jobs() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(&noise(300_000)));
    assert!(output_of(child).stdout == noise(300_000));
    writer.join().unwrap().unwrap();
}

#[test]
fn whoever_feeds_the_job_learns_that_it_has_closed_its_stdin() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--", "sh", "-c", "exec <&-; echo ready; exec sleep 600"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(read_line(child.stdout.as_mut().unwrap()), "ready");
    let stdin = child.stdin.take().unwrap();
    // The wrapper lets go of it soon after the job's start.
    let broken = [(Some(stdin.as_fd()), Await::Break)];
    let [told] = sys::poll(broken, Some(Instant::now() + PATIENCE)).unwrap();
    assert!(told.broken);
    os::kill(child.id(), libc::SIGTERM);
    assert_eq!(code_of(child), Some(143));
}

#[test]
fn whoever_reads_the_job_learns_that_it_has_closed_its_stdout() {
    for capture in ["auto", "none"] {
        let server = Catcher::new();
        let mut child = monitor(&server.url())
            .args(["--capture", capture])
            .args(["--", "sh", "-c", "echo all; exec >&-; exec sleep 600"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(text(&read_all(child.stdout.as_mut().unwrap())), "all\n");
        os::kill(child.id(), libc::SIGTERM);
        assert_eq!(code_of(child), Some(143));
    }
}

#[test]
fn a_stream_that_was_closed_is_closed_for_the_job() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    // The shell opens nothing itself to look.
    let look = "test ! -e /proc/$$/fd/0 && test -e /proc/$$/fd/1 && test ! -e /proc/$$/fd/2";
    command.args(["--", "sh", "-c", look]);
    start_with(
        &mut command,
        Start {
            closed: vec![0, 2],
            ..Start::default()
        },
    );
    assert_eq!(run(&mut command).status.code(), Some(0));
}

#[test]
fn the_job_inherits_other_descriptors_and_none_of_ours() {
    let server = Catcher::new();
    let list = "ls /proc/self/fd | tr '\\n' ' '";
    let with_one_more = |program: &mut Command| {
        program.args(["sh", "-c", "exec 9>/dev/null; exec \"$@\"", "sh"]);
    };
    let mut bare = clean("env");
    with_one_more(&mut bare);
    bare.args(["sh", "-c", list]);
    let mut wrapped = clean("env");
    with_one_more(&mut wrapped);
    wrapped
        .arg(crate::monitor::support::pakyas())
        .args(crate::monitor::support::monitor_arguments(&server.url()))
        .args(["--timeout", "10m", "--", "sh", "-c", list]);
    let [bare, wrapped] = [bare, wrapped].map(|mut command| text(&run(&mut command).stdout));
    assert!(bare.contains('9'), "{bare}");
    assert_eq!(wrapped, bare);
}

#[test]
fn arguments_after_the_dashes_are_untouched() {
    let server = Catcher::new();
    let arguments: Vec<OsString> = [
        &b"--"[..],
        b"-v",
        b"--flag=x",
        b"--public_id",
        b"",
        b"two words",
        b"a_b",
        b"$HOME",
        b"\xff\xfe",
        b"--help",
        b"",
    ]
    .map(|bytes| OsString::from_vec(bytes.to_vec()))
    .to_vec();
    let output = run(monitor(&server.url())
        .args(["--", "sh", "-c", "printf '[%s]' \"$@\"", "sh"])
        .args(&arguments));
    let mut expected = Vec::new();
    for argument in &arguments {
        expected.extend_from_slice(&[b"[", argument.as_encoded_bytes(), b"]"].concat());
    }
    assert_eq!(output.stdout, expected);
}

#[test]
fn a_reader_that_goes_away_ends_the_job_by_sigpipe_as_without_us() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--", "yes"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(read_line(&mut child.stdout.take().unwrap()), "y");
    assert_eq!(code_of(child), Some(128 + libc::SIGPIPE));
    assert!(server.end().text().starts_with("ended by SIGPIPE\n"));
}

#[test]
fn the_next_write_after_a_reader_went_away_gets_sigpipe() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--", "sh", "-c", "read line; echo late; exit 3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    // Nothing tells us when the wrapper has noticed; it must, since its write end is broken.
    let wrapper = child.id();
    crate::monitor::support::wait_until("the wrapper has closed the job's pipe", || {
        !has_open(wrapper, "pipe:", &job_stdout(wrapper))
    });
    drop(child.stdin.take());
    assert_eq!(code_of(child), Some(128 + libc::SIGPIPE));
}

/// The pipe that is the stdout of the wrapper's job.
fn job_stdout(wrapper: u32) -> String {
    let job = crate::monitor::support::child_of(wrapper);
    std::fs::read_link(format!("/proc/{job}/fd/1"))
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn has_open(pid: u32, prefix: &str, name: &str) -> bool {
    name.starts_with(prefix)
        && std::fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|link| link.to_string_lossy() == name)
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_hold_the_wrapper() {
    let server = Catcher::new();
    let output = run(monitor(&server.url()).args([
        "--",
        "sh",
        "-c",
        "sleep 600 & echo $! >&2; echo out; exit 7",
    ]));
    assert_eq!(text(&output.stdout), "out\n");
    assert_eq!(output.status.code(), Some(7));
    os::kill(text(&output.stderr).trim().parse().unwrap(), libc::SIGKILL);
}

#[test]
fn a_grandchild_that_writes_on_and_on_does_not_hold_the_wrapper() {
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--", "sh", "-c", "yes & exit 7"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    assert_eq!(code_of(child), Some(7));
    // `yes` gets SIGPIPE once the wrapper is gone, or this would not end.
    reader.join().unwrap().unwrap();
}

#[test]
fn what_a_grandchild_writes_right_after_the_jobs_end_still_arrives() {
    let server = Catcher::new();
    let output = run(monitor(&server.url()).args([
        "--",
        "sh",
        "-c",
        "(while kill -0 $$ 2>/dev/null; do :; done; echo late) & echo early",
    ]));
    assert_eq!(text(&output.stdout), "early\nlate\n");
}

#[test]
fn what_the_job_wrote_is_not_lost_to_a_slow_reader() {
    const AMOUNT: usize = 600_000;
    let server = Catcher::new();
    let mut child = monitor(&server.url())
        .args(["--", "sh", "-c"])
        .arg(format!("echo ready; read line; head -c {AMOUNT} /dev/zero"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(read_line(&mut stdout), "ready");
    // Room for all that the job writes, so that it ends while most of that is under way.
    let job = crate::monitor::support::child_of(child.id());
    let pipe = File::options()
        .write(true)
        .open(format!("/proc/{job}/fd/1"));
    os::set_pipe_size(&pipe.unwrap(), 1 << 20);
    drop(child.stdin.take());
    // The report comes a second after the job's end, when draining would be over.
    server.wait_for_path("/0");
    let mut all = vec![0; 140_000];
    stdout.read_exact(&mut all).unwrap();
    // As long again as draining could take at most.
    thread::sleep(Duration::from_millis(1200));
    all.extend(read_all(&mut stdout));
    assert_eq!(all.len(), AMOUNT);
    assert_eq!(code_of(child), Some(0));
}
