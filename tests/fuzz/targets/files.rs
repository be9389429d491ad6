//! Files that are read: pings that were kept, configuration and cache, certificates. They are
//! fed as files, since what is done with a damaged one is part of the answer.

use std::fs;
use std::path::PathBuf;

use pakyas::client::cache::Shelf;
use pakyas::client::config::{self, Config, Credentials};
use pakyas::client::delivery::Spool;
use pakyas::client::settings::typed_key;
use pakyas::secret::Secret;
use pakyas::server::http::{Tls, TlsFiles};
use serde_json::Value;

/// An empty directory in memory, gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() {
            memory
        } else {
            std::env::temp_dir()
        };
        let thread = format!("{:?}", std::thread::current().id());
        let number: String = thread.chars().filter(char::is_ascii_digit).collect();
        let path = parent.join(format!("pakyas-fuzz-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A kept ping is read, kept again, and read as the same; a damaged one is set aside, once.
pub fn spool(bytes: &[u8]) {
    let folder = Folder::new();
    folder.put("000000000000001-fail-1.ping", bytes);
    let spool = Spool::new(folder.0.clone());
    let entries = spool.list().unwrap();
    assert_eq!(entries.len(), 1);
    match spool.read(&entries[0]) {
        Ok(Some(kept)) => {
            spool.remove(&spool.path(&entries[0])).unwrap();
            let added = spool
                .add(&kept.to, &kept.ping, kept.ping.at.record())
                .unwrap();
            assert_eq!(added.dropped, 0);
            let entries = spool.list().unwrap();
            let mut again = spool.read(&entries[0]).unwrap().unwrap();
            assert_eq!(Some(spool.path(&entries[0])), added.path);
            // It happened when it happened, but for the time that this took.
            let apart = again.ping.at.age().abs_diff(kept.ping.at.age());
            assert!(apart.as_secs() < 60, "{apart:?}");
            again.ping.at = kept.ping.at;
            again.unix_ms = kept.unix_ms;
            let kept_output = kept.ping.body.len().min(pakyas::wire::OUTPUT_LIMIT);
            let mut wanted = kept;
            wanted
                .ping
                .body
                .drain(..wanted.ping.body.len() - kept_output);
            assert!(again == wanted, "what was kept again is another");
        }
        // For a newer pakyas: left as it is.
        Ok(None) => assert_eq!(spool.list().unwrap(), entries),
        Err(_) => {
            assert!(spool.is_empty());
            assert_eq!(folder.files(), 1, "it was not set aside");
            spool.clear().unwrap();
            assert_eq!(folder.files(), 0);
        }
    }
}

/// Configuration, keys and cache, each from the same bytes: what is taken is not changed by a
/// change of nothing, fields of other versions included; what is not stays for a person to see.
pub fn config(bytes: &[u8]) {
    let folder = Folder::new();
    kept::<Config>(&folder, bytes);
    kept::<Credentials>(&folder, bytes);
    fs::create_dir(folder.0.join("cache")).unwrap();
    folder.put("cache/checks.json", bytes);
    let key = typed_key(Secret::from_text("pk_live_0".to_owned()));
    let Ok(key) = key else { panic!("no key") };
    let shelf = Shelf::new(Some(&folder.0), "http://a", &key, None);
    let before = shelf.read();
    shelf.update(|_| ()).unwrap();
    let mut after = shelf.read();
    after.fetched_at = before.fetched_at;
    assert!(
        before == after,
        "the cache was changed by a change of nothing"
    );
}

fn kept<T: config::Kept>(folder: &Folder, bytes: &[u8]) {
    let path = folder.put(T::NAME, bytes);
    let loaded = config::load::<T>(&folder.0);
    let aside = config::update::<T>(&folder.0, |_| ()).unwrap_or_else(|_| panic!("not written"));
    assert_eq!(aside.is_some(), loaded.is_err());
    if let Ok(value) = loaded {
        let text = fs::read(&path).unwrap();
        let written: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(written, serde_json::to_value(&value).unwrap());
        assert!(!bytes.starts_with(b"{") || written.is_object());
    } else {
        assert_eq!(fs::read(aside.unwrap()).unwrap(), bytes);
    }
}

/// A certificate with its key: taken or refused with a sentence, never shown.
pub fn certificate(bytes: &[u8]) {
    let folder = Folder::new();
    let both = folder.put("both.pem", bytes);
    let files = TlsFiles {
        certificate: both.clone(),
        key: both,
    };
    if let Err(why) = Tls::load(files) {
        assert!(why.contains("both.pem") && why.len() < 1_000, "{why}");
    }
}
