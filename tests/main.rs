//! All tests from outside, in one program: it is linked once, and a test that waits leaves its
//! core to another. `cargo test --test all server::pings` runs those of one file.

#![allow(missing_docs, reason = "the tests' names say it")]

mod support;

mod cli;
mod monitor;

#[cfg(feature = "server")]
mod accounts;
#[cfg(feature = "server")]
mod browser;
#[cfg(feature = "server")]
mod corpus;
#[cfg(feature = "server")]
mod dashboard;
#[cfg(feature = "server")]
mod delivery;
mod dependencies;
#[cfg(feature = "server")]
mod end_to_end;
#[cfg(feature = "server")]
mod guide;
#[cfg(feature = "server")]
mod readme;
#[cfg(feature = "server")]
mod release;
mod security;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod soak;
