//! Every ping arrives: bad links, dead servers, full disks, and no double counting.
#![cfg(feature = "server")]

#[path = "../support/mod.rs"]
mod support;

mod chaos;
mod links;
mod spool;
mod tls;
