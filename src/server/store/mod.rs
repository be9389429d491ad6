//! What the server remembers: SQLite with one writer thread and any number of readers.
//!
//! A write is answered only once it is on disk (WAL, `synchronous=FULL`), so what was
//! acknowledged survives `kill -9` and power loss. Live check state is kept in the writer's
//! memory and rebuilt from the tables at start.

pub mod accounts;
mod beside;
pub mod channels;
pub mod check_page;
pub mod checks;
pub mod deliveries;
mod desk;
pub mod events;
pub mod inspect;
pub mod keys;
mod live;
pub mod maintenance;
mod meters;
pub mod outbox;
pub mod overview;
pub mod pings;
mod place;
mod presence;
pub mod projects;
mod prune;
pub mod publications;
mod schedules;
mod schema;
pub mod sessions;
#[cfg(test)]
mod simulation;
pub mod strip;
pub mod uptime;
pub mod users;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::{Error, SQLITE_CORRUPT};
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::bell::Bell;
use super::clock;
pub use beside::Beside;
pub use desk::Desk;
pub use meters::Meters;
use place::Place;
use presence::Presence;
pub use prune::Retention;
use writer::Writer;

/// The database's file in the data directory.
pub const DATABASE: &str = "pakyas.db";

/// The file in the data directory that the server which uses it has locked, and in which it
/// notes that it is there.
pub const LOCK: &str = "lock";

/// How many idle reading connections are kept.
const IDLE_READERS: usize = 8;

/// The writer's page cache, as SQLite counts it: KiB, negative. Enough for the state of 100,000
/// checks, of which any may be the next that is pinged.
const WRITER_CACHE: i64 = -32 * 1024;

/// The pages of a new database, bytes. A ping changes a page of its check and one of an index
/// for a few bytes each; the smaller they are, the less goes to the disk for it.
const PAGE: i64 = 1024;

/// How long the log gets before it is worked into the database, bytes. A page that was written
/// many times until then is copied once.
const CHECKPOINT: i64 = 16 * 1024 * 1024;

/// Where public ids lead: shared by the threads that take pings, changed by the writer.
type PublicIds = Arc<RwLock<HashMap<Uuid, i64>>>;

/// Why the store did not do what it was asked to.
#[derive(Debug)]
pub enum StoreError {
    /// SQLite's own word; `Display` says it for a log, it is never shown to a client.
    Sqlite(rusqlite::Error),
    /// The data directory can't be made or used.
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another pakyas-server has the data directory.
    InUse(PathBuf),
    /// A newer pakyas-server has written the database.
    Newer {
        /// The schema that is there.
        found: usize,
        /// The newest that this program knows.
        newest: usize,
    },
    /// The database's file is not what SQLite has written.
    Damaged {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// The value of this field is taken by another row.
    Taken(&'static str),
    /// What the request names is not there (any more).
    Gone,
    /// There are as many of these as there may be.
    Full(&'static str),
    /// An organization would be left without an owner.
    LastOwner,
    /// There is no database in the directory.
    Empty(PathBuf),
    /// The server that is running has another schema than this program.
    OtherVersion,
    /// No random bytes for an id.
    Randomness(crate::random::NoRandomness),
    /// A thread can't be started, the writer has ended, or its transaction failed; the same request may succeed later.
    Unavailable(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "the database said: {error}"),
            Self::Directory { path, error } => write!(
                f,
                "can't use the data directory {}: {error}; choose another with --data-dir",
                path.display()
            ),
            Self::InUse(path) => write!(
                f,
                "another pakyas-server is using the data directory {}; stop it, or choose another with --data-dir",
                path.display()
            ),
            Self::Newer { found, newest } => write!(
                f,
                "the database was written by a newer pakyas-server (schema {found}, this one knows {newest}); install the newer version again"
            ),
            Self::Damaged { path, error } => write!(
                f,
                "the database {} is damaged ({error}); stop the server, keep a copy of the file, and put a backup in its place, without the files {0}-wal and {0}-shm",
                path.display()
            ),
            Self::Taken(field) => write!(f, "that {field} is taken"),
            Self::Gone => f.write_str("it is not there any more"),
            Self::Full(what) => write!(
                f,
                "the organization has as many {what} as it may; remove one first"
            ),
            Self::LastOwner => f.write_str(
                "the organization would be left without an owner; make someone else one first: \
                 pakyas-server user add EMAIL --role owner",
            ),
            Self::Empty(path) => write!(
                f,
                "there is no server's data in {}; start the server once, or name another directory with --data-dir",
                path.display()
            ),
            Self::OtherVersion => f.write_str(
                "the server that is running is of another version; use the pakyas-server that came with it",
            ),
            Self::Randomness(error) => error.fmt(f),
            Self::Unavailable(why) => write!(f, "the store can't write at the moment: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<crate::random::NoRandomness> for StoreError {
    fn from(error: crate::random::NoRandomness) -> Self {
        Self::Randomness(error)
    }
}

/// The open store.
pub struct Store {
    writer: Writer,
    readers: Readers,
    public_ids: PublicIds,
    meters: Arc<Meters>,
    place: Arc<Place>,
    /// Held for as long as the store is open; the kernel lets go of it even after `kill -9`.
    _lock: File,
}

impl Store {
    /// Opens the store in `directory`, which is made where it is missing, for its owner only.
    /// `public_url` is where pings go, as alerts tell it; `alerted` is rung whenever alerts
    /// were added to the outbox.
    ///
    /// # Errors
    /// Where the directory can't be used, another server has it, a newer one has written it,
    /// or SQLite refuses.
    pub fn open(directory: &Path, public_url: &str, alerted: Bell) -> Result<Self, StoreError> {
        let in_directory = |error| StoreError::Directory {
            path: directory.to_owned(),
            error,
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(in_directory)?;
        let private = |name: &str| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(directory.join(name))
                .map_err(in_directory)
        };
        let lock = private(LOCK)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(in_directory(error)),
        }
        // Made by us first, so that SQLite gives it and its companions our mode.
        let place = Arc::new(Place::new(private(DATABASE)?));
        let path = directory.join(DATABASE);
        let note = lock.try_clone().map_err(in_directory)?;
        let damaged = |error| damaged(&path, error);
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(damaged)?;
        schema::migrate(&mut connection).map_err(damaged)?;
        let public_ids = PublicIds::default();
        let meters = Arc::new(Meters::default());
        let writer = Writer::start(
            connection,
            Arc::clone(&public_ids),
            public_url.to_owned(),
            alerted,
            Arc::clone(&meters),
            Arc::clone(&place),
            Presence::back(note, clock::now()),
        )
        .map_err(damaged)?;
        Ok(Self {
            writer,
            readers: Readers {
                path,
                idle: Mutex::default(),
            },
            public_ids,
            meters,
            place,
            _lock: lock,
        })
    }

    /// What the store counts about itself.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Runs `job` in the writer's next transaction and waits until it is on disk. Where `job`
    /// fails, nothing of it is kept; what others wrote in the same transaction is.
    ///
    /// # Errors
    /// What `job` says, or [`StoreError::Unavailable`].
    pub fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(job)
    }

    /// Has `job` run in one of the writer's next transactions, without waiting for it. Where the
    /// writer is too busy, or its transaction fails, nothing of it is kept.
    pub fn write_later<F>(&self, job: F)
    where
        F: FnOnce(&mut Desk<'_>) -> Result<(), StoreError> + Send + 'static,
    {
        self.writer.hand(job);
    }

    /// As [`Store::write`], but nobody waits: `then` is told on another thread, where it must
    /// not wait either. Where the store is closed, `then` is dropped.
    pub fn write_then<T, F, G>(&self, job: F, then: G)
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk<'_>) -> Result<T, StoreError> + Send + 'static,
        G: FnOnce(Result<T, StoreError>) + Send + 'static,
    {
        self.writer.run_beside(job, then);
    }

    /// Whether the store can be written, as far as is known: where the last transaction failed,
    /// tries another.
    ///
    /// # Errors
    /// Why it can't.
    pub fn check(&self) -> Result<(), StoreError> {
        self.place.check()?;
        if self.writer.is_well() {
            return Ok(());
        }
        self.write(|desk| probe(desk.connection))
    }

    /// Begins to prune the history; until then all of it is kept.
    pub fn keep(&self, retention: Retention) {
        self.writer.keep(retention);
    }

    /// Ends the writer after it has written what it was handed; later writes are refused.
    pub fn close(&self) {
        self.writer.stop();
    }

    /// Runs `job` on a reading connection.
    ///
    /// # Errors
    /// What `job` says, or where no connection can be opened.
    pub fn read<T>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.readers.run(job)
    }

    /// The row of the check with this public id, from memory.
    pub fn check_row(&self, public_id: Uuid) -> Option<i64> {
        self.public_ids
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&public_id)
            .copied()
    }
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn run<T>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let result = job(&connection);
        let mut idle = idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        result
    }
}

/// Writes as much as a few pings take: room for less is no room.
fn probe(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR REPLACE INTO probe (row, data) VALUES (1, randomblob(65536))",
        [],
    )?;
    Ok(())
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else a statement whose plan might gain from the values is made anew for each of them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if mode.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        // A database that is there keeps the pages that it has.
        connection.pragma_update(None, "page_size", PAGE)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT / page)?;
    }
    Ok(connection)
}

/// Opens the database at `path` for reading, beside the server that may have it open.
///
/// # Errors
/// As SQLite says; [`StoreError::Damaged`] where it is no database.
pub fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| damaged(path, error))?;
    schema::check(&connection).map_err(|error| damaged(path, error))?;
    Ok(connection)
}

/// Reads all of the database at `path`, which `connection` has open.
///
/// # Errors
/// [`StoreError::Damaged`] where a page or a row is not what SQLite has written; else as SQLite
/// says.
pub fn look_through(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: Result<String, _> =
        connection.pragma_query_value(None, "quick_check", |row| row.get(0));
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(_) => Err(StoreError::Damaged {
            path: path.to_owned(),
            error: rusqlite::Error::SqliteFailure(Error::new(SQLITE_CORRUPT), None),
        }),
        Err(error) => Err(damaged(path, error.into())),
    }
}

/// Says of which file, where an error is about a damaged one.
pub fn damaged(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Sqlite(error)
            if matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ) =>
        {
            StoreError::Damaged {
                path: path.to_owned(),
                error,
            }
        }
        error => error,
    }
}

/// Turns a violated UNIQUE constraint into [`StoreError::Taken`] of `field`.
fn taken(field: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error() {
        Some(code) if code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => {
            StoreError::Taken(field)
        }
        _ => StoreError::Sqlite(error),
    }
}

/// A stored time as the wire has it; times that no calendar has become the epoch.
fn timestamp(millis: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// A column with a count, seconds or a duration, as the wire has it: other programs keep these in
/// 32 bits.
fn narrow(value: i64) -> u64 {
    unsigned(value).min(crate::wire::NUMBER_MAX)
}

/// A column that never holds a negative number, as the wire has it.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
