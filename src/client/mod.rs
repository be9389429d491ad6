//! The client: what runs on every job host.
//!
//! `args` is what was typed, `settings` what holds; `commands` do it, by way of `api` for the
//! management API and of `delivery` for pings.

mod address;
pub mod api;
pub mod args;
pub mod cache;
mod commands;
mod complete;
pub mod config;
pub mod delivery;
mod door;
pub mod error;
mod files;
mod fold;
mod http;
mod json;
mod lookup;
mod man;
pub mod monitor;
mod official;
pub mod render;
pub mod settings;
pub mod talk;
mod who;

use std::ffi::OsString;

pub use error::Error;

/// Does what the command line, `arguments` without the program's name, asks for, and gives
/// the exit code.
///
/// # Errors
/// Where it could not be done; the error knows its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<i32, Error> {
    let mut arguments = arguments.into_iter().peekable();
    if arguments
        .next_if(|first| first == complete::ASKED)
        .is_some()
    {
        complete::run(arguments);
        return Ok(0);
    }
    match args::parse(arguments)? {
        args::Parsed::Print(text) => render::print(text.as_bytes()).map(|()| 0),
        args::Parsed::Run(invocation) => commands::run(*invocation),
    }
}
