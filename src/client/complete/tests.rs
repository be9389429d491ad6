//! What is offered where, without a shell.

use super::*;

fn ask(words: &[&str]) -> Answer {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    answer(&Cli::get_args_info(), &words)
}

fn offered(words: &[&str]) -> Vec<String> {
    match ask(words) {
        Answer::Words(offers) => offers.into_iter().map(|offer| offer.word).collect(),
        Answer::Job(at) => panic!("{words:?}: a job at {at}"),
    }
}

#[test]
fn commands_and_their_commands_are_offered() {
    assert_eq!(offered(&["che"]), ["check"]);
    assert!(offered(&[""]).contains(&"monitor".to_owned()));
    assert_eq!(offered(&["check", "sh"]), ["show"]);
    assert_eq!(offered(&["help", "check", "sh"]), ["show"]);
    assert!(!offered(&[""]).contains(&ASKED.to_owned()));
}

#[test]
fn flags_are_offered_wherever_they_may_stand_and_once() {
    assert_eq!(offered(&["check", "list", "--ta"]), ["--tag"]);
    assert_eq!(offered(&["check", "--form"]), ["--format"]);
    assert_eq!(
        offered(&["--format", "json", "check", "list", "--form"]),
        [""; 0]
    );
    assert_eq!(
        offered(&["ping", "x", "--public_id", "a", "--public"]),
        [""; 0]
    );
    assert_eq!(
        offered(&["check", "list", "--tag", "a", "--ta"]),
        ["--tag"],
        "may be given again"
    );
}

#[test]
fn values_are_those_of_the_definitions_in_both_spellings() {
    assert_eq!(offered(&["--format", ""]), ["table", "json", "ndjson"]);
    assert_eq!(offered(&["check", "list", "--format", "nd"]), ["ndjson"]);
    assert_eq!(
        offered(&["check", "list", "--format=nd"]),
        ["--format=ndjson"]
    );
    assert_eq!(offered(&["completion", "z"]), ["zsh"]);
    assert_eq!(
        offered(&["check", "list", "--status", "up,down,p"]),
        ["up,down,paused"]
    );
    assert_eq!(offered(&["ping", "x", "--message", ""]), [""; 0]);
}

#[test]
fn what_follows_the_dashes_of_monitor_is_another_command() {
    assert_eq!(ask(&["monitor", "x", "--", ""]), Answer::Job(4));
    assert_eq!(
        ask(&["-v", "monitor", "x", "--", "ls", "-"]),
        Answer::Job(5)
    );
    assert_eq!(offered(&["monitor", "x", "--"])[0], "--");
    assert_eq!(offered(&["ping", "x", "--", ""]), [""; 0]);
}

#[test]
fn files_are_offered_after_file() {
    assert_eq!(offered(&["login", "--api-key", "f"]), ["file:"]);
    assert_eq!(
        offered(&["login", "--api-key", "file:src/client/com"]),
        ["file:src/client/commands/", "file:src/client/complete/"]
    );
    assert_eq!(
        offered(&["login", "--api-key=file:src/client/api"]),
        ["--api-key=file:src/client/api.rs"]
    );
}
