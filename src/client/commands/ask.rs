//! Questions at the terminal, each asked until its answer can be used.

use std::io::{BufRead, IsTerminal, Read, Write};

use super::usage;
use crate::client::error::{Error, Kind};

/// The longest answer that is read, bytes.
const ANSWER_MAX: u64 = 4_096;

/// How often one question is asked before nothing more is expected of whoever answers.
const PATIENCE: usize = 10;

/// Somebody at a terminal.
pub(super) struct Person(());

impl Person {
    /// Whoever is at the terminal that stdin is.
    ///
    /// # Errors
    /// A usage error where stdin is none.
    pub fn at_the_terminal() -> Result<Self, Error> {
        if std::io::stdin().is_terminal() {
            return Ok(Self(()));
        }
        Err(usage(
            "There is no terminal to ask at; leave -i out and give what is needed as flags",
        ))
    }

    /// The answer to `question` as `read` takes it. An empty one means `default`, where there
    /// is one.
    ///
    /// # Errors
    /// That nothing was changed, where no answer comes.
    pub fn ask<T>(
        &self,
        question: &str,
        default: Option<&str>,
        read: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        for _ in 0..PATIENCE {
            let hint = default
                .filter(|text| !text.is_empty())
                .map_or(String::new(), |text| format!(" [{text}]"));
            let _ = write!(std::io::stderr(), "{question}{hint}: ");
            let Some(answer) = answer() else {
                let _ = writeln!(std::io::stderr());
                break;
            };
            let answer = match (answer.trim(), default) {
                ("", Some(default)) => default.to_owned(),
                (text, _) => text.to_owned(),
            };
            match read(&answer) {
                Ok(value) => return Ok(value),
                Err(error) => {
                    let _ = writeln!(std::io::stderr(), "{}", error.first_line());
                }
            }
        }
        Err(Error::new(Kind::Refused, "Nothing was changed"))
    }
}

/// One line of stdin; `None` at its end.
fn answer() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin()
        .lock()
        .take(ANSWER_MAX)
        .read_line(&mut line);
    match read {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line),
    }
}
