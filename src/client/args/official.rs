//! Flags that the official client has and this one has under another name, or has no use for: a
//! line in somebody's crontab goes on working. They are in no help text.

/// What a flag of the official client is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This flag.
    Flag(&'static str),
    /// This flag with this value.
    With(&'static str, &'static str),
    /// The argument of the command.
    Argument,
    /// It takes no value and has no effect, which is said.
    Idle,
    /// It takes a value and has no effect, which is said.
    IdleWithValue,
    /// It takes no value and asks for what is done anyway.
    Done,
    /// It takes one of these values, of which the first is what is done anyway, and the second
    /// is this switch.
    Choice(&'static str, &'static str, &'static str),
}

use Meaning::{Argument, Choice, Done, Flag, Idle, IdleWithValue, With};

/// The command, as the words that lead to it (of every command: none), the flag, and what it is.
const FLAGS: &[(&[&str], &str, Meaning)] = &[
    (&[], "--no-external", Idle),
    (&[], "--external-timeout-ms", IdleWithValue),
    (&[], "--migration-mode", Idle),
    (&[], "--healthchecks-id", IdleWithValue),
    (&[], "--healthchecks-endpoint", IdleWithValue),
    (&[], "--cronitor-key", IdleWithValue),
    (&[], "--cronitor-api-key", IdleWithValue),
    (&[], "--cronitor-monitor", IdleWithValue),
    (&[], "--cronitor-endpoint", IdleWithValue),
    (&[], "--webhook-url", IdleWithValue),
    (&[], "--no-update-check", Done),
    (&[], "--plain", Flag("--no-color")),
    (&[], "--debug-http", Idle),
    (&[], "--display-tz", Choice("local", "utc", "--utc")),
    (&[], "--time", IdleWithValue),
    (&["check", "create"], "--json", With("--format", "json")),
    (&["check", "create"], "--schedule", Flag("--cron")),
    (
        &["check", "create"],
        "--alert-after-failures",
        Flag("--alert-after-fail-pings"),
    ),
    (
        &["check", "create"],
        "--missed-before-alert",
        Flag("--alert-after-miss-pings"),
    ),
    (&["check", "update"], "--schedule", Flag("--cron")),
    (
        &["check", "update"],
        "--alert-after-failures",
        Flag("--alert-after-fail-pings"),
    ),
    (
        &["check", "update"],
        "--missed-before-alert",
        Flag("--alert-after-miss-pings"),
    ),
    (&["check", "update"], "--yes", Done),
    (&["check", "update"], "-y", Done),
    (&["project", "create"], "--name", Argument),
    (&["org", "switch"], "--no-prompt", Done),
    (&["api-key", "create"], "-s", Flag("--scopes")),
    (&["auth", "key", "set"], "--key", Argument),
    (&["auth", "key", "rm"], "--yes", Done),
    (&["auth", "key", "rm"], "-y", Done),
];

/// What the flag called `name` is, after the words of `path`.
pub(super) fn meaning(path: &[String], name: &str) -> Option<Meaning> {
    let is_of = |words: &[&str]| words.is_empty() || path.iter().eq(words);
    FLAGS
        .iter()
        .find(|(words, flag, _)| *flag == name && is_of(words))
        .map(|(_, _, meaning)| *meaning)
}
