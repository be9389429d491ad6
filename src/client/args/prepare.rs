//! The step before argh, which takes neither `--name=value`, nor flags of the program after
//! a command, nor `_` in a flag's name.
//!
//! Works up to the first `--`; what follows belongs to the job and is handed on untouched.
//! Knows the commands only through their descriptions, so it never needs to learn of a new one.

use std::ffi::OsString;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use super::official::{self, Meaning};
use crate::client::error::{Error, Kind};
use crate::suggest::nearest;

/// What the arguments turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Prepared {
    /// `--version` was among them.
    Version,
    /// `--help` was among them, or `help`: the words of the command that it is about.
    Help(Vec<String>),
    Run(Run),
}

/// Words for argh, and what goes with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// The program's own flags first.
    pub words: Vec<String>,
    /// What followed the `--`.
    pub rest: Option<Vec<OsString>>,
    /// What was left out because it can't be understood, where a job is to run all the same.
    pub faults: Vec<Error>,
    /// Flags that have no effect.
    pub idle: Vec<String>,
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message)
}

/// Puts the arguments into the form that argh takes, and finds the mistakes that it has no
/// good words for. Where a job follows the `--` these mistakes don't stop it, but with `--strict`:
/// what can't be understood is left out and told.
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
        typed.push(argument);
    }
    let mut walk = Walk::new(program);
    walk.lenient = rest.as_ref().is_some_and(|job: &Vec<_>| !job.is_empty());
    let mut words = Vec::new();
    for argument in typed {
        match argument.into_string() {
            Ok(word) => words.push(word),
            Err(argument) => walk.leave_out(usage(format!(
                "The argument '{}' is not valid UTF-8; only what follows '--' may be any bytes",
                argument.to_string_lossy().escape_debug()
            )))?,
        }
    }
    walk.run(words, rest)
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
    /// Whether a job is to run whatever is wrong here.
    lenient: bool,
    faults: Vec<Error>,
    idle: Vec<String>,
    /// Whether the last word was a flag that nobody knows: the next may be its value.
    after_unknown: bool,
    /// Which of the positionals may be such a value.
    doubtful: Vec<usize>,
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
            lenient: false,
            faults: Vec::new(),
            idle: Vec::new(),
            after_unknown: false,
            doubtful: Vec::new(),
        }
    }

    /// Goes on without what is wrong, where that may be.
    fn leave_out(&mut self, error: Error) -> Result<(), Error> {
        if !self.lenient {
            return Err(error);
        }
        self.faults.push(error);
        Ok(())
    }

    fn run(mut self, typed: Vec<String>, rest: Option<Vec<OsString>>) -> Result<Prepared, Error> {
        let mut help = false;
        let mut typed = typed.into_iter();
        while let Some(argument) = typed.next() {
            let after_unknown = std::mem::take(&mut self.after_unknown);
            if argument == "--help" || argument == "-h" {
                help = true;
            } else if argument == "--version" || argument == "-V" {
                return Ok(Prepared::Version);
            } else if argument.len() > 1 && argument.starts_with('-') {
                // Somebody who asks for help need not have got the rest right.
                if let Err(error) = self.flag(&argument, &mut typed) {
                    help |= typed.as_slice().iter().any(|a| a == "--help" || a == "-h");
                    if !help {
                        self.leave_out(error)?;
                    }
                }
            } else if argument == "help" && !self.command.commands.is_empty() {
                help = true;
            } else if !self.command.commands.is_empty() {
                if let Err(error) = self.descend(argument)
                    && !(self.lenient && after_unknown)
                {
                    return Err(error);
                }
            } else {
                if after_unknown {
                    self.doubtful.push(self.positionals.len());
                }
                self.positionals.push(argument);
            }
        }
        if help {
            return Ok(Prepared::Help(self.path));
        }
        self.drop_extra_positionals()?;
        self.complete()?;
        // Only a job is worth going on for.
        let strict = self.command.name != "monitor" || self.given.contains(&"--strict");
        if strict && !self.faults.is_empty() {
            return Err(self.faults.swap_remove(0));
        }
        let mut words = self.globals;
        words.extend(self.words);
        if self.positionals.iter().any(|word| word.starts_with('-')) {
            words.push("--".to_owned());
        }
        words.extend(self.positionals);
        Ok(Prepared::Run(Run {
            words,
            rest,
            faults: self.faults,
            idle: self.idle,
        }))
    }

    /// Leaves out words that the command has no place for, those first that may be the values of
    /// flags that nobody knows.
    fn drop_extra_positionals(&mut self) -> Result<(), Error> {
        let room = match self.given.contains(&"--public-id") {
            true => 0,
            false => self.command.positionals.len(),
        };
        while self.positionals.len() > room
            && let Some(at) = self.doubtful.pop()
        {
            self.positionals.remove(at);
        }
        if let Some(error) = self.extra_positional() {
            self.leave_out(error)?;
            self.positionals.truncate(self.command.positionals.len());
        }
        Ok(())
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
        if flag_called(self.program, &name)
            .or_else(|| flag_called(self.command, &name))
            .is_some()
        {
            return self.own_flag(&name, attached, following);
        }
        let Some(meaning) = official::meaning(&self.path, &name) else {
            self.after_unknown = attached.is_none();
            return Err(self.unknown_flag(&name));
        };
        let mut value = || {
            attached
                .clone()
                .or_else(|| following.next())
                .ok_or_else(|| usage(format!("{name} needs a value")))
        };
        match meaning {
            Meaning::Flag(own) => self.own_flag(own, attached, following)?,
            Meaning::With(own, value) => {
                self.own_flag(own, Some(value.to_owned()), following)?;
            }
            Meaning::Argument => {
                let value = value()?;
                self.positionals.push(value);
            }
            Meaning::Done => {}
            Meaning::Idle => self.idle.push(name),
            Meaning::IdleWithValue => {
                value()?;
                self.idle.push(name);
            }
            Meaning::Choice(usual, other, own) => match value()? {
                value if value == usual => {}
                value if value == other => self.own_flag(own, None, following)?,
                value => {
                    return Err(usage(format!(
                        "{name} takes {usual} or {other}, not '{}'",
                        value.escape_debug()
                    )));
                }
            },
        }
        Ok(())
    }

    /// Takes a flag that is in the definitions.
    fn own_flag(
        &mut self,
        name: &str,
        attached: Option<String>,
        following: &mut impl Iterator<Item = String>,
    ) -> Result<(), Error> {
        let global = flag_called(self.program, name);
        let Some(flag) = global.or_else(|| flag_called(self.command, name)) else {
            return Err(self.unknown_flag(name));
        };
        let is_option = matches!(flag.kind, FlagInfoKind::Option { .. });
        let value = match (is_option, attached) {
            (true, Some(value)) => Some(value),
            (true, None) => Some(following.next().ok_or_else(|| {
                usage(format!("{} needs a value: {}", flag.long, flag.description))
            })?),
            (false, Some(_)) => {
                return Err(usage(format!("{} takes no value", flag.long)));
            }
            (false, None) => None,
        };
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
        into.extend(value);
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
        Ok(())
    }

    /// That there is a word too many.
    fn extra_positional(&self) -> Option<Error> {
        let name = self.name();
        let extra = self.positionals.get(self.command.positionals.len())?;
        let mend = if self.command.name == "monitor" {
            "put -- before the job's command: pakyas monitor SLUG -- COMMAND".to_owned()
        } else if self.given.contains(&"--cron") {
            // The shell has put the names of files in the place of stars.
            "a cron expression needs quotes: --cron \"0 2 * * *\"".to_owned()
        } else {
            format!("see '{name} --help'; words that belong together need quotes")
        };
        Some(usage(format!(
            "'{name}' takes no further argument '{}': {mend}",
            extra.escape_debug()
        )))
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
