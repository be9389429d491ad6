//! JSON: what the server is sent and what the client is answered. What is taken is written and
//! read again as the same, and a check that is taken keeps the limits of API.md.

use pakyas::schedule::MAX_SECONDS;
use pakyas::server::api::fuzz;
use pakyas::wire::{self, account, check, history, maintenance, ping};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn again<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&value).unwrap();
        let back: T = serde_json::from_slice(&written)
            .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&written)));
        assert_eq!(serde_json::to_vec(&back).unwrap(), written);
    }
}

/// Bodies of requests to the management API.
pub fn requests(bytes: &[u8]) {
    again::<check::NewCheck>(bytes);
    again::<check::CheckChange>(bytes);
    again::<maintenance::NewMaintenance>(bytes);
    again::<account::NewApiKey>(bytes);
    again::<wire::NewProject>(bytes);
    again::<wire::ProjectChange>(bytes);
    again::<wire::NewChannel>(bytes);
    again::<wire::ChannelChange>(bytes);
    match fuzz::check(bytes) {
        Ok(check) => {
            let most = i64::try_from(MAX_SECONDS).unwrap();
            assert!(check::is_slug(&check.slug));
            assert!((0..=most).contains(&check.period) && (0..=most).contains(&check.grace));
            assert!(check.period > 0 || check.cron.is_some());
            assert!((1..=100).contains(&check.miss_threshold));
            assert!((1..=100).contains(&check.fail_threshold));
            assert!(!check.name.trim().is_empty());
        }
        Err(why) => assert!(!why.is_empty() && why.len() < 4_000, "{why}"),
    }
}

/// Answers of a server that may be of another version, or none of ours.
pub fn answers(bytes: &[u8]) {
    again::<wire::ErrorBody>(bytes);
    again::<wire::Me>(bytes);
    again::<Vec<wire::Organization>>(bytes);
    again::<Vec<wire::Project>>(bytes);
    again::<Vec<check::Check>>(bytes);
    again::<ping::PingList>(bytes);
    again::<Vec<wire::Channel>>(bytes);
    again::<wire::DeliveryList>(bytes);
    again::<history::EventPage>(bytes);
    again::<history::Inspection>(bytes);
    again::<history::Diagnosis>(bytes);
    again::<account::ApiKeyList>(bytes);
    again::<account::SignedIn>(bytes);
}
