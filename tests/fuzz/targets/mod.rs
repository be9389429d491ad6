//! What is fuzzed: for each place that reads bytes from outside, a function that feeds it any
//! bytes and panics where what comes out contradicts itself. `make fuzz` looks for such bytes,
//! tests/corpus.rs tries those that are known.

mod cron;
mod duration;
mod files;
mod http;
mod json;
mod ping;
mod proxies;
mod slug;

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in the corpus.
pub const ALL: [(&str, Target); 11] = [
    ("answers", json::answers),
    ("certificate", files::certificate),
    ("config", files::config),
    ("cron", cron::target),
    ("duration", duration::target),
    ("http", http::target),
    ("ping", ping::target),
    ("proxies", proxies::target),
    ("requests", json::requests),
    ("slug", slug::target),
    ("spool", files::spool),
];

/// The target of that name.
#[allow(dead_code, reason = "the fuzzer's")]
pub fn named(name: &str) -> Option<Target> {
    ALL.into_iter()
        .find_map(|(known, target)| (known == name).then_some(target))
}
