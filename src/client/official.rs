//! The official client's `config.toml`, which lives in the same directory: read where there is no
//! `config.json`, and never written.

use std::path::Path;

use uuid::Uuid;

use super::config::{ChosenProject, Config};
use super::files;
use super::render::Format;

/// Its name in the configuration directory.
const NAME: &str = "config.toml";

/// The largest that is read, bytes.
const FILE_MAX: u64 = 64 * 1024;

/// What it says, as ours would say it; what can't be understood is left out, because whoever
/// wrote it did not write it for us.
pub fn config(directory: &Path) -> Config {
    let bytes = files::read(&directory.join(NAME), FILE_MAX).ok().flatten();
    bytes.map_or_else(Config::default, |bytes| {
        understood(&String::from_utf8_lossy(&bytes))
    })
}

fn understood(text: &str) -> Config {
    let value = |wanted: &str| {
        text.lines()
            .map(str::trim)
            // What follows a heading belongs to that.
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim().trim_matches('"') == wanted)
            .and_then(|(_, value)| string(value.trim()))
            .filter(|value| !value.is_empty())
    };
    let id = |wanted| value(wanted).and_then(|text| Uuid::try_parse(&text).ok());
    let mut config = Config {
        api_url: value("api_url"),
        ping_url: value("ping_url"),
        org_id: id("active_org_id"),
        org_name: value("active_org_name"),
        format: value("format").filter(|name| Format::named(name, NAME).is_ok()),
        ..Config::default()
    };
    if let (Some(org), Some(id)) = (config.org_id, id("active_project_id")) {
        let name = value("active_project_name").unwrap_or_else(|| id.to_string());
        config.projects.insert(org, ChosenProject { id, name });
    }
    config
}

/// A string of TOML on one line, with what follows it ignored; none where it is something else.
fn string(text: &str) -> Option<String> {
    if let Some(literal) = text.strip_prefix('\'') {
        return literal.split_once('\'').map(|(text, _)| text.to_owned());
    }
    let mut letters = text.strip_prefix('"')?.chars();
    let mut read = String::new();
    loop {
        match letters.next()? {
            '"' => return Some(read),
            '\\' => read.push(escaped(&mut letters)?),
            letter => read.push(letter),
        }
    }
}

/// What follows a backslash.
fn escaped(letters: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match letters.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        same @ ('"' | '\\') => return Some(same),
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let hex: String = letters.take(digits).collect();
    u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_it_says_is_read_whatever_stands_around_it() {
        let config = understood(
            "# mine\n\
             api_url = \"https://pakyas.example.com\"  # ours\n\
             active_org_id=\"00000000-0000-0000-0000-00000000000a\"\n\
             active_org_name = 'The \"A\" Team'\n\
             active_project_id = \"00000000-0000-0000-0000-00000000000b\"\n\
             active_project_name = \"caf\\u00e9 \\\\ \\\"x\\\"\"\n\
             format = \"yaml\"\n\
             color = true\n\
             [other]\n\
             ping_url = \"https://elsewhere.example.com\"\n",
        );
        assert_eq!(
            config.api_url.as_deref(),
            Some("https://pakyas.example.com")
        );
        assert_eq!(config.ping_url, None);
        assert_eq!(config.org_name.as_deref(), Some("The \"A\" Team"));
        assert_eq!(config.format, None);
        let project = &config.projects[&Uuid::from_u128(10)];
        assert_eq!(project.id, Uuid::from_u128(11));
        assert_eq!(project.name, "café \\ \"x\"");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}", key in "(api_url|format) ?= ?[\"']?") {
            understood(&format!("{key}{text}"));
        }
    }
}
