//! `pakyas-server check-config`: everything that serving would refuse, all at once, and nothing
//! changed by it.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use super::super::access_log::AccessLog;
use super::super::alerts::Notifier;
use super::super::args::Serve;
use super::super::http::Tls;
use super::super::store::{self, DATABASE};
use crate::sys::may_write;

/// Looks at everything. Gives what should be mended though the server would start.
///
/// # Errors
/// A sentence for each thing that is wrong.
pub fn run(options: &Serve) -> Result<Vec<String>, Vec<String>> {
    let (mut wrong, mut doubtful) = (Vec::new(), Vec::new());
    if let Some(files) = &options.tls {
        match Tls::load(files.clone()) {
            Ok((_, warning)) => doubtful.extend(warning),
            Err(sentence) => wrong.push(sentence),
        }
    }
    wrong.extend(Notifier::new(options.smtp.as_ref()).err());
    let running = match directory(options) {
        Ok(running) => running,
        Err(sentence) => {
            wrong.push(sentence);
            false
        }
    };
    match TcpListener::bind(options.listen) {
        // A server that runs has its address, and a new configuration is checked beside it.
        Err(error) if error.kind() == ErrorKind::AddrInUse && running => {}
        Err(error) => wrong.push(format!(
            "can't listen on {}: {error}; choose another address with --listen",
            options.listen
        )),
        Ok(_) => {}
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
    if options.public_url.is_none() && options.listen.ip().is_unspecified() {
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
fn directory(options: &Serve) -> Result<bool, String> {
    let directory = &options.data_dir;
    let refused = |error: std::io::Error| {
        format!(
            "can't use the data directory {}: {error}; choose another with --data-dir",
            directory.display()
        )
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
            return may_write(there).map(|()| false).map_err(refused);
        }
        Err(error) => return Err(refused(error)),
        Ok(metadata) if !metadata.is_dir() => {
            return Err(refused(ErrorKind::NotADirectory.into()));
        }
        Ok(_) => may_write(directory).map_err(refused)?,
    }
    let running = match OpenOptions::new().write(true).open(directory.join("lock")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(refused(error)),
    };
    let database = directory.join(DATABASE);
    if database.exists() {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(&database)
            .map_err(|error| format!("can't use the database {}: {error}", database.display()))?;
        store::open_to_read(&database).map_err(|error| error.to_string())?;
    }
    Ok(running)
}
