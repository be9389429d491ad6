//! `pakyas monitor` from outside: the real binary, a real job, a real socket.
//!
//! One behaviour, one test. The files follow the promise in DESIGN.md, "monitor".

#![allow(missing_docs, reason = "the tests' names say it")]

mod network;
mod output;
mod places;
mod report;
mod signals;
mod support;
mod terminal;
mod timeout;
