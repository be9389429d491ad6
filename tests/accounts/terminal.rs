//! The terminal on which a password is asked for: it shows what is typed again, however the
//! question ends.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::support::home::Home;
use crate::support::os::{Start, kill, pseudo_terminal, shows_what_is_typed, start_with};
use crate::support::server::{Server, command};
use crate::support::wait_for;

/// Starts the command, waits for its question, sends the signal, and looks at the terminal.
fn is_left_as_it_was(mut command: Command, question: &str, signal: i32) {
    let (mut screen, programs) = pseudo_terminal();
    assert!(shows_what_is_typed(&programs));
    let stream = || programs.try_clone().unwrap();
    command.stdin(stream()).stdout(stream()).stderr(stream());
    start_with(&mut command, Start::default());
    let mut child = command.spawn().unwrap();
    let mut seen = String::new();
    while !seen.contains(question) {
        let mut bytes = [0; 256];
        let count = screen.read(&mut bytes).unwrap();
        seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    assert!(!shows_what_is_typed(&programs));
    kill(child.id(), signal);
    let status = wait_for("the end of the program", || child.try_wait().unwrap());
    assert_eq!(status.signal(), Some(signal), "{seen}");
    assert!(shows_what_is_typed(&programs), "after signal {signal}");
}

#[test]
fn a_signal_at_the_question_of_the_client_leaves_the_terminal_as_it_was() {
    let home = Home::at("http://127.0.0.1:9");
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        let mut command = home.command();
        command.args(["login", "--no-browser"]);
        // No core of it is wanted.
        command.current_dir(home.path());
        is_left_as_it_was(command, "Email: ", signal);
    }
}

#[test]
fn a_signal_at_the_question_of_the_server_leaves_the_terminal_as_it_was() {
    let server = Server::start();
    let mut command = command();
    command
        .args(["user", "add", "me@acme.example", "--data-dir"])
        .arg(server.database().parent().unwrap());
    is_left_as_it_was(command, "Password for me@acme.example: ", libc::SIGTERM);
}

#[test]
fn a_hangup_that_was_ignored_before_the_question_is_ignored_at_it() {
    let home = Home::at("http://127.0.0.1:9");
    let (mut screen, programs) = pseudo_terminal();
    let mut command = home.command();
    command.args(["login", "--no-browser"]);
    let ignored = Start {
        ignored: vec![libc::SIGHUP],
        ..Start::default()
    };
    start_with(&mut command, ignored);
    let stream = || programs.try_clone().unwrap();
    command.stdin(stream()).stdout(stream()).stderr(stream());
    let mut child = command.spawn().unwrap();
    let mut seen = [0; 7];
    screen.read_exact(&mut seen).unwrap();
    kill(child.id(), libc::SIGHUP);
    // The hangup had no effect: it is still the terminating signal that ends it.
    kill(child.id(), libc::SIGTERM);
    let status = wait_for("the end of the program", || child.try_wait().unwrap());
    assert_eq!(status.signal(), Some(libc::SIGTERM));
    assert!(shows_what_is_typed(&programs));
}
