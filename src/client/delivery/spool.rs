//! The spool: pings that could not be delivered yet, one synced file each.
//!
//! Bounded in number and size, safe with many processes at once, and never a reason to stop:
//! what can't be read is set aside. Knows nothing of the network.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Ping;
use super::moment::{Moment, Recorded};
use crate::client::files;
use crate::wire::OUTPUT_LIMIT;
use crate::wire::ping::{Kind, Signal};

/// How many pings are kept at most.
pub const COUNT_MAX: usize = 1_000;

/// How many bytes they may take together.
pub const BYTES_MAX: u64 = 20_000_000;

/// The largest file that is read as a ping, bytes: its output and what is said about it.
const FILE_MAX: u64 = OUTPUT_LIMIT as u64 + 16 * 1024;

/// How long to wait for a turn at making room.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose ping it is: all that is needed to deliver it by another process, later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressee {
    /// The ping origin, where it was known: it is never sent to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_url: Option<String>,
    /// The check, where it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_id: Option<Uuid>,
    /// The API that knows the slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// The organization that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The project that was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The check as it was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
}

/// The first line of a file; the output follows it as it is.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
    to: Addressee,
    kind: Kind,
    exit_code: Option<u8>,
    run_id: Option<String>,
    duration_ms: Option<u64>,
    cpu_ms: Option<u64>,
    max_rss_kb: Option<u64>,
    key: Uuid,
    at: Recorded,
}

/// The only version of [`Head`] so far.
const VERSION: u32 = 1;

/// A ping that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whose it is.
    pub to: Addressee,
    /// What it says.
    pub ping: Ping,
    /// When it happened, by the wall clock of that time, milliseconds since the Unix epoch.
    pub unix_ms: u64,
}

/// A file in the spool, as its name tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The file's name; in the order of names the oldest is first.
    name: String,
    /// Its size, bytes.
    pub bytes: u64,
}

impl Entry {
    /// Whether it tells of a failure: those are dropped last.
    fn is_failure(&self) -> bool {
        self.name.split('-').nth(1) == Some(Kind::Fail.as_str())
    }
}

/// What became of a ping that was to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The file that it is in; `None` where it was itself the one to be dropped.
    pub path: Option<PathBuf>,
    /// How many were dropped to make room.
    pub dropped: usize,
}

/// The folder of kept pings.
#[derive(Debug, Clone)]
pub struct Spool {
    directory: PathBuf,
}

impl Spool {
    /// The spool in `directory`, which is made when the first ping is kept.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Keeps a ping that was at `at`: on disk, synced, readable by its owner alone. The same
    /// ping with the same time is one file, however often it is kept. Where there is no room
    /// the oldest start or success goes first, then the oldest failure.
    ///
    /// # Errors
    /// As the operating system says; the ping is not kept then.
    pub fn add(&self, to: &Addressee, ping: &Ping, at: Recorded) -> io::Result<Added> {
        let head = Head {
            version: VERSION,
            to: to.clone(),
            kind: ping.signal.kind,
            exit_code: ping.signal.exit_code,
            run_id: ping.run_id.clone(),
            duration_ms: ping.duration_ms,
            cpu_ms: ping.cpu_ms,
            max_rss_kb: ping.max_rss_kb,
            key: ping.key,
            at,
        };
        let mut bytes = serde_json::to_vec(&head)?;
        bytes.push(b'\n');
        let surplus = ping.body.len().saturating_sub(OUTPUT_LIMIT);
        bytes.extend_from_slice(&ping.body[surplus..]);
        let entry = Entry {
            name: format!(
                "{:015}-{}-{}.ping",
                head.at.unix_ms,
                head.kind.as_str(),
                ping.key.simple()
            ),
            bytes: bytes.len() as u64,
        };
        files::create_directory(&self.directory)?;
        let path = self.path(&entry);
        files::write(&path, &bytes, files::Worth::Kept)?;
        let dropped = self.make_room()?;
        let itself = dropped.iter().any(|gone| gone.name == entry.name);
        Ok(Added {
            path: (!itself).then_some(path),
            dropped: dropped.len(),
        })
    }

    /// Drops what is over the bounds. Only then do writers take turns, so that hundreds of
    /// wrappers that end at once do not wait for each other's disk.
    fn make_room(&self) -> io::Result<Vec<Entry>> {
        if victims(self.list()?).is_empty() {
            return Ok(Vec::new());
        }
        let _turn = files::turn(&self.directory, PATIENCE)?;
        let victims = victims(self.list()?);
        for victim in &victims {
            self.remove(&self.path(victim))?;
        }
        Ok(victims)
    }

    /// What is kept, oldest first.
    ///
    /// # Errors
    /// Where the directory can't be read; one that is not there is empty.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let folder = match fs::read_dir(&self.directory) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries: Vec<Entry> = folder
            .filter_map(|file| {
                let file = file.ok()?;
                let name = file.file_name().into_string().ok()?;
                (name.ends_with(".ping") && !name.starts_with('.')).then_some(())?;
                let bytes = file.metadata().ok()?.len();
                Some(Entry { name, bytes })
            })
            .collect();
        entries.sort();
        Ok(entries)
    }

    /// Whether nothing is kept, as far as can be told.
    pub fn is_empty(&self) -> bool {
        self.list().is_ok_and(|entries| entries.is_empty())
    }

    /// The file of an entry.
    pub fn path(&self, entry: &Entry) -> PathBuf {
        self.directory.join(&entry.name)
    }

    /// Reads what an entry holds. `None` where it is gone, because another process has
    /// delivered it, or where it is for a newer pakyas to read.
    ///
    /// # Errors
    /// Where it can't be read or is damaged; then it was set aside and is no entry any more.
    pub fn read(&self, entry: &Entry) -> io::Result<Option<Kept>> {
        let path = self.path(entry);
        let bytes = match files::read(&path, FILE_MAX) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(error) => return Err(set_aside(&path, error)),
        };
        match parse(bytes) {
            // A newer pakyas wrote it, and will read it.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(set_aside(&path, error)),
            Ok(kept) => Ok(Some(kept)),
        }
    }

    /// Takes an entry away; one that is gone already is no error.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes everything away, damaged files included; gives how many pings there were.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn clear(&self) -> io::Result<usize> {
        let entries = self.list()?;
        for entry in &entries {
            self.remove(&self.path(entry))?;
        }
        if let Ok(folder) = fs::read_dir(&self.directory) {
            for file in folder.flatten() {
                if is_set_aside(&file.file_name()) {
                    self.remove(&file.path())?;
                }
            }
        }
        Ok(entries.len())
    }

    /// A turn at sending what is kept: one process does it at a time. `None` where another is
    /// at it, or it can't be told.
    pub fn turn_to_flush(&self) -> Option<File> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.directory.join(".flush"))
            .ok()?;
        lock.try_lock().ok()?;
        Some(lock)
    }
}

fn is_set_aside(name: &OsStr) -> bool {
    name.to_string_lossy().contains(".ping.damaged-")
}

fn set_aside(path: &Path, why: io::Error) -> io::Error {
    let place = match files::set_aside(path) {
        Ok(aside) => format!("; it was set aside as {}", aside.display()),
        Err(error) => format!(", and it can't be set aside: {error}"),
    };
    io::Error::new(
        why.kind(),
        format!("the kept ping {} is damaged: {why}{place}", path.display()),
    )
}

fn parse(bytes: Vec<u8>) -> io::Result<Kept> {
    let damaged = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let end = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .ok_or_else(|| damaged("it ends too early"))?;
    let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|error| {
        damaged(&format!(
            "its first line is not what it should be ({error})"
        ))
    })?;
    if head.version != VERSION {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let signal = Signal {
        kind: head.kind,
        exit_code: head.exit_code,
    };
    let at = Moment::ago(head.at.age(&Recorded::now()));
    Ok(Kept {
        to: head.to,
        unix_ms: head.at.unix_ms,
        ping: Ping {
            run_id: head.run_id,
            duration_ms: head.duration_ms,
            cpu_ms: head.cpu_ms,
            max_rss_kb: head.max_rss_kb,
            body: bytes[end + 1..].to_vec(),
            key: head.key,
            ..Ping::new(signal, at)
        },
    })
}

/// What has to go of all that is kept, oldest first. Pure.
fn victims(kept: Vec<Entry>) -> Vec<Entry> {
    let mut count = kept.len();
    let mut bytes: u64 = kept.iter().map(|entry| entry.bytes).sum();
    let (failures, others): (Vec<Entry>, Vec<Entry>) =
        kept.into_iter().partition(Entry::is_failure);
    let mut victims = Vec::new();
    for entry in others.into_iter().chain(failures) {
        if count <= COUNT_MAX && bytes <= BYTES_MAX {
            break;
        }
        count -= 1;
        bytes -= entry.bytes;
        victims.push(entry);
    }
    victims
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The entries with one more.
    fn with(kept: &[Entry], new: Entry) -> Vec<Entry> {
        let mut all = kept.to_vec();
        all.push(new);
        all.sort();
        all
    }

    fn entry(at: u64, kind: &str, bytes: u64) -> Entry {
        Entry {
            name: format!("{at:015}-{kind}-x.ping"),
            bytes,
        }
    }

    #[test]
    fn where_there_is_room_nothing_goes() {
        let kept: Vec<Entry> = (1..COUNT_MAX as u64)
            .map(|at| entry(at, "fail", 10))
            .collect();
        assert_eq!(victims(with(&kept, entry(5_000, "start", 10))), []);
    }

    #[test]
    fn the_oldest_start_or_success_goes_before_any_failure() {
        let mut kept: Vec<Entry> = (0..998).map(|at| entry(at, "fail", 10)).collect();
        kept.push(entry(2_000, "success", 10));
        kept.push(entry(2_001, "start", 10));
        let gone = victims(with(&kept, entry(3_000, "fail", 10)));
        assert_eq!(gone, [entry(2_000, "success", 10)]);
        kept[998] = entry(2_000, "fail", 10);
        kept[999] = entry(2_001, "fail", 10);
        let gone = victims(with(&kept, entry(3_000, "fail", 10)));
        assert_eq!(gone, [kept[0].clone()]);
        // Among failures alone there is no place for a success.
        let new = entry(3_000, "success", 10);
        assert_eq!(victims(with(&kept, new.clone())), [new]);
    }

    #[test]
    fn size_counts_as_well_as_number() {
        let kept = [entry(1, "success", 9_000_000), entry(2, "fail", 9_000_000)];
        let gone = victims(with(&kept, entry(3, "fail", 9_000_000)));
        assert_eq!(gone, [entry(1, "success", 9_000_000)]);
    }

    proptest! {
        #[test]
        fn what_remains_is_always_within_bounds(
            kept in prop::collection::vec((0..9_999_u64, any::<bool>(), 1..200_000_u64), 0..1_100),
            fail in any::<bool>(),
        ) {
            let kind = |fail| if fail { "fail" } else { "start" };
            let kept: Vec<Entry> = kept
                .into_iter()
                .enumerate()
                .map(|(n, (at, fail, bytes))| entry(at * 10_000 + n as u64, kind(fail), bytes))
                .collect();
            let all = with(&kept, entry(99_999_999, kind(fail), 10_000));
            let gone = victims(all.clone());
            let left: Vec<&Entry> = all.iter().filter(|entry| !gone.contains(entry)).collect();
            prop_assert!(left.len() <= COUNT_MAX);
            prop_assert!(left.iter().map(|e| e.bytes).sum::<u64>() <= BYTES_MAX);
            let lost_a_failure = gone.iter().any(Entry::is_failure);
            prop_assert!(!lost_a_failure || left.iter().all(|e| e.is_failure()));
        }

        #[test]
        fn no_file_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(bytes);
        }
    }
}
