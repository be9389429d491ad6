//! Values that the definitions list (`table|json|ndjson`), and files.

use std::fs;

use super::{MOST, Offer};

/// The values that an argument of that name takes: the words of `a|b`, of which those in
/// capitals stand for anything. `FILE` and `file:PATH` are files.
pub(super) fn listed(name: &str, current: &str) -> Vec<Offer> {
    let mut offers = Vec::new();
    for value in name.split('|') {
        match value {
            "FILE" => offers.extend(files("", current)),
            "file:PATH" => match current.strip_prefix("file:") {
                Some(path) => offers.extend(files("file:", path)),
                None => offers.push(Offer::new("file:", "read it from a file")),
            },
            _ if is_word(value) && name.contains('|') => offers.push(Offer::new(value, "")),
            _ => {}
        }
    }
    offers
}

fn is_word(value: &str) -> bool {
    let first = value.bytes().next();
    first.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The files that `typed` may become, with a slash after a directory's name.
fn files(prefix: &str, typed: &str) -> Vec<Offer> {
    let (directory, name) = match typed.rfind('/') {
        Some(slash) => typed.split_at(slash + 1),
        None => ("", typed),
    };
    let place = if directory.is_empty() { "." } else { directory };
    let Ok(entries) = fs::read_dir(place) else {
        return Vec::new();
    };
    let mut offers: Vec<Offer> = entries
        .take(10 * MOST)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let found = entry.file_name().into_string().ok()?;
            if !found.starts_with(name) || (found.starts_with('.') && !name.starts_with('.')) {
                return None;
            }
            let is_directory = fs::metadata(entry.path()).is_ok_and(|m| m.is_dir());
            let end = if is_directory { "/" } else { "" };
            Some(Offer::new(format!("{prefix}{directory}{found}{end}"), ""))
        })
        .collect();
    offers.sort_by(|a, b| a.word.cmp(&b.word));
    offers
}
