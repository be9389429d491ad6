//! Values that the definitions list (`table|json|ndjson`), and files.

use std::fs;

use super::{MOST, Offer, Offers};

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
    let typed = format!("{prefix}{typed}");
    let mut offers = Offers::of(&typed);
    for entry in entries.take(10 * MOST).flatten() {
        let Ok(found) = entry.file_name().into_string() else {
            continue;
        };
        if !found.starts_with(name) || (found.starts_with('.') && !name.starts_with('.')) {
            continue;
        }
        let is_directory = fs::metadata(entry.path()).is_ok_and(|m| m.is_dir());
        let end = if is_directory { "/" } else { "" };
        offers.add(&format!("{prefix}{directory}{found}{end}"), "");
    }
    offers.found
}
