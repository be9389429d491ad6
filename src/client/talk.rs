//! What is said beside the result: on stderr, and only as much as was asked for.

use std::io::Write;

use super::args::Globals;

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Talk {
    verbose: bool,
    quiet: bool,
}

impl Talk {
    /// As the flags say.
    pub fn new(globals: &Globals) -> Self {
        Self {
            verbose: globals.verbose,
            quiet: globals.quiet,
        }
    }

    /// Something a person wants to know, but `--quiet`.
    pub fn note(self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Something that helps to find a fault, with `--verbose` only.
    pub fn detail(self, text: &str) {
        if self.verbose {
            say(&format!("pakyas: {text}"));
        }
    }
}

/// Says it on stderr. Where nobody listens there is nobody to tell of it either.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
