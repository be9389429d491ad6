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

/// The environment of a program in which nothing else is to be: where the lines that it runs are
/// counted (`make coverage`), and by whom.
pub fn counted() -> Option<(&'static str, std::ffi::OsString)> {
    const NAME: &str = "LLVM_PROFILE_FILE";
    Some((NAME, env::var_os(NAME)?))
}

/// What the variable names, as a path that holds in any directory. Whoever asks is about to start
/// it, and it gets the signals that this process gets.
fn named(variable: &str, built: &str) -> PathBuf {
    super::os::default_signals();
    match env::var_os(variable) {
        Some(path) => std::path::absolute(&path).unwrap(),
        None => PathBuf::from(built),
    }
}
