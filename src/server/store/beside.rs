//! The database opened beside a server that may be running: for commands about accounts.
//!
//! That is safe because SQLite lets one writer in at a time, and because the server asks the
//! tables anew, at each request, for everything about organizations, people, keys and sessions.
//! What it does hold in memory, the checks' state and their public ids, no command here changes.

use std::fs::{OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::desk::{Desk, at_a_desk_without_checks};
use super::{DATABASE, LOCK, StoreError, connect, damaged, schema};

/// An open database whose server may be running.
pub struct Beside {
    connection: Connection,
    path: PathBuf,
}

impl Beside {
    /// Opens the database in `directory`. One of an older version is brought to this one, but
    /// not under a server that is running.
    ///
    /// # Errors
    /// [`StoreError::Empty`] where there is none, [`StoreError::OtherVersion`] and
    /// [`StoreError::Newer`] where it is not of this program's version; else as SQLite says.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(DATABASE);
        match path.metadata() {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Empty(directory.to_owned()));
            }
            Err(error) => {
                return Err(StoreError::Directory {
                    path: directory.to_owned(),
                    error,
                });
            }
        }
        let damaged = |error| damaged(&path, error);
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(damaged)?;
        if !schema::is_newest(&connection).map_err(damaged)? {
            let in_directory = |error| StoreError::Directory {
                path: directory.to_owned(),
                error,
            };
            // Held while migrating only: a server that starts just now must not be turned away.
            let lock = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(directory.join(LOCK))
                .map_err(in_directory)?;
            match lock.try_lock() {
                Ok(()) => schema::migrate(&mut connection).map_err(damaged)?,
                Err(TryLockError::WouldBlock) => return Err(StoreError::OtherVersion),
                Err(TryLockError::Error(error)) => return Err(in_directory(error)),
            }
        }
        Ok(Self { connection, path })
    }

    /// Runs `job` on the database.
    ///
    /// # Errors
    /// What `job` says.
    pub fn read<T>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        job(&self.connection).map_err(|error| damaged(&self.path, error))
    }

    /// Runs `job` in a transaction; where it fails, nothing of it is kept. It must not be about
    /// checks. Waits up to five seconds while the server writes.
    ///
    /// # Errors
    /// What `job` says; else as SQLite says.
    pub fn write<T>(
        &mut self,
        job: impl FnOnce(&mut Desk<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let write = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = at_a_desk_without_checks(&transaction, job)?;
            transaction.commit()?;
            Ok(result)
        };
        write(&mut self.connection).map_err(|error| damaged(&self.path, error))
    }
}
