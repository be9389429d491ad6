//! What stands above the checks of a page: that nobody hears of them, that a channel fails, and
//! which maintenance is on.

use rusqlite::Connection;
use uuid::Uuid;

use super::moment::Moment;
use crate::server::engine::Millis;
use crate::server::store::channels::{self, hears, is_for};
use crate::server::store::overview::Glance;
use crate::server::store::{StoreError, maintenance};
use crate::wire::{Channel, Maintenance};

/// How many windows and how many failing channels are named.
const NAMED: usize = 3;

/// A maintenance window that is on.
pub(super) struct Window {
    pub reason: String,
    pub about: String,
    pub ends: Moment,
}

/// A channel that has not got through for a while, or was switched off for what its target
/// answered.
pub(super) struct Failing {
    pub id: Uuid,
    pub name: String,
    pub since: Option<Moment>,
    /// Why it is off, where nobody switched it off.
    pub off: Option<String>,
}

impl Failing {
    /// Where the channel is one.
    pub fn of(channel: &Channel, now: Millis) -> Option<Self> {
        let off = channel.disabled_reason.clone().filter(|_| !channel.enabled);
        let since = channel.failing_since.filter(|_| channel.enabled);
        (off.is_some() || since.is_some()).then(|| Self {
            id: channel.id,
            name: channel.name.clone(),
            since: since.map(|at| Moment::new(at.as_millisecond(), now)),
            off,
        })
    }
}

/// What there is to say of the checks of a page.
pub(super) struct Notices {
    /// Of which of them nobody hears.
    pub unheard: Option<String>,
    pub failing: Vec<Failing>,
    pub windows: Vec<Window>,
    pub more_windows: usize,
    /// All windows that are on.
    on: Vec<Maintenance>,
}

impl Notices {
    /// About all these checks of the organization's.
    pub fn read(
        connection: &Connection,
        org_id: Uuid,
        checks: &[Glance],
        now: Millis,
    ) -> Result<Self, StoreError> {
        let channels = channels::list(connection, org_id)?;
        let concerns = |channel: &&Channel| {
            let mut checks = checks.iter();
            checks.any(|check| is_for(channel, check.project_id, check.id))
        };
        let mut on = maintenance::list(connection, org_id, now)?;
        on.retain(|window| {
            (window.starts_at.as_millisecond()..window.ends_at.as_millisecond()).contains(&now)
                && checks.iter().any(|check| covers(window, check))
        });
        Ok(Self {
            unheard: unheard(&channels, checks),
            failing: channels
                .iter()
                .filter(concerns)
                .filter_map(|channel| Failing::of(channel, now))
                .take(NAMED)
                .collect(),
            windows: on
                .iter()
                .take(NAMED)
                .map(|window| Window {
                    reason: window.reason.clone(),
                    about: about(window, checks),
                    ends: Moment::new(window.ends_at.as_millisecond(), now),
                })
                .collect(),
            more_windows: on.len().saturating_sub(NAMED),
            on,
        })
    }

    /// Whether alerts about the check are held, and not those about all checks.
    pub fn singles_out(&self, check: &Glance) -> bool {
        let is_for_all =
            |window: &Maintenance| window.project_id.is_none() && window.check_id.is_none();
        !self.on.iter().any(is_for_all) && self.on.iter().any(|window| covers(window, check))
    }
}

fn hears_of(channel: &Channel, check: &Glance) -> bool {
    hears(channel, check.project_id, check.id)
}

fn unheard(channels: &[Channel], checks: &[Glance]) -> Option<String> {
    let heard = |check: &&Glance| channels.iter().any(|channel| hears_of(channel, check));
    let total = checks.len();
    match total - checks.iter().filter(heard).count() {
        0 => None,
        all if all == total => Some("No channel: nobody hears of these checks.".to_owned()),
        1 => {
            let one = checks.iter().find(|check| !heard(check));
            let name = one.map_or("", |check| &check.name);
            Some(format!("No channel hears of {name}."))
        }
        some => Some(format!(
            "No channel hears of {some} of these {total} checks."
        )),
    }
}

fn covers(window: &Maintenance, check: &Glance) -> bool {
    window.project_id.is_none_or(|id| id == check.project_id)
        && window.check_id.is_none_or(|id| id == check.id)
}

/// What the window is for, in words.
fn about(window: &Maintenance, checks: &[Glance]) -> String {
    let one = checks.iter().find(|check| covers(window, check));
    match (window.check_id, window.project_id, one) {
        (Some(_), _, Some(check)) => check.name.clone(),
        (None, Some(_), Some(check)) => format!("project {}", check.project),
        _ => "all checks".to_owned(),
    }
}
