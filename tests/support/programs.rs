//! The two programs under test: those that cargo built, or those that `PAKYAS_BIN` and
//! `PAKYAS_SERVER_BIN` name. `make test-binaries` tries a release that way.

use std::env;
use std::path::PathBuf;

/// The client.
pub fn pakyas() -> PathBuf {
    named("PAKYAS_BIN", env!("CARGO_BIN_EXE_pakyas"))
}

/// The server.
#[cfg(feature = "server")]
pub fn pakyas_server() -> PathBuf {
    named("PAKYAS_SERVER_BIN", env!("CARGO_BIN_EXE_pakyas-server"))
}

/// What the variable names, as a path that holds in any directory.
fn named(variable: &str, built: &str) -> PathBuf {
    match env::var_os(variable) {
        Some(path) => std::path::absolute(&path).unwrap(),
        None => PathBuf::from(built),
    }
}
