//! The step before argh, which takes neither `--name=value`, nor flags of the program after
//! a command, nor `_` in a flag's name.
//!
//! Works up to the first `--`; what follows belongs to the job and is handed on untouched.
//! Knows the commands only through their descriptions, so it never needs to learn of a new one.

use std::ffi::OsString;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use crate::client::error::{Error, Kind};
use crate::suggest::nearest;

/// What the arguments turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Prepared {
    /// `--version` was among them.
    Version,
    /// `--help` was among them, or `help`: the words of the command that it is about.
    Help(Vec<String>),
    /// Words for argh, the program's own flags first, and what followed the `--`.
    Run {
        words: Vec<String>,
        rest: Option<Vec<OsString>>,
    },
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// Puts the arguments into the form that argh takes, and finds the mistakes that it has no
/// good words for.
///
/// # Errors
/// A sentence for: an argument before `--` that is not UTF-8, an unknown flag or command, a
/// flag without its value, a switch with one, a flag given twice, a missing argument or one
/// too many.
pub(super) fn prepare(
    arguments: impl IntoIterator<Item = OsString>,
    program: &CommandInfoWithArgs,
) -> Result<Prepared, Error> {
    let mut arguments = arguments.into_iter();
    let mut typed = Vec::new();
    let mut rest = None;
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            rest = Some(arguments.collect());
            break;
        }
        typed.push(argument.into_string().map_err(|argument| {
            usage(format!(
                "The argument '{}' is not valid UTF-8; only what follows '--' may be any bytes",
                argument.to_string_lossy().escape_debug()
            ))
        })?);
    }
    Walk::new(program).run(typed, rest)
}

/// The walk along the typed arguments.
struct Walk<'a> {
    program: &'a CommandInfoWithArgs,
    /// The command that the words so far lead to.
    command: &'a CommandInfoWithArgs,
    path: Vec<String>,
    globals: Vec<String>,
    words: Vec<String>,
    positionals: Vec<String>,
    given: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn new(program: &'a CommandInfoWithArgs) -> Self {
        Self {
            program,
            command: program,
            path: Vec::new(),
            globals: Vec::new(),
            words: Vec::new(),
            positionals: Vec::new(),
            given: Vec::new(),
        }
    }

    fn run(mut self, typed: Vec<String>, rest: Option<Vec<OsString>>) -> Result<Prepared, Error> {
        let mut help = false;
        let mut typed = typed.into_iter();
        while let Some(argument) = typed.next() {
            if argument == "--help" || argument == "-h" {
                help = true;
            } else if argument == "--version" {
                return Ok(Prepared::Version);
            } else if argument.len() > 1 && argument.starts_with('-') {
                // Somebody who asks for help need not have got the rest right.
                match self.flag(&argument, &mut typed) {
                    Err(error) if !help && !typed.any(|a| a == "--help" || a == "-h") => {
                        return Err(error);
                    }
                    Err(_) => help = true,
                    Ok(()) => {}
                }
            } else if argument == "help" && !self.command.commands.is_empty() {
                help = true;
            } else if !self.command.commands.is_empty() {
                self.descend(argument)?;
            } else {
                self.positionals.push(argument.clone());
                self.words.push(argument);
            }
        }
        if help {
            return Ok(Prepared::Help(self.path));
        }
        self.complete()?;
        let mut words = self.globals;
        words.extend(self.words);
        Ok(Prepared::Run { words, rest })
    }

    /// Goes into the subcommand `name`.
    fn descend(&mut self, name: String) -> Result<(), Error> {
        let commands = &self.command.commands;
        let Some(found) = commands.iter().find(|c| c.name == name) else {
            let names = commands.iter().map(|c| c.name);
            let mend = match nearest(&name, names.clone()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
            };
            return Err(usage(format!(
                "'{}' has no command '{}': {mend}",
                self.name(),
                name.escape_debug()
            )));
        };
        self.command = &found.command;
        self.path.push(name.clone());
        self.words.push(name);
        Ok(())
    }

    /// Takes a flag and, where it has one, its value, whatever that looks like.
    fn flag(
        &mut self,
        argument: &str,
        following: &mut impl Iterator<Item = String>,
    ) -> Result<(), Error> {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) if argument.starts_with("--") => (name, Some(value.to_owned())),
            _ => (argument, None),
        };
        let name = name.replace('_', "-");
        let global = flag_called(self.program, &name);
        let Some(flag) = global.or_else(|| flag_called(self.command, &name)) else {
            return Err(self.unknown_flag(&name));
        };
        let is_option = matches!(flag.kind, FlagInfoKind::Option { .. });
        if is_option
            && self.given.contains(&flag.long)
            && flag.optionality != Optionality::Repeating
        {
            return Err(usage(format!("{} is given twice", flag.long)));
        }
        self.given.push(flag.long);
        let into = if global.is_some() {
            &mut self.globals
        } else {
            &mut self.words
        };
        into.push(flag.long.to_owned());
        match (is_option, attached) {
            (true, Some(value)) => into.push(value),
            (true, None) => into.push(following.next().ok_or_else(|| {
                usage(format!("{} needs a value: {}", flag.long, flag.description))
            })?),
            (false, Some(_)) => {
                return Err(usage(format!("{} takes no value", flag.long)));
            }
            (false, None) => {}
        }
        Ok(())
    }

    fn unknown_flag(&self, name: &str) -> Error {
        let known = self.command.flags.iter().chain(self.program.flags);
        let mend = match nearest(name, known.map(|flag| flag.long)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("see '{} --help'", self.name()),
        };
        usage(format!(
            "'{}' has no flag {}: {mend}",
            self.name(),
            name.escape_debug()
        ))
    }

    /// Whether all is there that the command can't do without.
    fn complete(&self) -> Result<(), Error> {
        let name = self.name();
        if !self.command.commands.is_empty() {
            let names: Vec<_> = self.command.commands.iter().map(|c| c.name).collect();
            return Err(usage(format!(
                "'{name}' needs a command: {}; see '{name} --help'",
                names.join(", ")
            )));
        }
        let missing = self
            .command
            .flags
            .iter()
            .find(|f| f.optionality == Optionality::Required && !self.given.contains(&f.long));
        if let Some(flag) = missing {
            return Err(usage(format!(
                "'{name}' needs {}: {}; see '{name} --help'",
                flag.long, flag.description
            )));
        }
        let expected = self.command.positionals;
        if let Some(positional) = expected.get(self.positionals.len())
            && positional.optionality == Optionality::Required
        {
            return Err(usage(format!(
                "'{name}' needs {}: {}; see '{name} --help'",
                positional.name, positional.description
            )));
        }
        if let Some(extra) = self.positionals.get(expected.len()) {
            let mend = if self.command.name == "monitor" {
                "put -- before the job's command: pakyas monitor SLUG -- COMMAND".to_owned()
            } else if self.given.contains(&"--cron") {
                // The shell has put the names of files in the place of stars.
                "a cron expression needs quotes: --cron \"0 2 * * *\"".to_owned()
            } else {
                format!("see '{name} --help'; words that belong together need quotes")
            };
            return Err(usage(format!(
                "'{name}' takes no further argument '{}': {mend}",
                extra.escape_debug()
            )));
        }
        Ok(())
    }

    /// The command as it is typed: `pakyas check create`.
    fn name(&self) -> String {
        let mut name = "pakyas".to_owned();
        for word in &self.path {
            name.push(' ');
            name.push_str(word);
        }
        name
    }
}

/// The flag of that name, long or short, where the command has one.
pub(in crate::client) fn flag_called<'a>(
    command: &'a CommandInfoWithArgs,
    name: &str,
) -> Option<&'a FlagInfo<'static>> {
    command.flags.iter().find(|flag| {
        flag.long == name
            || flag.short.is_some_and(|short| {
                let mut typed = name.chars();
                typed.next() == Some('-') && typed.next() == Some(short) && typed.next().is_none()
            })
    })
}
