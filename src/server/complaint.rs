//! What the server says on stderr.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long something must have gone well before the same trouble is said again.
const EPISODE: Duration = Duration::from_secs(60);

/// The latest trouble, and when it was last met.
static TROUBLE: Mutex<Option<(String, Instant)>> = Mutex::new(None);

/// Says `sentence` to whoever reads the log. Where that is gone, or its disk is full, nothing
/// is said: it is the worst moment to end for it, which `eprintln!` would do.
pub fn complain(sentence: impl Display) {
    let line = format!("pakyas-server: {sentence}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The same for what fails again with each request, as on a full disk: once for each episode.
pub fn complain_once(sentence: impl Display) {
    let sentence = sentence.to_string();
    let now = Instant::now();
    let mut trouble = TROUBLE.lock().unwrap_or_else(PoisonError::into_inner);
    let is_new = trouble
        .replace((sentence.clone(), now))
        .is_none_or(|(before, at)| before != sentence || now.duration_since(at) >= EPISODE);
    drop(trouble);
    if is_new {
        complain(sentence);
    }
}
