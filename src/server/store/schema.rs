//! The tables and how an older database is brought to them, one numbered step after another.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// The steps, oldest first. A step that has shipped is never edited: a change is a new one.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0005-alerts.sql"),
];

/// Brings the database behind `connection` to the newest schema; each step in a transaction
/// of its own.
///
/// # Errors
/// [`StoreError::Newer`] where a newer pakyas-server has written it; else as SQLite says.
pub fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let newest = MIGRATIONS.len();
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: usize = transaction.pragma_query_value(None, "user_version", |row| {
            row.get::<_, u32>(0).map(|version| version as usize)
        })?;
        if version > newest {
            return Err(StoreError::Newer {
                found: version,
                newest,
            });
        }
        let Some(step) = MIGRATIONS.get(version) else {
            return Ok(());
        };
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version as u32 + 1)?;
        transaction.commit()?;
    }
}
