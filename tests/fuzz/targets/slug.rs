//! Slugs: what a name suggests is a slug, and suggests itself.

use pakyas::wire::check::{is_slug, slug_from_name};

pub fn target(bytes: &[u8]) {
    let Ok(name) = std::str::from_utf8(bytes) else {
        return;
    };
    let slug = slug_from_name(name);
    assert!(slug.is_empty() || is_slug(&slug), "{slug}");
    assert_eq!(slug_from_name(&slug), slug);
    let is_plain = |c: char| c.is_ascii_alphanumeric();
    assert!(!slug.is_empty() || !name.contains(is_plain), "{name}");
    if is_slug(name) {
        // In a path and in a shell it needs no escape.
        assert!(name.len() <= 100 && !name.contains(['/', '%', ' ', '.']));
    }
}
