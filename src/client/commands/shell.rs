//! `pakyas completion` and `pakyas man`: texts that are made of the definitions alone.

use super::usage;
use crate::client::args::Completion;
use crate::client::error::Error;
use crate::client::{complete, man, render};

pub fn completion(typed: &Completion) -> Result<(), Error> {
    let script = complete::script(&typed.shell).ok_or_else(|| {
        usage(format!(
            "'{}' is not a shell that pakyas can complete in; there are bash, zsh and fish",
            typed.shell.escape_debug()
        ))
    })?;
    render::print(script.as_bytes())
}

pub fn man() -> Result<(), Error> {
    render::print(man::page().as_bytes())
}
