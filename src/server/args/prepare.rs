//! The step before argh, which takes neither `--name=value` nor the program's flags after a
//! command, and has no good words for a slip of the finger.

use std::ffi::OsString;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind};

use crate::suggest::nearest;

/// Puts the arguments into the form that argh takes: flags of the program first.
///
/// # Errors
/// A sentence for: an argument that is not UTF-8, an unknown flag or command.
pub(super) fn prepare(
    arguments: impl Iterator<Item = OsString>,
    program: &CommandInfoWithArgs,
) -> Result<Vec<String>, String> {
    let mut command = program;
    let mut path = "pakyas-server".to_owned();
    let (mut flags, mut words) = (Vec::new(), Vec::new());
    let mut arguments = arguments.map(|argument| {
        argument
            .into_string()
            .map_err(|bad| format!("'{}' is not UTF-8", bad.to_string_lossy()))
    });
    while let Some(argument) = arguments.next() {
        let argument = argument?;
        if argument == "--help" || argument == "-h" {
            words.push(argument);
            continue;
        }
        if argument.len() < 2 || !argument.starts_with('-') {
            let commands = &command.commands;
            if !commands.is_empty() && argument != "help" {
                let Some(found) = commands.iter().find(|known| known.name == argument) else {
                    let names = commands.iter().map(|known| known.name);
                    return Err(unknown(&path, "command", &argument, names));
                };
                command = &found.command;
                path = format!("{path} {argument}");
            }
            words.push(argument);
            continue;
        }
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let own = find(command, name);
        let Some(flag) = own.or_else(|| find(program, name)) else {
            let known = command.flags.iter().chain(program.flags);
            return Err(unknown(&path, "flag", name, known.map(|flag| flag.long)));
        };
        let into = if own.is_some() && command.name != program.name {
            &mut words
        } else {
            &mut flags
        };
        into.push(name.to_owned());
        match (matches!(flag.kind, FlagInfoKind::Option { .. }), attached) {
            (true, Some(value)) => into.push(value),
            (true, None) => {
                let value = arguments.next().transpose()?;
                into.push(
                    value.ok_or_else(|| format!("{name} needs a value: {}", flag.description))?,
                );
            }
            (false, Some(_)) => return Err(format!("{name} takes no value")),
            (false, None) => {}
        }
    }
    flags.extend(words);
    Ok(flags)
}

fn unknown<'a>(
    path: &str,
    what: &str,
    typed: &str,
    known: impl Iterator<Item = &'a str>,
) -> String {
    let mend =
        nearest(typed, known).map_or_else(String::new, |near| format!(": did you mean {near}?"));
    format!("'{path}' has no {what} {}{mend}", typed.escape_debug())
}

fn find<'a>(command: &'a CommandInfoWithArgs, name: &str) -> Option<&'a FlagInfo<'static>> {
    command.flags.iter().find(|flag| flag.long == name)
}
