//! Many alerts in one message, for people: how many of each kind, and the worst by name.

use std::collections::HashMap;

use ring::digest::{SHA256, digest};
use uuid::Uuid;

use crate::server::engine::Millis;
use crate::server::store::deliveries::Due;
use crate::wire::webhook::{Delivery, Event};

/// How many checks are named.
pub const NAMED: usize = 50;

/// Several alerts about one channel's checks.
#[derive(Debug)]
pub struct Digest {
    /// The same for the same alerts, so that a mail that was taken twice can be seen as one.
    pub id: Uuid,
    /// `12 down, 3 failed, 1 up again`.
    pub counts: String,
    /// How many checks it is about.
    pub checks: usize,
    /// The worst of them, each with its newest alert.
    pub named: Vec<Delivery>,
}

/// What each kind is called in a count, worst first.
const KINDS: [(Event, &str); 4] = [
    (Event::Down, "down"),
    (Event::Failed, "failed"),
    (Event::RunningLong, "running long"),
    (Event::Up, "up again"),
];

fn rank(event: &str) -> usize {
    let known = KINDS.iter().position(|(kind, _)| kind.as_str() == event);
    known.unwrap_or(KINDS.len())
}

/// What a digest of `due`, in their order, is to say: the newest alert of each check, worst
/// kind first, then longest ago first.
pub fn order(due: &[Due]) -> Vec<Due> {
    let mut newest: HashMap<i64, &Due> = HashMap::new();
    for delivery in due {
        newest.insert(delivery.check, delivery);
    }
    let mut order: Vec<Due> = newest.into_values().cloned().collect();
    order.sort_by_key(|due| (rank(&due.event), due.at, due.row));
    order
}

/// How many checks are what: `12 down, 3 up again`.
pub fn counts(order: &[Due]) -> String {
    let mut texts = Vec::new();
    for (kind, name) in KINDS {
        let count = order
            .iter()
            .filter(|due| due.event == kind.as_str())
            .count();
        if count > 0 {
            texts.push(format!("{count} {name}"));
        }
    }
    texts.join(", ")
}

/// An id that these alerts always have.
pub fn id(due: &[Due]) -> Uuid {
    let bytes: Vec<u8> = due.iter().flat_map(|due| *due.alert.as_bytes()).collect();
    let mut id = [0; 16];
    id.copy_from_slice(&digest(&SHA256, &bytes).as_ref()[..16]);
    Uuid::from_bytes(id)
}

impl Digest {
    /// One line that says it all.
    pub fn headline(&self) -> String {
        format!("{} checks: {}", self.checks, self.counts)
    }

    /// `and 950 more`, where not all are named.
    pub fn more(&self) -> Option<String> {
        let more = self.checks.saturating_sub(self.named.len());
        (more > 0).then(|| format!("and {more} more; pakyas check list shows all"))
    }
}

/// When an alert was triggered, for people.
pub fn since(delivery: &Delivery) -> String {
    super::message::utc(Millis::from(delivery.alert.triggered_at.as_millisecond()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::Status;
    use crate::wire::webhook::{Alert, CheckRef, NamedRef};

    /// A digest of so many checks that failed, whose names are as long as they may be.
    pub fn storm(checks: usize) -> Digest {
        let named = |name: String| NamedRef {
            id: Uuid::nil(),
            name,
        };
        let delivery = |number: usize| {
            let name = format!("{number:04} {}", "<é&>".repeat(23));
            Delivery {
                event: Event::Failed,
                alert: Alert {
                    id: Uuid::nil(),
                    kind: "failed".to_owned(),
                    message: format!("{name} failed with exit code 255, 100 times in a row"),
                    triggered_at: jiff::Timestamp::UNIX_EPOCH,
                    output: Some("an output".repeat(1000)),
                },
                check: CheckRef {
                    id: Uuid::nil(),
                    slug: format!("{number:04}"),
                    name: name.clone(),
                    status: Status::Down,
                    ping_url: String::new(),
                },
                project: named(name.clone()),
                organization: named(name),
                timestamp: jiff::Timestamp::UNIX_EPOCH,
            }
        };
        Digest {
            id: Uuid::nil(),
            counts: format!("{checks} failed"),
            checks,
            named: (0..checks.min(NAMED)).map(delivery).collect(),
        }
    }

    fn due(row: i64, check: i64, event: Event, at: Millis) -> Due {
        Due {
            row,
            check,
            alert: Uuid::from_u128(row.unsigned_abs().into()),
            event: event.as_str().to_owned(),
            at,
        }
    }

    #[test]
    fn each_check_is_told_once_by_its_newest_alert_and_the_worst_come_first() {
        let all = [
            due(1, 10, Event::Down, 5),
            due(2, 11, Event::Up, 1),
            due(3, 12, Event::Down, 2),
            due(4, 10, Event::Up, 9),
            due(5, 13, Event::RunningLong, 0),
            due(6, 14, Event::Failed, 0),
        ];
        let order = order(&all);
        let rows: Vec<_> = order.iter().map(|due| due.row).collect();
        assert_eq!(rows, [3, 6, 5, 2, 4]);
        assert_eq!(
            counts(&order),
            "1 down, 1 failed, 1 running long, 2 up again"
        );
    }

    #[test]
    fn the_same_alerts_have_the_same_id_and_others_another() {
        let one = [due(1, 1, Event::Down, 0), due(2, 2, Event::Down, 0)];
        assert_eq!(id(&one), id(&one));
        assert_ne!(id(&one), id(&one[..1]));
    }
}
