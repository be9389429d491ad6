//! Values of flags and of the environment, checked one by one. Knows no flag's meaning.

use std::env;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// An environment variable without the white space and the line end around it, which a Kubernetes
/// secret made with `echo` has; an empty one is as good as none.
pub(super) fn setting(name: &str) -> Option<String> {
    let value = env::var(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The value, or none and its error among what is wrong.
pub(super) fn noted<T>(value: Result<T, String>, wrong: &mut Vec<String>) -> Option<T> {
    value.map_err(|sentence| wrong.push(sentence)).ok()
}

/// Where everything is kept: the flag, else the environment, else the default.
pub(super) fn data_dir(flag: Option<PathBuf>) -> Result<PathBuf, String> {
    // An unset variable in a unit file must not begin an empty server somewhere.
    if flag
        .as_ref()
        .is_some_and(|path| path.as_os_str().is_empty())
    {
        return Err("--data-dir is empty; name a directory".to_owned());
    }
    flag.or_else(|| setting("PAKYAS_SERVER_DATA_DIR").map(PathBuf::from))
        .map_or_else(default_data_dir, Ok)
}

fn default_data_dir() -> Result<PathBuf, String> {
    if crate::sys::is_root() {
        return Ok(PathBuf::from("/var/lib/pakyas"));
    }
    let absolute = |name| {
        setting(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("pakyas"))
        .ok_or_else(|| "there is no home directory to keep data in; give --data-dir".to_owned())
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| {
            format!(
                "'{text}' is no address to listen on; write it like 127.0.0.1:8080 or [::]:8080"
            )
        })
}

pub(super) fn public_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains([' ', '?', '#']) => Ok(url.to_owned()),
        _ => Err(format!(
            "'{text}' is no URL for clients; write it like https://pakyas.example.com"
        )),
    }
}

/// Whether a command's result is wanted as JSON.
pub(super) fn is_json(format: &str) -> Result<bool, String> {
    match format {
        "text" => Ok(false),
        "json" => Ok(true),
        other => Err(format!("--format is text or json, not '{other}'")),
    }
}

pub(super) fn name(flag: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        1..=100 if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(format!("{flag} must be a name of 1 to 100 characters")),
    }
}

pub(super) fn email(text: &str) -> Result<String, String> {
    match text.split_once('@') {
        Some((user, host))
            if !user.is_empty()
                && !host.is_empty()
                && text.len() <= 254
                && !text.contains(char::is_whitespace) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!("'{text}' is no email address")),
    }
}
