//! What holds for this command: flags, environment and files, the strongest first.
//!
//! Reads files, touches no network. What is wrong with a file surfaces only where the value
//! that it should give is needed: with all in the environment, no file matters.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use uuid::Uuid;

use super::address::base_url;
use super::args::Globals;
use super::config::{self, ChosenProject, Config, Credential, Credentials, Kept};
use super::error::{Error, Kind};
use super::render::Format;
use crate::secret::Secret;
use crate::wire;

/// Which project is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// None was chosen.
    None,
    /// The one with that id; the name only where it is known.
    Id(Uuid, Option<String>),
    /// The one with that name or slug, in any case.
    Named(String),
}

/// Where a key came from, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// `PAKYAS_API_KEY`.
    Environment,
    /// `credentials.json`.
    Stored,
    /// `login --api-key`.
    CommandLine,
}

/// A key, and for which organization it shall be used.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key itself.
    pub secret: Secret,
    /// Where it came from.
    pub source: KeySource,
    /// The organization to say with each request, where one is known.
    pub org: Option<Uuid>,
    /// Its name, where that is known.
    pub org_name: Option<String>,
    /// An organization that was asked for by name, and whose id is not known yet.
    pub wanted_org: Option<String>,
}

/// The settings of one command.
pub struct Settings {
    globals: Globals,
    directory: Option<PathBuf>,
    config: Result<Config, Error>,
}

/// The variable's value, without white space and line ends around it, as a Kubernetes Secret made
/// with `echo` has one; an empty one counts as unset.
pub fn variable(name: &str) -> Option<String> {
    variable_os(name).map(|value| value.to_string_lossy().trim().to_owned())
}

fn variable_os(name: &str) -> Option<OsString> {
    let value = OsString::from_vec(std::env::var_os(name)?.as_bytes().trim_ascii().to_vec());
    Some(value).filter(|value| !value.is_empty())
}

/// A file of certificates to trust instead of the built-in ones.
pub fn ca_file() -> Option<OsString> {
    variable_os("PAKYAS_CA_FILE").or_else(|| variable_os("SSL_CERT_FILE"))
}

fn directory() -> Option<PathBuf> {
    match variable_os("PAKYAS_CONFIG_DIR") {
        Some(given) => Some(given.into()),
        None => Some(base_directory("XDG_CONFIG_HOME", ".config")?.join("pakyas")),
    }
}

/// Where pings are kept that could not be delivered yet; `None` on a machine without a home.
pub fn spool_directory() -> Option<PathBuf> {
    match variable_os("PAKYAS_SPOOL_DIR") {
        Some(given) => Some(given.into()),
        None => Some(base_directory("XDG_STATE_HOME", ".local/state")?.join("pakyas/spool")),
    }
}

/// The directory that `variable` names, else the one in the home. Relative paths are ignored,
/// as the XDG base directory specification has it.
fn base_directory(variable: &str, in_home: &str) -> Option<PathBuf> {
    let absolute = |name| {
        variable_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    // A home that is not there is not for us to make, not even where we could.
    let home = || absolute("HOME").filter(|home| home.is_dir());
    absolute(variable).or_else(|| Some(home()?.join(in_home)))
}

impl Settings {
    /// Reads environment and `config.json`.
    pub fn load(globals: &Globals) -> Self {
        let directory = directory();
        let config = match &directory {
            Some(directory) => config::load(directory),
            None => Ok(Config::default()),
        };
        Self {
            globals: globals.clone(),
            directory,
            config,
        }
    }

    /// The flags as typed.
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// Where files are kept; `None` on a machine without a home.
    pub fn directory(&self) -> Option<&PathBuf> {
        self.directory.as_ref()
    }

    /// Where files are to be written.
    ///
    /// # Errors
    /// [`Kind::Refused`] on a machine without a home.
    pub fn directory_to_write(&self) -> Result<&PathBuf, Error> {
        self.directory.as_ref().ok_or_else(|| {
            Error::new(
                Kind::Refused,
                "There is no place to keep this: set PAKYAS_CONFIG_DIR or HOME",
            )
        })
    }

    /// `config.json` as it was read.
    ///
    /// # Errors
    /// As [`config::load`].
    pub fn config(&self) -> Result<&Config, Error> {
        self.config.as_ref().map_err(Clone::clone)
    }

    /// The file that [`Settings::config`] was read from.
    fn config_name(&self) -> &'static str {
        let directory = self.directory.as_ref();
        match directory.is_some_and(|path| !path.join(Config::NAME).exists()) {
            true => "config.toml",
            false => Config::NAME,
        }
    }

    /// The API's address, without a slash at its end.
    ///
    /// # Errors
    /// [`Kind::Usage`] where what is set is not an address, or `config.json` is damaged.
    pub fn api_url(&self) -> Result<String, Error> {
        match self.given(&self.globals.api_url, "--api-url", "PAKYAS_API_URL") {
            Some((text, from)) => server(&text, from),
            None => match &self.config()?.api_url {
                Some(text) => server(text, self.config_name()),
                None => Ok(wire::DEFAULT_API_URL.to_owned()),
            },
        }
    }

    /// Where pings go, where that is known without asking.
    ///
    /// # Errors
    /// As [`Settings::api_url`].
    pub fn ping_url(&self) -> Result<Option<String>, Error> {
        if let Some((text, from)) =
            self.given(&self.globals.ping_url, "--ping-url", "PAKYAS_PING_URL")
        {
            return server(&text, from).map(Some);
        }
        let api_url = self.api_url()?;
        // The cloud's pings have one address whatever a file says of another server.
        let own = self.config_of(&api_url)?;
        match own.and_then(|config| config.ping_url.as_ref()) {
            Some(text) => server(text, self.config_name()).map(Some),
            None if api_url == wire::DEFAULT_API_URL => Ok(Some(wire::DEFAULT_PING_URL.to_owned())),
            None => Ok(None),
        }
    }

    /// Which project is meant.
    ///
    /// # Errors
    /// [`Kind::Usage`] where it is for `config.json` to say and that is damaged.
    pub fn project(&self) -> Result<Selection, Error> {
        if let Some((text, _)) = self.given(&self.globals.project, "--project", "PAKYAS_PROJECT") {
            return Ok(match Uuid::try_parse(&text) {
                Ok(id) => Selection::Id(id, None),
                Err(_) => Selection::Named(text),
            });
        }
        let chosen = self.chosen_project()?;
        Ok(chosen.map_or(Selection::None, |project| {
            Selection::Id(project.id, Some(project.name.clone()))
        }))
    }

    /// The project that `project switch` chose in the organization in use.
    fn chosen_project(&self) -> Result<Option<&ChosenProject>, Error> {
        let api_url = self.api_url()?;
        let Some(config) = self.config_of(&api_url)? else {
            return Ok(None);
        };
        let org = match self.asked_org() {
            Some(asked) => {
                let stored = self.stored_keys(&api_url)?;
                match Uuid::try_parse(&asked) {
                    Ok(id) => Some(id),
                    Err(_) => stored
                        .iter()
                        .find(|c| same_name(&c.org_name, &asked))
                        .map(|c| c.org_id),
                }
            }
            None => config.org_id,
        };
        Ok(org.and_then(|org| config.projects.get(&org)))
    }

    /// The organization that was asked for, for this command, by name or id.
    pub fn asked_org(&self) -> Option<String> {
        self.given(&self.globals.org, "--org", "PAKYAS_ORG")
            .map(|(text, _)| text)
    }

    /// The public id of the environment, as it stands there.
    pub fn public_id() -> Option<String> {
        variable("PAKYAS_PUBLIC_ID")
    }

    /// How results are shown.
    ///
    /// # Errors
    /// [`Kind::Usage`] where what is set is none of the three.
    pub fn format(&self) -> Result<Format, Error> {
        match self.given(&self.globals.format, "--format", "PAKYAS_FORMAT") {
            Some((text, "--format")) => Format::named(&text, "--format"),
            Some((text, from)) => Format::named(&text, from).map_err(Error::of_this_machine),
            // A damaged file is told by the command that needs something of it.
            None => match self.config.as_ref().ok().and_then(|c| c.format.as_ref()) {
                Some(text) => {
                    Format::named(text.trim(), self.config_name()).map_err(Error::of_this_machine)
                }
                None => Ok(Format::Table),
            },
        }
    }

    /// The key to use.
    ///
    /// # Errors
    /// [`Kind::NotLoggedIn`] where there is none for this API and organization;
    /// [`Kind::Usage`] where there are several and none is chosen, or a file can't be used.
    pub fn key(&self) -> Result<Key, Error> {
        let asked = self.asked_org();
        if let Some(text) = variable("PAKYAS_API_KEY").filter(|_| !self.globals.ignore_env) {
            let secret = kept_secret("PAKYAS_API_KEY", &text)?;
            let org = asked
                .as_deref()
                .and_then(|asked| Uuid::try_parse(asked).ok());
            let wanted_org = if org.is_none() { asked } else { None };
            return checked(Key {
                secret,
                source: KeySource::Environment,
                org,
                org_name: wanted_org.clone(),
                wanted_org,
            });
        }
        let api_url = self.api_url()?;
        let stored = self.stored_keys(&api_url)?;
        let active = self.config_of(&api_url)?.and_then(|config| config.org_id);
        let of_active = stored.iter().find(|c| Some(c.org_id) == active);
        let key = |c: &Credential, org, wanted_org| {
            checked(Key {
                secret: kept_secret("credentials.json", &c.key)?,
                source: KeySource::Stored,
                org: Some(org),
                org_name: match &wanted_org {
                    None if org == c.org_id => Some(c.org_name.clone()),
                    wanted => wanted.clone(),
                },
                wanted_org,
            })
        };
        if let Some(asked) = asked {
            let id = Uuid::try_parse(&asked).ok();
            let theirs = stored
                .iter()
                .find(|c| Some(c.org_id) == id || same_name(&c.org_name, &asked));
            return match (theirs, of_active.or(stored.first()), id) {
                (Some(theirs), _, _) => key(theirs, theirs.org_id, None),
                (None, Some(other), Some(id)) => key(other, id, None),
                (None, Some(other), None) => key(other, other.org_id, Some(asked)),
                (None, None, _) => Err(self.not_logged_in(&api_url)),
            };
        }
        match (of_active, active, stored.as_slice()) {
            (Some(c), _, _) => key(c, c.org_id, None),
            (None, None, [only]) => key(only, only.org_id, None),
            (None, _, []) => Err(self.not_logged_in(&api_url)),
            (None, _, several) => {
                let names: Vec<_> = several.iter().map(|c| c.org_name.as_str()).collect();
                Err(Error::new(
                    Kind::NotLoggedIn,
                    format!(
                        "Not logged in to the organization in use. There are keys for: {}\n  \
                         pakyas org switch NAME       use one of these\n  \
                         pakyas login --api-key KEY   log in to another",
                        names.join(", ")
                    ),
                )
                .of_this_machine())
            }
        }
    }

    /// That the addresses which were typed are some.
    ///
    /// # Errors
    /// [`Kind::Usage`], naming the flag.
    pub fn check_typed(&self) -> Result<(), Error> {
        let flags = [
            (&self.globals.api_url, "--api-url"),
            (&self.globals.ping_url, "--ping-url"),
        ];
        for (typed, flag) in flags {
            if let Some(text) = typed.as_deref().filter(|text| !text.trim().is_empty()) {
                base_url(text, flag)?;
            }
        }
        Ok(())
    }

    /// The keys that were stored for that API.
    ///
    /// # Errors
    /// As [`config::load`].
    pub fn stored_keys(&self, api_url: &str) -> Result<Vec<Credential>, Error> {
        let Some(directory) = &self.directory else {
            return Ok(Vec::new());
        };
        let mut keys = config::load::<Credentials>(directory)?.into_keys();
        keys.retain(|credential| credential.api_url == api_url);
        Ok(keys)
    }

    /// The configuration, where it is about that API.
    fn config_of(&self, api_url: &str) -> Result<Option<&Config>, Error> {
        let config = self.config()?;
        let about = config.api_url.as_deref().unwrap_or(wire::DEFAULT_API_URL);
        Ok((about == api_url).then_some(config))
    }

    /// The organization in use, where that is one of that API.
    pub fn in_use(&self, api_url: &str) -> Option<Uuid> {
        self.config_of(api_url).ok()??.org_id
    }

    fn not_logged_in(&self, api_url: &str) -> Error {
        let (to, flag) = if api_url == wire::DEFAULT_API_URL {
            Default::default()
        } else {
            (format!(" to {api_url}"), format!(" --api-url {api_url}"))
        };
        let mend = match self.directory {
            Some(_) => format!(". Run: pakyas login{flag} --api-key KEY (or set PAKYAS_API_KEY)"),
            None => {
                ": HOME is not set or not there, so no key is found; set HOME, PAKYAS_CONFIG_DIR \
                     or PAKYAS_API_KEY"
                    .to_owned()
            }
        };
        Error::new(Kind::NotLoggedIn, format!("Not logged in{to}{mend}"))
    }

    /// A value of the command line or the environment, and which of the two it is.
    fn given(
        &self,
        flag: &Option<String>,
        flag_name: &'static str,
        variable_name: &'static str,
    ) -> Option<(String, &'static str)> {
        match flag {
            Some(value) if !value.trim().is_empty() => Some((value.trim().to_owned(), flag_name)),
            _ => variable(variable_name).map(|value| (value, variable_name)),
        }
    }
}

/// Whether two names of organizations or projects mean the same: case does not matter.
pub fn same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// The address of a server that stands in a setting.
fn server(text: &str, from: &str) -> Result<String, Error> {
    base_url(text, from).map_err(Error::of_this_machine)
}

/// A key that this machine keeps, in the place called `from`.
fn kept_secret(from: &str, text: &str) -> Result<Secret, Error> {
    Secret::from_setting(from, text.trim()).map_err(|why| {
        Error::new(Kind::NotLoggedIn, format!("Not logged in: {why}")).of_this_machine()
    })
}

/// A key goes into a header, and into no log that would show why it did not fit there.
fn checked(key: Key) -> Result<Key, Error> {
    let text = key.secret.expose();
    if (1..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(key);
    }
    let what = match key.source {
        KeySource::Environment => "Not logged in: what stands in PAKYAS_API_KEY",
        KeySource::Stored => "Not logged in: what stands in credentials.json",
        KeySource::CommandLine => "What was given",
    };
    let error = Error::new(
        Kind::NotLoggedIn,
        format!(
            "{what} is not an API key, it is empty, too long or holds spaces. \
             Run: pakyas login --api-key KEY"
        ),
    );
    Err(match key.source {
        KeySource::Environment | KeySource::Stored => error.of_this_machine(),
        KeySource::CommandLine => error,
    })
}

/// A key as it was typed after `--api-key`, or as a server gave it.
///
/// # Errors
/// [`Kind::NotLoggedIn`] where it can't be one; the message does not show it.
pub fn typed_key(secret: Secret) -> Result<Key, Error> {
    // Kept, it would be read as the name of a file: no server may have us send one of ours.
    if secret.expose().starts_with("file:") {
        return Err(Error::new(
            Kind::NotLoggedIn,
            "Not logged in: what came as an API key is the name of a file. \
             Run: pakyas login --api-key KEY",
        ));
    }
    checked(Key {
        secret,
        source: KeySource::CommandLine,
        org: None,
        org_name: None,
        wanted_org: None,
    })
}
