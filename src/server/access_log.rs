//! The access log: a JSON line for each answered request, written by a thread of its own.
//!
//! There are no secrets in it: no query, no header, and long parts of a path, which public ids
//! and keys are, are cut to their beginning.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::complaint::complain;
use super::http::Record;

/// How many lines may wait for the disk; those beyond are dropped and counted.
const QUEUE: usize = 8192;

/// How soon a request to open the file anew is seen where nothing is logged.
const LOOK: Duration = Duration::from_millis(200);

/// The longest part of a path that is told in full, characters, and how much is told of a
/// longer one. The words of the API's routes are shorter, ids and keys are longer.
const PART_MAX: usize = 16;
const PART_SHOWN: usize = 8;

/// A line to be; none is the end.
type Entry = Option<(Timestamp, Record)>;

/// Takes records.
pub struct AccessLog {
    queue: SyncSender<Entry>,
    reopen: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl AccessLog {
    /// Logs to the file at `path`, `-` being stdout. `dropped` counts the lines that had no
    /// room.
    ///
    /// # Errors
    /// A sentence that names the file, where it can't be opened.
    pub fn open(path: &Path, dropped: Arc<AtomicU64>) -> Result<Self, String> {
        let sink = Sink::open(path)?;
        let reopen = Arc::new(AtomicBool::new(false));
        let (queue, records) = mpsc::sync_channel(QUEUE);
        let thread = {
            let (path, reopen) = (path.to_owned(), Arc::clone(&reopen));
            std::thread::Builder::new()
                .name("access log".to_owned())
                .spawn(move || write_all(&records, sink, &path, &reopen))
                .map_err(|error| format!("can't start the access log: {error}"))?
        };
        Ok(Self {
            queue,
            reopen,
            dropped,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// That the file can be opened.
    ///
    /// # Errors
    /// A sentence that names it.
    pub fn check(path: &Path) -> Result<(), String> {
        Sink::open(path).map(drop)
    }

    /// Takes a record, or drops it where too many wait already; never waits itself.
    pub fn take(&self, record: &Record) {
        let entry = Some((Timestamp::now(), record.clone()));
        let taken = self.queue.try_send(entry).is_ok();
        if !taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the file anew, as after it was renamed.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::SeqCst);
    }

    /// Writes what waits; what comes later is dropped.
    pub fn finish(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && self.queue.send(None).is_ok()
        {
            let _ = thread.join();
        }
    }
}

enum Sink {
    Stdout,
    File(File),
}

impl Sink {
    fn open(path: &Path) -> Result<Self, String> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map(Self::File)
            .map_err(|error| format!("can't write the access log {}: {error}", path.display()))
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text)?;
                stdout.flush()
            }
            Self::File(file) => file.write_all(text),
        }
    }
}

fn write_all(records: &Receiver<Entry>, mut sink: Sink, path: &Path, reopen: &AtomicBool) {
    let mut told = false;
    let mut ended = false;
    while !ended {
        let first = match records.recv_timeout(LOOK) {
            Ok(entry) => Some(entry),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if reopen.swap(false, Ordering::SeqCst) {
            match Sink::open(path) {
                Ok(new) => sink = new,
                Err(sentence) => complain(format!("{sentence}; going on with the old one")),
            }
        }
        // All that waits in one write.
        let mut text = String::new();
        for entry in first.into_iter().chain(records.try_iter().take(QUEUE)) {
            match entry {
                Some((at, record)) => text.push_str(&line(at, &record)),
                None => ended = true,
            }
        }
        match sink.write(text.as_bytes()) {
            Ok(()) => told = false,
            Err(error) if !told => {
                told = true;
                let path = path.display();
                complain(format!("can't write the access log {path}: {error}"));
            }
            Err(_) => {}
        }
    }
}

fn line(at: Timestamp, record: &Record) -> String {
    let line = json!({
        "time": format!("{at:.3}"),
        "client": record.sender.to_string(),
        "method": record.method.as_str(),
        "path": masked(&record.path),
        "status": record.status.as_u16(),
        "duration_ms": record.took.as_micros() as f64 / 1e3,
        "bytes_in": record.received,
        "bytes_out": record.sent,
        "tls": record.encrypted,
    });
    format!("{line}\n")
}

/// A path without the parts that are secrets.
fn masked(path: &str) -> String {
    let part = |part: &str| {
        if part.chars().count() > PART_MAX {
            part.chars().take(PART_SHOWN).chain(['…']).collect()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ids_and_keys_only_the_beginning_is_told() {
        for (path, shown) in [
            (
                "/550e8400-e29b-41d4-a716-446655440000/fail",
                "/550e8400…/fail",
            ),
            ("/ping/550E8400E29B41D4A716446655440000", "/ping/550E8400…"),
            ("/api/v1/organizations", "/api/v1/organizations"),
            ("/pk_live_0123456789abcdef", "/pk_live_…"),
            ("", ""),
        ] {
            assert_eq!(masked(path), shown);
        }
    }
}
