//! Small files, read within bounds and written whole: a reader sees the old one or the new
//! one, and two writers take turns.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::random;

/// The whole file; `None` where there is none.
///
/// # Errors
/// Where it can't be read, is not a regular file (reading a pipe could wait for ever), or
/// is larger than `max` bytes.
pub fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("it is larger than {max} bytes")));
    }
    Ok(Some(bytes))
}

/// How much a file matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It survives a power cut.
    Kept,
    /// It can be had again: not worth the wait for the disk, during which others wait for
    /// their turn. After a power cut it may be empty, never a mixture.
    Remade,
}

/// Puts `bytes` at `path`, readable by its owner alone, whole or not at all. A symbolic link
/// stays one: what it points at is replaced.
///
/// # Errors
/// As the operating system says; what was there is then still there.
pub fn write(path: &Path, bytes: &[u8], worth: Worth) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = beside(path)?;
    let result = write_new(&temporary, bytes, worth).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
        return result;
    }
    if worth == Worth::Remade {
        return Ok(());
    }
    // The rename itself survives a power cut only once the directory is synced; a file
    // system that can't do that has no better to offer.
    if let Some(directory) = path.parent() {
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8], worth: Worth) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    match worth {
        Worth::Kept => file.sync_all(),
        Worth::Remade => Ok(()),
    }
}

/// A name that nobody has, in the same directory.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("it has no file name"))?;
    let unique = u32::from_ne_bytes(random::bytes().unwrap_or_default());
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.{unique:08x}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

/// Creates a directory that only its owner may enter, and those above it.
///
/// # Errors
/// As the operating system says.
pub fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Sets a file aside under a name of its own beside it, and tells that name.
///
/// # Errors
/// As the operating system says.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..1000 {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let aside = PathBuf::from(name);
        if !aside.exists() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other(
        "a thousand damaged files lie there already",
    ))
}

/// A turn at writing; it ends when this is dropped, or its process is.
pub struct Turn(#[allow(dead_code, reason = "held for its drop")] Option<File>);

/// Waits for a turn at writing in `directory`, which is created where it is missing.
///
/// # Errors
/// Where the directory can't be written, or another process has its turn for all of
/// `patience`.
pub fn turn(directory: &Path, patience: Duration) -> io::Result<Turn> {
    create_directory(directory)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(directory.join(".lock"))?;
    let end = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Turn(Some(file))),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another pakyas is writing there",
                ));
            }
            // A file system without locks: better two writers at once than none.
            Err(TryLockError::Error(_)) => return Ok(Turn(None)),
        }
    }
}
