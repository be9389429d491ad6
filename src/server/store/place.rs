//! Whether the database's file is still where it was: whoever deletes the data directory, or
//! puts a backup in its place, below a running server is told so. SQLite would write on into a
//! file that nobody can find any more, and each ping would be acknowledged and lost.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::StoreError;

/// The database's file, held open. To be opened before SQLite opens it and closed after: closing
/// it would take away SQLite's locks (fcntl(2), of advisory record locking).
pub(super) struct Place {
    file: File,
    /// Whether the file system counts names at all.
    counts: bool,
}

impl Place {
    pub fn new(file: File) -> Self {
        Self {
            counts: names(&file).is_some_and(|names| names > 0),
            file,
        }
    }

    /// # Errors
    /// Where the file has no name any more.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.counts && names(&self.file) == Some(0) {
            return Err(StoreError::Unavailable(
                "its database was deleted or replaced while the server was running; stop the \
                 server, put the database or a backup in its place, and start it again"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

fn names(file: &File) -> Option<u64> {
    Some(file.metadata().ok()?.nlink())
}
