//! A new password: from a file, or asked for twice without echo. Never from the command line,
//! which everyone on the machine can read.

use crate::secret::Secret;
use crate::server::accounts::passwords::{LONGEST, SHORTEST, hash};
use crate::sys::{Typed, ask_hidden};

/// The password in `file`, which is stdin where it is called `-`.
pub(in crate::server) fn in_file(file: &str) -> Result<Secret, String> {
    let path = match file {
        "-" => "/dev/stdin",
        path => path,
    };
    Secret::from_file("--password-file", path)
}

/// The hash of the password in `file`, or of the one that is typed.
pub(super) fn new(file: Option<&str>, email: &str) -> Result<String, String> {
    let password = match file {
        Some(path) => in_file(path)?.expose().to_owned(),
        None => ask(email)?,
    };
    if password.chars().count() < SHORTEST {
        return Err(format!(
            "the password must have at least {SHORTEST} characters; nothing was changed"
        ));
    }
    if password.len() > LONGEST {
        return Err(format!(
            "the password must not be longer than {LONGEST} bytes; nothing was changed"
        ));
    }
    hash(&password)
}

fn ask(email: &str) -> Result<String, String> {
    let first = typed(&format!("Password for {email}: "))?;
    if typed("The same again: ")? == first {
        Ok(first)
    } else {
        Err("the two passwords differ; nothing was changed".to_owned())
    }
}

fn typed(prompt: &str) -> Result<String, String> {
    match ask_hidden(prompt) {
        Ok(Typed::Line(text)) => Ok(text),
        Ok(Typed::Interrupted) => Err("interrupted; nothing was changed".to_owned()),
        Ok(Typed::NoTerminal) => Err(
            "there is no terminal to ask for the password at; put it into a file, and give --password-file"
                .to_owned(),
        ),
        Err(error) => Err(format!("can't read from the terminal: {error}")),
    }
}
