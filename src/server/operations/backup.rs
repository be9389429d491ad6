//! `pakyas-server backup FILE`: a copy of everything, taken while the server runs.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::super::args::Backup;
use super::super::store::{self, DATABASE, LOCK, StoreError};

/// Writes the backup: into a file beside the one asked for, which gets its name only once it is
/// whole and on disk.
///
/// # Errors
/// A sentence that says what to do.
pub fn run(options: &Backup) -> Result<(), String> {
    let target = &options.file;
    let refused = |error: io::Error| format!("can't write {}: {error}", target.display());
    let database = options.data_dir.join(DATABASE);
    if !database.exists() {
        return Err(format!(
            "there is no database in {}; name the server's directory with --data-dir",
            options.data_dir.display()
        ));
    }
    if is_of_the_database(target, &options.data_dir, &database) {
        return Err(format!(
            "{} is the database itself, or a file that the server keeps beside it; \
             name another file for the backup",
            target.display()
        ));
    }
    if target.symlink_metadata().is_ok() {
        // A device or a pipe would be replaced by the file, for everybody.
        if !target.is_file() {
            return Err(format!(
                "{} is not a regular file; name another file for the backup",
                target.display()
            ));
        }
        if !options.force {
            return Err(format!(
                "{} is there already; choose another name, or overwrite it with --force",
                target.display()
            ));
        }
    }
    let directory = folder(target);
    let name = target
        .file_name()
        .ok_or_else(|| format!("'{}' is no name for a file", target.display()))?;
    let mut partial_name = std::ffi::OsString::from(".");
    partial_name.push(name);
    partial_name.push(format!(".{}", std::process::id()));
    let partial = Partial(directory.join(partial_name));
    // Made by us, so that nobody else can read it at any time; SQLite takes an empty file.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial.0)
        .map_err(refused)?;
    copy(&database, &partial.0).map_err(|error| match error {
        StoreError::Sqlite(error) => {
            format!("can't write the backup {}: {error}", target.display())
        }
        error => error.to_string(),
    })?;
    file.sync_all().map_err(refused)?;
    if options.force {
        std::fs::rename(&partial.0, target).map_err(refused)?;
    } else {
        name_anew(&partial.0, target).map_err(refused)?;
    }
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(refused)
}

/// The directory that the file is in, or would be in.
fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether the backup would take the place of what a server works with: the database, what
/// SQLite keeps beside it, or the lock, whatever they are called by. What is there is known by
/// its inode, what is not (a log that was worked in) by where it would be.
fn is_of_the_database(target: &Path, data_dir: &Path, database: &Path) -> bool {
    let inode = |path: &Path| {
        let there = path.metadata().ok()?;
        Some((there.dev(), there.ino()))
    };
    let place = |path: &Path| {
        Some((
            folder(path).canonicalize().ok()?,
            path.file_name()?.to_owned(),
        ))
    };
    // SQLite keeps its files beside the one that a symbolic link points at.
    let real = database
        .canonicalize()
        .unwrap_or_else(|_| database.to_owned());
    let beside = ["", "-wal", "-shm", "-journal"].map(|ending| {
        let mut path = real.clone().into_os_string();
        path.push(ending);
        PathBuf::from(path)
    });
    beside
        .iter()
        .chain([&database.to_owned(), &data_dir.join(LOCK)])
        .any(|own| {
            place(own) == place(target)
                || inode(target).is_some_and(|theirs| inode(own) == Some(theirs))
        })
}

/// Gives the file a name that no other has: refuses where somebody has made one meanwhile, which
/// a rename would not.
fn name_anew(partial: &Path, target: &Path) -> io::Result<()> {
    match std::fs::hard_link(partial, target) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // No links there, as on many a USB disk and share: the name is taken first.
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(target)?;
            std::fs::rename(partial, target).inspect_err(|_| {
                let _ = std::fs::remove_file(target);
            })
        }
        linked => linked,
    }
}

/// Copies what is committed at this moment. The server goes on writing meanwhile.
fn copy(database: &Path, target: &Path) -> Result<(), StoreError> {
    let connection = store::open_to_read(database)?;
    connection
        .execute("VACUUM INTO ?", [target.to_string_lossy()])
        .map_err(|error| store::damaged(database, error.into()))?;
    Ok(())
}

/// The unfinished file, gone when dropped.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
