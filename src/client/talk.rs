//! What is said beside the result: on stderr, and only as much as was asked for.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::args::Globals;
use crate::sys::{self, Await};

/// How long a line may wait for a stderr that nobody reads.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest line that is marked as ours, characters.
const LINE_MAX: usize = 1000;

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

    /// That something went missing, unless told to be quiet.
    pub fn warn(self, text: &str) {
        if !self.quiet || self.verbose {
            say_as_pakyas(text);
        }
    }

    /// Something that helps to find a fault, with `--verbose` only.
    pub fn detail(self, text: &str) {
        self.tell(|| text.to_owned());
    }

    /// As [`Talk::detail`], for a text that is made only where it is asked for.
    pub fn tell(self, text: impl FnOnce() -> String) {
        if self.verbose {
            say_as_pakyas(&text());
        }
    }
}

/// Says `pakyas: text` in one line, for a stderr that a job writes to as well.
pub fn say_as_pakyas(text: &str) {
    let one_line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LINE_MAX)
        .collect();
    say(&format!("pakyas: {one_line}"));
}

/// Says it on stderr, in one piece, so that nothing that others write there can tear it; or not
/// at all where that would take long: nobody waits for our words.
pub fn say(text: &str) {
    let stderr = std::io::stderr();
    let until = Instant::now() + PATIENCE;
    let room = sys::poll([(Some(stderr.as_fd()), Await::Writing)], Some(until));
    if !room.is_ok_and(|[stderr]| stderr.writable) {
        return;
    }
    if let Ok(stderr) = stderr.as_fd().try_clone_to_owned() {
        let _ = File::from(stderr).write_all(format!("{text}\n").as_bytes());
    }
}
