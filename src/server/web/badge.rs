//! Badges: small pictures that say how a check, a tag or a project is, for whoever has the
//! address. What an address holds is signed, so it gives away neither ids nor other badges.

use ring::hmac;
use ureq_proto::http::{StatusCode, header};
use uuid::Uuid;

use crate::server::api::App;
use crate::server::hash;
use crate::server::http::{Request, Response};
use crate::server::store::overview::{self, Glance};
use crate::server::store::publications::{self, Badges};
use crate::server::store::{Store, StoreError};
use crate::wire::Status;

/// The longest label, characters; what is longer ends in an ellipsis.
const LABEL_MAX: usize = 40;

/// The widths of the characters from space to tilde in DejaVu Sans (as wide as Verdana) at 11 px,
/// tenths of a pixel. Measured in Chromium.
const WIDTHS: [u16; 95] = [
    35, 44, 51, 92, 70, 105, 86, 30, 43, 43, 55, 92, 35, 40, 35, 37, 70, 70, 70, 70, 70, 70, 70,
    70, 70, 70, 37, 37, 92, 92, 92, 58, 110, 75, 75, 77, 85, 70, 63, 85, 83, 32, 32, 72, 61, 95,
    82, 87, 66, 87, 76, 70, 67, 81, 75, 109, 75, 67, 75, 43, 37, 43, 92, 55, 55, 67, 70, 60, 70,
    68, 39, 70, 70, 31, 31, 64, 31, 107, 70, 67, 70, 70, 45, 57, 43, 70, 65, 90, 65, 65, 58, 70,
    37, 70, 92,
];

/// The same for all other characters: as wide as the widest of them.
const WIDTH: u16 = 110;

/// What a badge is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    /// All checks of the project.
    Project,
    /// The checks of the project that have this tag.
    Tag(&'a str),
    /// One check.
    Check(Uuid),
}

/// What the address of a badge holds: what finds the project, and what only we can make.
pub(super) fn token(badges: &Badges, subject: Subject<'_>) -> String {
    format!("{}{:032x}", badges.prefix, tag(badges, subject))
}

/// The half of an HMAC is as hard to guess, and makes a shorter address.
fn tag(badges: &Badges, subject: Subject<'_>) -> u128 {
    let text = match subject {
        Subject::Project => "project".to_owned(),
        Subject::Tag(tag) => format!("tag:{tag}"),
        Subject::Check(id) => format!("check:{id}"),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, &badges.secret);
    let signed = hmac::sign(&key, text.as_bytes());
    let half = signed.as_ref().first_chunk().copied().unwrap_or_default();
    u128::from_be_bytes(half)
}

/// How many of a token's characters find the project.
const PREFIX: usize = 16;

/// What a badge says: of what, and what it is.
struct Badge {
    label: String,
    status: Status,
}

/// The badge of that name, as a picture (`.svg`) or for services that draw their own (`.json`);
/// none where there is none.
pub(super) fn answer(
    app: &App,
    request: &Request,
    name: &str,
) -> Result<Option<Response>, StoreError> {
    let Some((token, format)) = name.rsplit_once('.') else {
        return Ok(None);
    };
    let (kind, draw): (_, fn(&str, Status) -> String) = match format {
        "svg" => ("image/svg+xml; charset=utf-8", svg),
        "json" => ("application/json", json),
        _ => return Ok(None),
    };
    let Some(badge) = find(&app.store, token)? else {
        return Ok(None);
    };
    let body = draw(&badge.label, badge.status);
    let tag = etag(&body);
    let known = request.header(header::IF_NONE_MATCH.as_str());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let (status, body) = if is_known {
        (StatusCode::NOT_MODIFIED, Vec::new())
    } else {
        (StatusCode::OK, body.into_bytes())
    };
    Ok(Some(Response {
        status,
        headers: vec![
            ("content-type", kind.to_owned()),
            // To be asked for again each time, which costs little where nothing has changed.
            ("cache-control", "no-cache, max-age=0".to_owned()),
            ("etag", tag),
            ("content-security-policy", "default-src 'none'".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("x-robots-tag", "noindex".to_owned()),
        ],
        body,
    }))
}

fn etag(body: &str) -> String {
    format!("\"{}\"", &hash::sha256(body.as_bytes())[..24])
}

fn find(store: &Store, token: &str) -> Result<Option<Badge>, StoreError> {
    let Some((prefix, signed)) = token.split_at_checked(PREFIX) else {
        return Ok(None);
    };
    let is_hex = signed.len() == 32 && signed.bytes().all(|b| b.is_ascii_hexdigit());
    let Some(signed) = u128::from_str_radix(signed, 16).ok().filter(|_| is_hex) else {
        return Ok(None);
    };
    store.read(|connection| {
        let Some(found) = publications::by_prefix(connection, prefix)? else {
            return Ok(None);
        };
        let Some(badges) = &found.publication.badges else {
            return Ok(None);
        };
        let is = |subject: Subject<'_>| tag(badges, subject) == signed;
        let checks = overview::glances(connection, found.org_id, Some(found.project_id))?;
        if is(Subject::Project) {
            return Ok(Some(Badge {
                label: found.name,
                status: worst(&checks),
            }));
        }
        if let Some(check) = checks.iter().find(|check| is(Subject::Check(check.id))) {
            return Ok(Some(Badge {
                label: check.name.clone(),
                status: check.status,
            }));
        }
        let tag = tags(&checks).into_iter().find(|tag| is(Subject::Tag(tag)));
        Ok(tag.map(|tag| Badge {
            status: worst(checks.iter().filter(|check| check.tags.contains(&tag))),
            label: tag,
        }))
    })
}

/// All tags of these checks, by name.
pub(super) fn tags(checks: &[Glance]) -> Vec<String> {
    let all: std::collections::BTreeSet<&String> =
        checks.iter().flat_map(|check| &check.tags).collect();
    all.into_iter().cloned().collect()
}

/// What several checks are together: as the worst of them. New where there is none.
pub(super) fn worst<'a>(checks: impl IntoIterator<Item = &'a Glance>) -> Status {
    const ORDER: [Status; 6] = [
        Status::Down,
        Status::Overrunning,
        Status::Late,
        Status::Up,
        Status::New,
        Status::Paused,
    ];
    let rank = |status| ORDER.iter().position(|&one| one == status);
    let all = checks.into_iter().map(|check| check.status);
    all.min_by_key(|&status| rank(status))
        .unwrap_or(Status::New)
}

/// Dark enough for white text.
fn colour(status: Status) -> &'static str {
    match status {
        Status::Up => "#1c6b3a",
        Status::Late => "#8a5200",
        Status::Down | Status::Overrunning => "#a3211b",
        Status::New | Status::Paused => "#5d6167",
    }
}

/// For shields.io and whoever else draws from its schema.
fn json(label: &str, status: Status) -> String {
    serde_json::json!({
        "schemaVersion": 1, "label": label, "message": status.as_str(),
        "color": colour(status), "isError": matches!(status, Status::Down | Status::Overrunning),
    })
    .to_string()
}

/// The picture. `textLength` holds the text to the widths that the boxes were made for, whichever
/// font the reader has.
pub(super) fn svg(label: &str, status: Status) -> String {
    let label = short(label);
    let (text, status) = (status.as_str(), colour(status));
    let (left, right) = (width(&label), width(text));
    let (box_left, box_right) = (left + 12, right + 12);
    let whole = box_left + box_right;
    let label = escape(&label);
    let at = box_left + 6;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" \
         aria-label=\"{label}: {text}\"><title>{label}: {text}</title>\
         <rect width=\"{whole}\" height=\"20\" rx=\"3\" fill=\"{status}\"/>\
         <path d=\"M3 0H{box_left}V20H3A3 3 0 0 1 0 17V3A3 3 0 0 1 3 0Z\" fill=\"#3d4045\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,Geneva,sans-serif\" font-size=\"11\">\
         <text x=\"6\" y=\"14\" textLength=\"{left}\">{label}</text>\
         <text x=\"{at}\" y=\"14\" textLength=\"{right}\">{text}</text></g></svg>"
    )
}

/// The label without what no picture shows, and no longer than it may be.
fn short(label: &str) -> String {
    let clean: String = label
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.chars().count() <= LABEL_MAX {
        return clean;
    }
    let start: String = clean.chars().take(LABEL_MAX - 1).collect();
    format!("{}…", start.trim_end())
}

/// Whole pixels.
fn width(text: &str) -> u32 {
    let of = |c: char| {
        let place = usize::try_from(u32::from(c)).ok()?.checked_sub(32)?;
        WIDTHS.get(place).copied()
    };
    let tenths: u32 = text
        .chars()
        .map(|c| u32::from(of(c).unwrap_or(WIDTH)))
        .sum();
    tenths.div_ceil(10)
}

fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            // XML 1.0 has no escape for these (section 2.2).
            '\u{fffe}' | '\u{ffff}' => '\u{fffd}'.to_string(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boxes_are_as_wide_as_their_texts() {
        assert_eq!(width("up"), 14);
        let svg = svg("il", Status::Up);
        // 6.2 and 14 pixels, and 6 on each side of both.
        assert!(svg.contains("width=\"45\" height=\"20\""), "{svg}");
        assert!(svg.contains("<text x=\"6\" y=\"14\" textLength=\"7\">il</text>"));
    }

    #[test]
    fn a_label_stays_text_and_short() {
        let svg = svg("</text><script>alert(1)</script>\"\u{1b}", Status::Down);
        assert!(!svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
        assert!(short(&"x".repeat(100)).chars().count() == LABEL_MAX);
    }

    #[test]
    fn a_token_is_good_for_its_badge_only() {
        let badges = |secret| Badges {
            prefix: "0123456789abcdef".to_owned(),
            secret: [secret; 32],
        };
        let one = token(&badges(1), Subject::Project);
        assert_eq!(one.len(), 48);
        assert_ne!(one, token(&badges(2), Subject::Project));
        assert_ne!(one, token(&badges(1), Subject::Tag("project")));
        let id = Uuid::nil();
        let check = token(&badges(1), Subject::Check(id));
        assert_ne!(
            check,
            token(&badges(1), Subject::Tag(&format!("check:{id}")))
        );
    }
}
