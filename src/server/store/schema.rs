//! The tables and how an older database is brought to them, one numbered step after another.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// The steps, oldest first. A step that has shipped is never edited: a change is a new one.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002-schedules.sql"),
    include_str!("migrations/0003-accounts.sql"),
    include_str!("migrations/0004-history.sql"),
    include_str!("migrations/0005-alerts.sql"),
    include_str!("migrations/0006-status-pages.sql"),
    include_str!("migrations/0007-session-places.sql"),
    include_str!("migrations/0008-afresh.sql"),
    include_str!("migrations/0009-gone.sql"),
];

/// That the database behind `connection` is not of a newer schema.
///
/// # Errors
/// [`StoreError::Newer`] where a newer pakyas-server has written it; else as SQLite says.
pub fn check(connection: &Connection) -> Result<(), StoreError> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let (found, newest) = (found as usize, MIGRATIONS.len());
    if found > newest {
        return Err(StoreError::Newer { found, newest });
    }
    Ok(())
}

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

/// Whether the database has the newest schema already.
///
/// # Errors
/// As SQLite says.
pub fn is_newest(connection: &Connection) -> Result<bool, StoreError> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version as usize == MIGRATIONS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_the_first_version_keeps_its_pings_and_gets_the_history() {
        let mut old = Connection::open_in_memory().unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        old.execute_batch(
            "INSERT INTO organization VALUES (x'01', 'O', 'UTC', 0);
             INSERT INTO project VALUES (x'02', x'01', 'P', 'p', NULL, 0, 0, NULL);
             INSERT INTO check_ (id, public_id, org_id, project_id, name, slug, tags,
                 period_seconds, grace_seconds, miss_threshold, fail_threshold, created_at,
                 updated_at, status, status_since, failures, runs, ended_runs)
             VALUES (x'03', x'04', x'01', x'02', 'C', 'c', '[]', 60, 60, 1, 1, 0, 0, 'up', 0, 0,
                 '[]', '[]');
             INSERT INTO ping (check_row, kind, created_at, received_at)
             VALUES (1, 'success', 1000, 1000), (1, 'fail', 1000, 60000);",
        )
        .unwrap();
        migrate(&mut old).unwrap();
        let wanted = super::super::events::Wanted {
            limit: 10,
            since: None,
            cursor: None,
            signals: true,
            states: true,
            alerts: true,
        };
        let page = super::super::events::list(&old, 1, &wanted).unwrap();
        let told: Vec<_> = page.events.iter().map(|e| e.summary.as_str()).collect();
        assert_eq!(
            told,
            ["A run failed, told 59s later", "A run ended in success"]
        );
        // And nothing is left to be done.
        migrate(&mut old).unwrap();
    }
}
