//! Questions at the terminal, each asked until its answer can be used.

use super::usage;
use crate::client::error::{Error, Kind};
use crate::client::talk::say;
use crate::sys::{self, Typed};

/// How often one question is asked before nothing more is expected of whoever answers.
const PATIENCE: usize = 10;

/// The answer to `question` as `read` takes it. An empty one means `default`, where there is
/// one.
///
/// # Errors
/// A usage error where there is no terminal; that nothing was changed, where no answer comes.
pub(super) fn ask<T>(
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, Error>,
) -> Result<T, Error> {
    let hint = default.map_or(String::new(), |text| format!(" [{text}]"));
    let prompt = format!("{question}{hint}: ");
    for _ in 0..PATIENCE {
        let typed = match sys::ask(&prompt) {
            Ok(Typed::Line(line)) => line,
            Ok(Typed::NoTerminal) => {
                return Err(usage(
                    "There is no terminal to ask at; leave -i out and give what is needed as flags",
                ));
            }
            Ok(Typed::Interrupted) | Err(_) => break,
        };
        let answer = match (typed.trim(), default) {
            ("", Some(default)) => default,
            (text, _) => text,
        };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(error) => say(error.first_line()),
        }
    }
    Err(Error::new(Kind::Refused, "Nothing was changed"))
}
