//! At a terminal: the job has it, its keys reach the job once, and the shell's job control works.

use std::io::Read;
use std::process::Command;

use crate::monitor::support::{clean, folder, monitor, pakyas, settle, state_of, wait_until};
use crate::support::catcher::Catcher;
use crate::support::os::{self, pseudo_terminal, start_on_terminal};
use crate::support::person::Person;

const CTRL_C: &[u8] = b"\x03";
const CTRL_Z: &[u8] = b"\x1a";

/// A shell line that runs the script as a job under the wrapper.
fn line(server: &Catcher, flags: &str, script: &str) -> String {
    format!(
        "{} monitor --ping-url {} --public_id {} {flags} -- sh -c '{script}'",
        pakyas().display(),
        server.url(),
        crate::monitor::support::PUBLIC_ID
    )
}

fn shell(script: &str) -> Command {
    let mut command = clean("sh");
    command.args(["-c", script]);
    command
}

/// Counts its interrupts, and ends with their number at a line of input.
const COUNTS_INTERRUPTS: &str = "n=0; trap 'n=$((n+1)); echo got $n' INT; echo ready; \
     until read line; do :; done; echo counted $n; exit $n";

#[test]
fn the_job_has_the_terminal_on_all_three_streams() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    command.args([
        "--",
        "sh",
        "-c",
        "test -t 0 && test -t 1 && test -t 2 && exit 7",
    ]);
    Person::starts(command).leaves_with(7);
}

/// Has the wrapper get the signal after the job has handled its own, so that a second one
/// would not be lost in the first.
fn interrupts_once(mut person: Person) {
    person.sees("ready");
    let wrapper = person.child.id();
    os::kill(wrapper, libc::SIGSTOP);
    wait_until("the wrapper has stopped", || state_of(wrapper) == 'T');
    person.types(CTRL_C);
    person.sees("got 1");
    os::kill(wrapper, libc::SIGCONT);
    settle(wrapper);
    person.types(b"\n");
    person.sees("counted 1");
    person.leaves_with(1);
}

#[test]
fn ctrl_c_reaches_the_job_exactly_once() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    command.args(["--", "sh", "-c", COUNTS_INTERRUPTS]);
    interrupts_once(Person::starts(command));
}

#[test]
fn ctrl_c_ends_a_job_and_the_end_is_reported() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    command.args(["--", "sh", "-c", "echo ready; exec sleep 600"]);
    let mut person = Person::starts(command);
    person.sees("ready");
    person.types(CTRL_C);
    person.leaves_with(130);
    assert_eq!(server.end().text(), "ended by SIGINT\n");
}

#[test]
fn a_terminal_that_goes_away_hangs_up_on_the_job() {
    let server = Catcher::new();
    let note = folder("hangup").join("note");
    let mut command = monitor(&server.url());
    command.env("NOTE", &note).args(["--", "sh", "-c"]).arg(
        "trap 'echo hung up > \"$NOTE\"; exit 5' HUP; echo ready; while :; do sleep 0.01; done",
    );
    let (mut person, programs) = pseudo_terminal();
    start_on_terminal(&mut command, &programs);
    let child = command.spawn().unwrap();
    drop((command, programs));
    let mut seen = [0; 5];
    person.read_exact(&mut seen).unwrap();
    drop(person);
    assert_eq!(crate::monitor::support::code_of(child), Some(5));
    assert_eq!(std::fs::read_to_string(note).unwrap(), "hung up\n");
    assert_eq!(server.end().path, "/5");
}

#[test]
fn ctrl_z_stops_the_job_and_the_wrapper_and_fg_continues_both() {
    for flags in ["", "--timeout 10m"] {
        let server = Catcher::new();
        let job = "echo ready; read line; echo \"read $line\"; exit 6";
        let script = format!(
            "set -m; {}; echo stopped with $?; fg; echo ended with $?",
            line(&server, flags, job)
        );
        let mut person = Person::starts(shell(&script));
        person.sees("ready");
        person.types(CTRL_Z);
        person.sees("stopped with 148");
        person.types(b"word\n");
        person.sees("read word");
        person.sees("ended with 6");
        person.leaves_with(0);
        assert_eq!(server.end().path, "/6");
    }
}

#[test]
fn with_a_timeout_the_job_still_has_the_terminal_and_gives_it_back() {
    let server = Catcher::new();
    let job = "read line; echo \"job read $line\"";
    let script = format!(
        "{}; read line; echo \"shell read $line\"",
        line(&server, "--timeout 10m", job)
    );
    let mut person = Person::starts(shell(&script));
    person.types(b"one\n");
    person.sees("job read one");
    person.types(b"two\n");
    person.sees("shell read two");
    person.leaves_with(0);
}

#[test]
fn with_a_timeout_ctrl_c_reaches_the_job_exactly_once() {
    let server = Catcher::new();
    let mut command = monitor(&server.url());
    command.args(["--timeout", "10m", "--", "sh", "-c", COUNTS_INTERRUPTS]);
    interrupts_once(Person::starts(command));
}

#[test]
fn with_a_timeout_a_command_that_is_not_there_leaves_the_terminal_alone() {
    let server = Catcher::new();
    let script = format!(
        "{} monitor --ping-url {} --public_id {} --timeout 10m -- no-such-command; \
         echo ended with $?; read line; echo \"shell read $line\"",
        pakyas().display(),
        server.url(),
        crate::monitor::support::PUBLIC_ID
    );
    let mut person = Person::starts(shell(&script));
    person.sees("ended with 127");
    person.types(b"two\n");
    person.sees("shell read two");
    person.leaves_with(0);
}

#[test]
fn in_the_background_a_command_that_is_not_there_takes_no_terminal() {
    let server = Catcher::new();
    let script = format!(
        "set -m; {} monitor --ping-url {} --public_id {} --timeout 10m -- no-such-command & \
         wait $!; echo ended with $?; read line; echo \"shell read $line\"",
        pakyas().display(),
        server.url(),
        crate::monitor::support::PUBLIC_ID
    );
    let mut person = Person::starts(shell(&script));
    person.sees("ended with 127");
    person.types(b"two\n");
    person.sees("shell read two");
    person.leaves_with(0);
}
