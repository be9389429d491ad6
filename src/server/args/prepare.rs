//! The step before argh, which takes neither `--name=value` nor the program's flags after a
//! command, and has no good words for a slip of the finger.

use std::ffi::OsString;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use crate::suggest::nearest;

/// Puts the arguments into the form that argh takes: flags of the program first.
///
/// # Errors
/// A sentence for: an argument that is not UTF-8, an unknown flag or command, a flag given twice,
/// a missing argument or one too many.
pub(super) fn prepare(
    arguments: impl Iterator<Item = OsString>,
    program: &CommandInfoWithArgs,
) -> Result<Vec<String>, String> {
    let mut command = program;
    let mut path = "pakyas-server".to_owned();
    let (mut flags, mut words) = (Vec::new(), Vec::new());
    let (mut help, mut given, mut positionals) = (false, Vec::new(), 0);
    let mut arguments = arguments.map(|argument| {
        argument
            .into_string()
            .map_err(|bad| format!("'{}' is not UTF-8", bad.to_string_lossy()))
    });
    while let Some(argument) = arguments.next() {
        let argument = argument?;
        let has_commands = !command.commands.is_empty();
        if argument == "--help" || argument == "-h" || (argument == "help" && has_commands) {
            help = true;
            continue;
        }
        if argument.len() < 2 || !argument.starts_with('-') {
            let commands = &command.commands;
            if has_commands {
                let Some(found) = commands.iter().find(|known| known.name == argument) else {
                    let names = commands.iter().map(|known| known.name);
                    return Err(unknown(&path, "command", &argument, names));
                };
                command = &found.command;
                path = format!("{path} {argument}");
            } else {
                positionals += 1;
                if positionals > command.positionals.len() && !help {
                    return Err(format!(
                        "'{path}' takes no further argument '{}'",
                        argument.escape_debug()
                    ));
                }
            }
            words.push(argument);
            continue;
        }
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let name = name.replace('_', "-");
        let own = find(command, &name);
        let Some(flag) = own.or_else(|| find(program, &name)) else {
            let known = command.flags.iter().chain(program.flags);
            return Err(unknown(&path, "flag", &name, known.map(|flag| flag.long)));
        };
        let may_repeat = flag.optionality == Optionality::Repeating;
        if given.contains(&flag.long) && !may_repeat && !help {
            return Err(format!("{name} is given twice"));
        }
        given.push(flag.long);
        let into = if own.is_some() && command.name != program.name {
            &mut words
        } else {
            &mut flags
        };
        into.push(name.clone());
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
    if help {
        flags.push("--help".to_owned());
    } else if !given.contains(&"--version") {
        complete(command, &path, &given, positionals)?;
    }
    Ok(flags)
}

/// Whether all is there that the command can't do without.
fn complete(
    command: &CommandInfoWithArgs,
    path: &str,
    given: &[&str],
    positionals: usize,
) -> Result<(), String> {
    // The program itself serves.
    if !command.commands.is_empty() && path.contains(' ') {
        let names: Vec<_> = command.commands.iter().map(|known| known.name).collect();
        return Err(format!("'{path}' needs a command: {}", names.join(", ")));
    }
    let is_missing = |flag: &&FlagInfo<'_>| {
        flag.optionality == Optionality::Required && !given.contains(&flag.long)
    };
    if let Some(flag) = command.flags.iter().find(is_missing) {
        return Err(format!(
            "'{path}' needs {}: {}",
            flag.long, flag.description
        ));
    }
    match command.positionals.get(positionals) {
        Some(missing) if missing.optionality == Optionality::Required => Err(format!(
            "'{path}' needs {}: {}",
            missing.name, missing.description
        )),
        _ => Ok(()),
    }
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
