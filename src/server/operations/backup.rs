//! `pakyas-server backup FILE`: a copy of everything, taken while the server runs.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::args::Backup;
use super::super::store::{self, DATABASE, StoreError};

/// Writes the backup: into a file beside the one asked for, which gets its name only once it is
/// whole and on disk.
///
/// # Errors
/// A sentence that says what to do.
pub fn run(options: &Backup) -> Result<(), String> {
    let target = &options.file;
    let refused = |error: io::Error| format!("can't write {}: {error}", target.display());
    if !options.force && target.symlink_metadata().is_ok() {
        return Err(format!(
            "{} is there already; choose another name, or overwrite it with --force",
            target.display()
        ));
    }
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = target
        .file_name()
        .ok_or_else(|| format!("'{}' is no name for a file", target.display()))?;
    let database = options.data_dir.join(DATABASE);
    if !database.exists() {
        return Err(format!(
            "there is no database in {}; name the server's directory with --data-dir",
            options.data_dir.display()
        ));
    }
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
