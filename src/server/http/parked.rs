//! The connections that no thread is held by, and what they weigh.

use std::collections::BTreeMap;

use super::connection::Connection;

/// The connections that nobody works on until something comes from them, or goes to them.
#[derive(Default)]
pub(super) struct Parked {
    /// In the order in which they were parked.
    pub connections: BTreeMap<u64, Connection>,
    /// What they weigh together.
    pub weight: usize,
}

impl Parked {
    pub fn insert(&mut self, token: u64, connection: Connection) {
        self.weight += connection.weight();
        self.connections.insert(token, connection);
    }

    pub fn remove(&mut self, token: u64) -> Option<Connection> {
        let connection = self.connections.remove(&token)?;
        self.weight -= connection.weight();
        Some(connection)
    }

    /// Removes those for which `condition` holds.
    pub fn remove_where(&mut self, condition: impl Fn(&Connection) -> bool) -> Vec<Connection> {
        let tokens: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, connection)| condition(connection))
            .map(|(&token, _)| token)
            .collect();
        let removed = tokens.into_iter().filter_map(|token| self.remove(token));
        removed.collect()
    }
}
