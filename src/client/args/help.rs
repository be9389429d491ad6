//! The texts of `--help`: argh's for a command, our own for the program, whose commands are
//! grouped so that a newcomer finds the three that matter.

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, FromArgs};

use super::Cli;

/// The commands by what they are about. One that is in no group is listed last, so that it is
/// never missing; a test says so.
pub(super) const GROUPS: &[(&str, &[&str])] = &[
    ("Jobs", &["monitor", "ping", "spool"]),
    ("Checks", &["check", "project", "channel", "maintenance"]),
    (
        "Account",
        &["login", "logout", "whoami", "auth", "org", "api-key"],
    ),
    ("Shell", &["completion", "man"]),
];

/// The help of the command at `path`; of the program where it is empty.
pub fn help(path: &[String]) -> String {
    if path.is_empty() {
        return of_program(&Cli::get_args_info());
    }
    let mut text = from_argh(path);
    text.push_str(
        "\nThe flags of 'pakyas --help' (--project, --format, …) may be added anywhere.\n",
    );
    text
}

/// How the command at `path` is typed, in one line: `pakyas check show SLUG`.
pub fn usage_line(path: &[String]) -> String {
    let text = from_argh(path);
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("Usage: ").trim().to_owned()
}

fn from_argh(path: &[String]) -> String {
    let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    match Cli::from_args(&["pakyas"], &words) {
        Err(exit) => exit.output,
        Ok(_) => String::new(),
    }
}

fn of_program(program: &CommandInfoWithArgs) -> String {
    let mut text = format!("Usage: {}\n\n{}\n", usage_line(&[]), program.description);
    let grouped = GROUPS.iter().flat_map(|(_, names)| *names);
    let rest = program.commands.iter().map(|command| command.name);
    let rest: Vec<&str> = rest
        .filter(|name| !grouped.clone().any(|known| known == name))
        .collect();
    for (group, names) in GROUPS.iter().copied().chain([("More", rest.as_slice())]) {
        let mut label = group;
        for name in names {
            let Some(command) = program.commands.iter().find(|c| c.name == *name) else {
                continue;
            };
            if label == group {
                text.push('\n');
            }
            let purpose = command.command.description.trim_end_matches('.');
            text.push_str(&format!("{label:<9}{name:<12}{purpose}\n"));
            label = "";
        }
    }
    text.push_str("\nFlags of every command, anywhere before --\n");
    for flag in program.flags.iter().filter(|flag| !flag.hidden) {
        let typed = typed(flag);
        let description = flag.description;
        text.push_str(&format!("  {typed:<28}{description}\n"));
    }
    text.push_str("\nExamples\n");
    for line in program.examples.iter().flat_map(|text| text.lines()) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(
        "\n'pakyas COMMAND --help' tells more of a command, 'pakyas man' of everything.\n",
    );
    text
}

/// A flag as it is typed: `-v, --verbose`, `--org ORG`.
pub(in crate::client) fn typed(flag: &FlagInfo<'_>) -> String {
    // argh knows -h, but does not tell.
    let short = flag.short.or((flag.long == "--help").then_some('h'));
    let short = short.map_or_else(String::new, |c| format!("-{c}, "));
    match flag.kind {
        FlagInfoKind::Switch => format!("{short}{}", flag.long),
        FlagInfoKind::Option { arg_name } => {
            format!("{short}{} {}", flag.long, placeholder(arg_name))
        }
    }
}

/// What stands for a value: argh's own name is the flag's, in small letters.
pub(in crate::client) fn placeholder(arg_name: &str) -> String {
    if arg_name.contains('|') {
        arg_name.to_owned()
    } else {
        arg_name.to_ascii_uppercase()
    }
}
