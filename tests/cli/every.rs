//! Every command where something outside of it is wrong: no network, a bad key, a key of another
//! organization. The commands are taken from the parser, so that a new one needs a row here.

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfoKind};
use pakyas::client::args::Cli;

use crate::support::home::{Home, Outcome};
use crate::support::stub::Reply;
use crate::support::world::{KEY, World, refusal};

/// What is expected of a command.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Asks {
    /// It asks the API: 4 without network, 5 with a bad key, 6 with a key of another
    /// organization.
    Api,
    /// It asks nobody, and does its work.
    Nobody,
    /// It is about a job, whose exit code it has; what is wrong is told beside it.
    Job,
    /// It does something else: see its own tests.
    Else,
}

/// A line for each command.
const ROWS: &[(&str, Asks)] = &[
    ("login --api-key pk_live_of_the_line", Asks::Api),
    // The key is in the environment, which only the shell can change.
    ("logout", Asks::Else),
    ("whoami", Asks::Api),
    // These four tell of what is kept here, and of the API beside it.
    ("auth status", Asks::Else),
    ("auth key list", Asks::Else),
    ("auth key set pk_live_of_the_line", Asks::Api),
    ("auth key verify", Asks::Else),
    ("auth key rm", Asks::Else),
    ("api-key list", Asks::Api),
    ("api-key create x", Asks::Api),
    ("api-key revoke x -y", Asks::Api),
    ("org list", Asks::Api),
    ("org switch x", Asks::Api),
    ("project list", Asks::Api),
    ("project create x", Asks::Api),
    ("project switch x", Asks::Api),
    ("project default", Asks::Api),
    ("project delete x -y", Asks::Api),
    ("check create x --period 1h", Asks::Api),
    ("check list", Asks::Api),
    ("check show x", Asks::Api),
    ("check logs x", Asks::Api),
    ("check update x --grace 5m", Asks::Api),
    ("check pause x", Asks::Api),
    ("check resume x", Asks::Api),
    ("check delete x -y", Asks::Api),
    ("check sync", Asks::Api),
    ("check inspect x", Asks::Api),
    ("check doctor x", Asks::Api),
    ("check tail x", Asks::Api),
    ("ping x --strict --ping-timeout 1s", Asks::Api),
    ("monitor x --ping-timeout 1s -- true", Asks::Job),
    (
        "channel create --name x --target https://example.com --kind webhook",
        Asks::Api,
    ),
    ("channel list", Asks::Api),
    ("channel update x --disable", Asks::Api),
    ("channel test x", Asks::Api),
    ("channel deliveries x", Asks::Api),
    ("channel delete x -y", Asks::Api),
    ("maintenance list", Asks::Api),
    (
        "maintenance create --reason x --starts now --for 1h",
        Asks::Api,
    ),
    (
        "maintenance delete 7f0a2b1e-0000-4000-8000-000000000000 -y",
        Asks::Api,
    ),
    ("spool list", Asks::Nobody),
    ("spool flush", Asks::Else),
    ("spool clear", Asks::Nobody),
    ("completion bash", Asks::Nobody),
    ("man", Asks::Nobody),
];

/// Every command that does something, as it is typed, with its definition.
fn commands() -> Vec<(String, CommandInfoWithArgs)> {
    fn walk(info: CommandInfoWithArgs, path: &str, found: &mut Vec<(String, CommandInfoWithArgs)>) {
        if info.commands.is_empty() {
            found.push((path.trim().to_owned(), info));
            return;
        }
        for command in info.commands {
            walk(command.command, &format!("{path} {}", command.name), found);
        }
    }
    let mut found = Vec::new();
    walk(Cli::get_args_info(), "", &mut found);
    found
}

/// The row of the command that is typed so.
fn row(path: &str) -> (&'static str, Asks) {
    let is_it = |line: &str| line == path || line.starts_with(&format!("{path} "));
    let found = ROWS.iter().find(|(line, _)| is_it(line));
    *found.unwrap_or_else(|| panic!("'pakyas {path}' has no row in tests/cli/every.rs"))
}

/// The failure is told as it should be: nothing on stdout, no secret, and a sentence that begins
/// with what happened and names what mends it.
#[track_caller]
fn told_well(line: &str, outcome: &Outcome) {
    assert_eq!(outcome.stdout, "", "{line}: {outcome:#?}");
    let text = &outcome.stderr;
    for secret in [KEY, "pk_live_of_the_line"] {
        assert!(!text.contains(secret), "{line}: {outcome:#?}");
    }
    let first = text.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(char::is_uppercase) || first.starts_with("pakyas: "),
        "{line}: {outcome:#?}"
    );
    let sentences = first.matches(". ").count() + 1;
    assert!(sentences <= 2 && first.len() < 300, "{line}: {outcome:#?}");
    let mends = ["pakyas ", "PAKYAS_", "Try again", "--api-url"];
    assert!(
        mends.iter().any(|mend| text.contains(mend)),
        "{line}: {outcome:#?}"
    );
    for word in ["panicked", "Error {", "Some(", "Err(", "unwrap"] {
        assert!(!text.contains(word), "{line}: {outcome:#?}");
    }
}

/// Runs every command in a home that points at `url`, where those that ask the API are to exit
/// with `code`.
fn try_every_command(url: &str, code: i32) {
    for (path, _) in commands() {
        let (line, asks) = row(&path);
        let home = Home::at(url)
            .with("PAKYAS_API_KEY", KEY)
            .with("PAKYAS_PROJECT", "production");
        let outcome = home.pakyas(line);
        match asks {
            Asks::Api => {
                assert_eq!(outcome.code, code, "{line}: {outcome:#?}");
                told_well(line, &outcome);
            }
            Asks::Job => {
                assert_eq!(outcome.code, 0, "{line}: {outcome:#?}");
                told_well(line, &outcome);
            }
            Asks::Nobody => assert_eq!(outcome.code, 0, "{line}: {outcome:#?}"),
            Asks::Else => assert!(!outcome.stderr.contains(KEY), "{line}: {outcome:#?}"),
        }
    }
}

#[test]
fn every_command_without_network_exits_4_and_says_whom_it_can_not_reach() {
    try_every_command("http://127.0.0.1:9", 4);
}

#[test]
fn every_command_with_a_bad_key_exits_5_and_says_how_to_log_in() {
    let world = World::but(|_| Some(refusal(401, "The key is not known")));
    try_every_command(&world.url(), 5);
}

#[test]
fn every_command_with_a_key_of_another_organization_exits_6_and_says_whose_it_is() {
    let world = World::but(|_| {
        Some(Reply::json(
            403,
            &serde_json::json!({
                "error": "ORG_KEY_MISMATCH", "key_org_name": "Company B",
                "requested_org_id": "00000000-0000-0000-0000-00000000000a",
            }),
        ))
    });
    try_every_command(&world.url(), 6);
}

#[test]
fn every_command_without_a_key_says_how_to_log_in_or_needs_none() {
    for (path, _) in commands() {
        let (line, asks) = row(&path);
        if asks != Asks::Api || path == "login" || path == "auth key set" {
            continue;
        }
        let outcome = Home::new().pakyas(line).exits(5);
        told_well(line, &outcome);
        assert!(
            outcome.stderr.starts_with("Not logged in"),
            "{line}: {outcome:#?}"
        );
    }
}

/// The definitions list the values that there are, for help and for completion. The commands
/// check them: both must be the same.
#[test]
fn every_value_that_a_flag_lists_is_taken_and_no_other() {
    let home = Home::at("http://127.0.0.1:9")
        .with("PAKYAS_API_KEY", KEY)
        .with("PAKYAS_PROJECT", "production");
    let mut tried = 0;
    let with = |path: &str, flag: &str, value: &str| {
        let (line, _) = row(path);
        let (before, job) = line.split_once(" -- ").unwrap_or((line, ""));
        let mut words: Vec<&str> = before.split(' ').collect();
        if let Some(at) = words.iter().position(|word| *word == flag) {
            words.drain(at..at + 2);
        }
        words.extend([flag, value]);
        if path == "monitor" {
            // Else the job runs all the same.
            words.push("--strict");
        }
        if !job.is_empty() {
            words.extend(["--", job]);
        }
        home.run(words)
    };
    let program = Cli::get_args_info();
    let commands = commands();
    let globals = program.flags.iter().map(|flag| ("whoami", flag));
    let of_commands = commands
        .iter()
        .flat_map(|(path, info)| info.flags.iter().map(|flag| (path.as_str(), flag)));
    for (path, flag) in globals.chain(of_commands) {
        let FlagInfoKind::Option { arg_name } = flag.kind else {
            continue;
        };
        if !arg_name.contains('|') || arg_name.contains(char::is_uppercase) {
            continue;
        }
        let refused = with(path, flag.long, "no-such-value").exits(2);
        for value in arg_name.split('|') {
            assert!(refused.stderr.contains(value), "{value}: {refused:#?}");
            let taken = with(path, flag.long, value);
            assert_ne!(taken.code, 2, "{path} {}: {taken:#?}", flag.long);
            tried += 1;
        }
    }
    assert!(tried > 10);
}
