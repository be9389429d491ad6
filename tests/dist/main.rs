//! What ships around the programs, as its users meet it: the bundle is installed, the images' file
//! systems are started, and each manifest is put before its own system's schema or linter.
//!
//! Not part of `make test`: `make test-dist-files` prepares the tools and starts it. A test whose
//! tool is missing says that it is skipped.

#![allow(missing_docs, reason = "the tests' names say it")]

mod bundle;
mod ci;
mod containers;
mod install;
mod kubernetes;
mod licences;
#[path = "../support/mod.rs"]
mod support;
mod systemd;
mod tools;
