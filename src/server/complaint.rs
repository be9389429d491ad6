//! What the server says on stderr.

use std::fmt::Display;
use std::io::Write;

/// Says `sentence` to whoever reads the log. Where that is gone, or its disk is full, nothing
/// is said: it is the worst moment to end for it, which `eprintln!` would do.
pub fn complain(sentence: impl Display) {
    let line = format!("pakyas-server: {sentence}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
