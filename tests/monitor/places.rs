//! The places where it must run: as process 1, with nothing around it, as anybody.

use std::process::{Command, Stdio};

use crate::monitor::support::{
    self, child_of, clean, monitor, monitor_arguments, os, pakyas, run, text,
};
use crate::support::catcher::Catcher;

/// A command that runs what follows in namespaces of its own, `-n` for the network and so on;
/// `None`, said on stderr, where this machine lets nobody do that.
pub fn unshare(flags: &[&str]) -> Option<Command> {
    let user = ["-U", "-r"];
    for flags in [flags.to_vec(), [&user, flags].concat()] {
        let works = clean("unshare").args(&flags).arg("true").output();
        if works.is_ok_and(|output| output.status.success()) {
            let mut command = clean("unshare");
            command.args(flags);
            return Some(command);
        }
    }
    eprintln!("skipped: this machine gives no namespace for unshare {flags:?}");
    None
}

/// `pakyas monitor` as process 1 of a pid namespace.
fn as_process_1(url: &str) -> Option<Command> {
    let mut command = unshare(&["-p", "-f", "--mount-proc"])?;
    command.arg(pakyas()).args(monitor_arguments(url));
    Some(command)
}

#[test]
fn as_process_1_it_reaps_orphans() {
    let server = Catcher::new();
    let Some(mut command) = as_process_1(&server.url()) else {
        return;
    };
    // The orphan's /proc entry would stay, a zombie's, for as long as nobody waits for it.
    let job = "orphan=$(sh -c 'sleep 0.1 >/dev/null & echo $!'); \
               while [ -e /proc/$orphan ]; do sleep 0.01; done; \
               cat /proc/1/comm; echo reaped $(cat /proc/*/stat | grep -c ') Z ')";
    let output = run(command.args(["--", "sh", "-c", job]));
    assert_eq!(text(&output.stdout), "pakyas\nreaped 0\n");
    assert_eq!(server.end().path, "/0");
}

#[test]
fn as_process_1_it_forwards_and_ends_with_the_jobs_code() {
    let server = Catcher::new();
    let Some(mut command) = as_process_1(&server.url()) else {
        return;
    };
    let job = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done";
    let mut child = command
        .args(["--", "sh", "-c", job])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    support::read_line(&mut out);
    os::kill(child_of(child.id()), libc::SIGTERM);
    assert_eq!(support::code_of(child), Some(9));
    assert_eq!(server.end().text(), "exited with 9 after SIGTERM\nready\n");
}

#[test]
fn as_process_1_an_ignored_signal_does_not_end_it() {
    let server = Catcher::new();
    let Some(mut command) = as_process_1(&server.url()) else {
        return;
    };
    let mut child = command
        .args([
            "--",
            "sh",
            "-c",
            "trap '' USR1; echo ready; read line; exit 4",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    support::read_line(child.stdout.as_mut().unwrap());
    support::send_and_await(child_of(child.id()), libc::SIGUSR1);
    drop(child.stdin.take());
    assert_eq!(support::code_of(child), Some(4));
}

#[test]
fn it_runs_with_a_read_only_root_no_home_no_resolver_and_no_environment_as_anybody() {
    let server = Catcher::new();
    let Some(mut command) = unshare(&["-m"]) else {
        return;
    };
    // The program lies in a place of its own, since the project may lie below /root or /tmp.
    // /etc, /root and /tmp are empty and cannot be written, and so is all else.
    let bare = "mount -t tmpfs none /mnt && cp \"$1\" /mnt/pakyas && chmod 755 /mnt /mnt/pakyas || exit 99; \
                for folder in /etc /root /tmp; do mount -t tmpfs -o ro none $folder || exit 99; done; \
                mount -o remount,ro /mnt && mount -o remount,bind,ro / || exit 99; \
                touch /written 2>/dev/null && exit 98; cd /; shift; \
                exec setpriv --reuid 54321 --regid 54321 --clear-groups env -i /mnt/pakyas \"$@\"";
    let output = run(command
        .args(["sh", "-c", bare, "sh"])
        .arg(pakyas())
        .args(monitor_arguments(&server.url()))
        .args([
            "--",
            "/bin/sh",
            "-c",
            "echo $(id -u) $(env | grep -c HOME); exit 7",
        ]));
    let stderr = without_counters(&output.stderr, '\n');
    if output.status.code() == Some(99) {
        eprintln!("skipped: nothing can be mounted here: {stderr}");
        return;
    }
    assert_eq!(text(&output.stdout), "54321 0\n", "{stderr}");
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    assert_eq!(stderr, "");
    assert_eq!(server.end().path, "/7");
}

#[test]
fn it_runs_with_an_empty_environment_and_the_job_gets_it_so() {
    let server = Catcher::new();
    let output = run(monitor(&server.url())
        .env_clear()
        .args(["--", "/usr/bin/env"]));
    assert_eq!(without_counters(&output.stdout, '\n'), "");
    assert_eq!(output.status.code(), Some(0));
}

/// What was written, without what the counting of lines adds (`make coverage`).
fn without_counters(bytes: &[u8], end: char) -> String {
    text(bytes)
        .split_inclusive(end)
        .filter(|line| !line.starts_with("__LLVM_PROFILE") && !line.starts_with("LLVM Profile"))
        .collect()
}

#[test]
fn the_job_gets_the_environment_as_it_is() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    command
        .env_clear()
        .env("PAKYAS_API_KEY", "pk_live_x")
        .env("ODD", "a=b\nc")
        .args(["--", "/usr/bin/env", "-0"]);
    assert_eq!(
        without_counters(&run(&mut command).stdout, '\0'),
        "ODD=a=b\nc\0PAKYAS_API_KEY=pk_live_x\0"
    );
}
