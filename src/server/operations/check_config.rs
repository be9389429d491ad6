//! `pakyas-server check-config`: everything that serving would refuse, all at once, and nothing
//! left changed by it.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use super::super::access_log::AccessLog;
use super::super::alerts::Notifier;
use super::super::args::Draft;
use super::super::http::Tls;
use super::super::store::{self, DATABASE, LOCK, StoreError};
use crate::sys::may_write;

/// Looks at everything. Gives what should be mended though the server would start.
///
/// # Errors
/// A sentence for each thing that is wrong.
pub fn run(options: &Draft) -> Result<Vec<String>, Vec<String>> {
    let (mut wrong, mut doubtful) = (options.wrong.clone(), Vec::new());
    if let Some(Some(files)) = &options.tls {
        match Tls::load(files.clone()) {
            Ok((_, warning)) => doubtful.extend(warning),
            Err(sentence) => wrong.push(sentence),
        }
    }
    if let Some(smtp) = &options.smtp {
        wrong.extend(Notifier::new(smtp.as_ref()).err());
    }
    let mut running = false;
    if let Some(path) = &options.data_dir {
        match lock(path) {
            Ok(is_locked) => {
                running = is_locked;
                wrong.extend(database(path).err());
            }
            Err(sentence) => wrong.push(sentence),
        }
    }
    if let Some(address) = options.listen {
        match TcpListener::bind(address) {
            // A server that runs has its address, and a new configuration is checked beside it.
            Err(error) if error.kind() == ErrorKind::AddrInUse && running => running = false,
            Err(error) => wrong.push(format!(
                "can't listen on {address}: {error}; choose another address with --listen"
            )),
            Ok(_) => {}
        }
    }
    if let (Some(path), true) = (&options.data_dir, running) {
        // One that listens elsewhere would not make room for this one.
        wrong.push(StoreError::InUse(path.clone()).to_string());
    }
    if let Some(path) = &options.access_log {
        // Opened only where it is there: this makes no file.
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if path.exists() || path.as_os_str() == "-" {
            wrong.extend(AccessLog::check(path).err());
        } else if folder.is_some_and(|folder| !folder.is_dir()) {
            wrong.push(format!(
                "can't write the access log {}: there is no such directory",
                path.display()
            ));
        }
    }
    let is_open = |address: SocketAddr| address.ip().is_unspecified();
    if options.public_url == Some(None) && options.listen.is_some_and(is_open) {
        doubtful.push(
            "clients on other machines need to know where this server is; give --public-url"
                .to_owned(),
        );
    }
    if wrong.is_empty() {
        Ok(doubtful)
    } else {
        Err(wrong)
    }
}

/// That the data directory can be used; whether a server uses it.
fn lock(directory: &Path) -> Result<bool, String> {
    let refused = |error: std::io::Error| {
        let path = directory.to_owned();
        StoreError::Directory { path, error }.to_string()
    };
    match fs::metadata(directory) {
        // It will be made; whether it can be shows in the nearest one that is there.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let there = directory.ancestors().find(|path| path.exists());
            // The name of a directory here is a path of no parts at all.
            let there = there.filter(|path| !path.as_os_str().is_empty());
            let there = there.unwrap_or(Path::new("."));
            if !there.is_dir() {
                return Err(refused(ErrorKind::NotADirectory.into()));
            }
            return room(there).map(|()| false).map_err(refused);
        }
        Err(error) => return Err(refused(error)),
        Ok(metadata) if !metadata.is_dir() => {
            return Err(refused(ErrorKind::NotADirectory.into()));
        }
        Ok(_) => may_write(directory).map_err(refused)?,
    }
    match OpenOptions::new().write(true).open(directory.join(LOCK)) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(refused(error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            room(directory).map(|()| false).map_err(refused)
        }
        Err(error) => Err(refused(error)),
    }
}

/// That something can be made in this directory, by making it: modes alone say that root may
/// write to /proc. It is gone at once.
fn room(directory: &Path) -> std::io::Result<()> {
    let probe = directory.join(format!(".pakyas-check-{}", std::process::id()));
    fs::create_dir(&probe)?;
    fs::remove_dir(&probe)
}

/// That the database, where there is one, can be used, and each of its pages read.
fn database(directory: &Path) -> Result<(), String> {
    let database = directory.join(DATABASE);
    if !database.exists() {
        return Ok(());
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(&database)
        .map_err(|error| format!("can't use the database {}: {error}", database.display()))?;
    store::open_to_read(&database)
        .and_then(|connection| store::look_through(&connection, &database))
        .map_err(|error| error.to_string())
}
