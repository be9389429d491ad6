//! What is kept between commands: `config.json` (no secrets) and `credentials.json` (the keys).
//!
//! Fields that this version does not know are kept as they are, so that an older and a newer
//! pakyas can share a directory, and so can the official client, which has a `credentials.json`
//! of its own making. That one drops what it does not know and deletes the file at a logout, so
//! our keys are in `keys.json` as well, which counts where `credentials.json` has lost them.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::{Error, Kind};
use super::files;
use super::json::indented;
use super::official;

/// The largest file of either kind, bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// How long to wait for another pakyas that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// A project as it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenProject {
    /// Its id.
    pub id: Uuid,
    /// Its name when it was chosen.
    pub name: String,
}

/// `config.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The API that was logged in to last; the fields below are about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// Where its pings go, as it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_url: Option<String>,
    /// The organization in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<Uuid>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_name: Option<String>,
    /// The project in use in each organization.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub projects: BTreeMap<Uuid, ChosenProject>,
    /// `table`, `json` or `ndjson`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What other versions keep here.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A key and what it opens. It has no `Debug`, so that no log can show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The API that it was stored for, and is only ever sent to.
    pub api_url: String,
    /// Its organization.
    pub org_id: Uuid,
    /// The organization's name.
    pub org_name: String,
    /// The key itself.
    pub key: String,
    /// What other versions keep here.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// `credentials.json`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// One for each organization of each API; none where another program wrote the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<Credential>>,
    /// What other versions keep here.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Credentials {
    /// The copy of our keys that no other program knows.
    const COPY: &'static str = "keys.json";

    /// One for each organization of each API.
    pub fn into_keys(self) -> Vec<Credential> {
        self.keys.unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn keys(&mut self) -> &mut Vec<Credential> {
        self.keys.get_or_insert_default()
    }

    /// Keeps `credential` instead of what was there for its organization.
    pub fn keep(&mut self, credential: Credential) {
        let keys = self.keys();
        keys.retain(|known| {
            (&known.api_url, known.org_id) != (&credential.api_url, credential.org_id)
        });
        keys.push(credential);
    }
}

/// A file that is kept between commands.
pub trait Kept: Default + Serialize + DeserializeOwned {
    /// Its name in the configuration directory.
    const NAME: &'static str;

    /// What counts where the file is not there.
    fn absent(directory: &Path) -> Self;

    /// Puts back what another program has dropped.
    fn restore(&mut self, _directory: &Path) {}

    /// What to keep in another file as well: its name, and what is in it.
    fn copy(&self) -> Option<(&'static str, Self)> {
        None
    }
}

impl Kept for Config {
    const NAME: &'static str = "config.json";

    fn absent(directory: &Path) -> Self {
        official::config(directory)
    }
}

impl Kept for Credentials {
    const NAME: &'static str = "credentials.json";

    fn absent(_: &Path) -> Self {
        Self::default()
    }

    fn restore(&mut self, directory: &Path) {
        if self.keys.is_none() {
            // Without it there are none, as far as anybody can tell.
            let copy = files::read(&directory.join(Self::COPY), FILE_MAX);
            let copy = copy.ok().flatten();
            let copy: Option<Self> = copy.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            self.keys = copy.and_then(|copy| copy.keys);
        }
    }

    fn copy(&self) -> Option<(&'static str, Self)> {
        let copy = Self {
            keys: self.keys.clone(),
            rest: Map::new(),
        };
        Some((Self::COPY, copy))
    }
}

enum Trouble {
    Unreadable(std::io::Error),
    Damaged(String),
}

fn load_or_trouble<T: Kept>(directory: &Path, path: &Path) -> Result<T, Trouble> {
    let mut value: T = read_or_trouble(directory, path)?;
    value.restore(directory);
    Ok(value)
}

fn read_or_trouble<T: Kept>(directory: &Path, path: &Path) -> Result<T, Trouble> {
    let bytes = match files::read(path, FILE_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(T::absent(directory)),
        Err(error) => return Err(Trouble::Unreadable(error)),
    };
    if bytes.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    // serde's own message may quote what it found, which may be a key: place and kind only.
    serde_json::from_slice(&bytes).map_err(|e| {
        let what = if e.is_data() {
            "a field has a value of the wrong kind"
        } else {
            "it is not JSON"
        };
        Trouble::Damaged(format!("{what} (line {}, column {})", e.line(), e.column()))
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Usage,
        format!("Can't read {}: {error}", path.display()),
    )
    .of_this_machine()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Refused,
        format!(
            "Can't write {}: {error}\n  PAKYAS_CONFIG_DIR names another directory; without one, \
             PAKYAS_API_KEY and PAKYAS_PROJECT say what would be kept there",
            path.display()
        ),
    )
}

/// Reads the file of that kind in `directory`; the default where there is none.
///
/// # Errors
/// [`Kind::Usage`], naming the file, where it can't be read or is damaged. It is left as it is.
pub fn load<T: Kept>(directory: &Path) -> Result<T, Error> {
    let path = directory.join(T::NAME);
    load_or_trouble(directory, &path).map_err(|trouble| match trouble {
        Trouble::Unreadable(error) => unreadable(&path, &error),
        Trouble::Damaged(why) => Error::new(
            Kind::Usage,
            format!(
                "The file {path} is damaged: {why}. Mend it, or log in again, which sets it aside: \
                 pakyas login --api-key KEY --api-url URL",
                path = path.display()
            ),
        )
        .of_this_machine(),
    })
}

/// Changes the file of that kind in `directory` while no other pakyas does. A damaged one is
/// set aside first, and the name that it got is returned.
///
/// # Errors
/// [`Kind::Refused`], naming the file, where it can't be written; it is then unchanged.
pub fn update<T: Kept>(
    directory: &Path,
    change: impl FnOnce(&mut T),
) -> Result<Option<PathBuf>, Error> {
    let path = directory.join(T::NAME);
    let refuse = |error: std::io::Error| unwritable(&path, &error);
    let _turn = files::turn(directory, PATIENCE).map_err(refuse)?;
    let (mut value, aside) = match load_or_trouble::<T>(directory, &path) {
        Ok(value) => (value, None),
        Err(Trouble::Damaged(_)) => {
            let aside = files::set_aside(&path).map_err(refuse)?;
            (T::default(), Some(aside))
        }
        Err(Trouble::Unreadable(error)) => return Err(unreadable(&path, &error)),
    };
    change(&mut value);
    write(&path, &value).map_err(refuse)?;
    if let Some((name, copy)) = value.copy() {
        write(&directory.join(name), &copy).map_err(refuse)?;
    }
    Ok(aside)
}

fn write<T: Serialize>(path: &Path, value: &T) -> std::io::Result<()> {
    let text = serde_json::to_string(value)?;
    files::write(path, indented(&text).as_bytes(), files::Worth::Kept)
}

/// Takes from others the right to read the keys in `directory`, and says so where they had it:
/// a file that was copied or restored has the mode that the copy gave it. `None` where all is
/// well.
pub fn guard_keys(directory: &Path) -> Option<String> {
    let told = [Credentials::NAME, Credentials::COPY].map(|name| guard(&directory.join(name)));
    told.into_iter().flatten().next()
}

fn guard(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    if mode & 0o077 == 0 {
        return None;
    }
    let shown = path.display();
    Some(
        match fs::set_permissions(path, Permissions::from_mode(0o600)) {
            Ok(()) => format!(
                "The keys in {shown} could be read by others; now only you can. \
                 If somebody may have: make a new key, and pakyas login --api-key KEY"
            ),
            Err(error) => format!(
                "The keys in {shown} can be read by others, and that can't be changed ({error}). \
                 Do it as its owner: chmod 600 {shown}"
            ),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn directory() -> PathBuf {
        let name = format!("pakyas-config-{}", crate::random::uuid().unwrap());
        let path = std::env::temp_dir().join(name);
        files::create_directory(&path).unwrap();
        path
    }

    #[test]
    fn fields_of_other_versions_survive_a_change() {
        let directory = directory();
        let path = directory.join(Config::NAME);
        std::fs::write(&path, r#"{"api_url":"http://a","colour":{"up":"green"}}"#).unwrap();
        update::<Config>(&directory, |config| config.org_name = Some("B".into())).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["colour"]["up"], "green");
        assert_eq!(value["api_url"], "http://a");
        assert_eq!(value["org_name"], "B");
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_damaged_file_is_named_and_kept_aside_when_it_is_replaced() {
        let directory = directory();
        let path = directory.join(Credentials::NAME);
        std::fs::write(&path, r#"{"keys": [{"key": "pk_live_secret""#).unwrap();
        let Err(error) = load::<Credentials>(&directory) else {
            panic!("taken");
        };
        assert!(error.to_string().contains("credentials.json"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        let aside = update::<Credentials>(&directory, |_| {}).unwrap().unwrap();
        let kept = std::fs::read_to_string(aside).unwrap();
        assert!(kept.contains("pk_live_secret"));
        assert!(load::<Credentials>(&directory).is_ok());
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let directory = directory();
        std::thread::scope(|scope| {
            for number in 0..16_u128 {
                let directory = &directory;
                scope.spawn(move || {
                    update::<Credentials>(directory, |credentials| {
                        credentials.keep(Credential {
                            api_url: "http://a".into(),
                            org_id: Uuid::from_u128(number),
                            org_name: "x".into(),
                            key: "k".into(),
                            rest: Map::new(),
                        });
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(
            load::<Credentials>(&directory)
                .unwrap_or_default()
                .into_keys()
                .len(),
            16
        );
        std::fs::remove_dir_all(directory).unwrap();
    }

    proptest! {
        #[test]
        fn no_content_makes_it_panic_or_shows_in_the_error(text in "\\PC{0,60}") {
            let directory = directory();
            std::fs::write(directory.join(Config::NAME), format!("{{\"org_id\":{text:?}}}")).unwrap();
            if let Err(error) = load::<Config>(&directory) {
                prop_assert!(text.len() < 8 || !error.to_string().contains(&text));
            }
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
}
