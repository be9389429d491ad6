//! What a batch takes with it when it fails, and what a full disk is to those who wait.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::super::{Store, StoreError, probe};
use crate::server::bell::Bell;
use crate::server::clock;

/// A store in a folder of this test's own, which is gone with it.
struct Trial {
    store: Store,
    folder: std::path::PathBuf,
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.store.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Trial {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("pakyas-{name}-{}", std::process::id()));
        let store = Store::open(&folder, "", Bell::default()).unwrap();
        Self { store, folder }
    }

    /// Writes a row for each of `numbers` in one batch, where a negative one fails when its
    /// row is there; gives how each was answered.
    fn batch(&self, numbers: &[i64]) -> Vec<Result<(), StoreError>> {
        let (open, gate) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        self.store.write_then(
            move |_| {
                begin.send(()).unwrap();
                let _ = gate.recv();
                Ok(())
            },
            |_: Result<(), StoreError>| {},
        );
        begun.recv().unwrap();
        let answers: Vec<_> = numbers
            .iter()
            .map(|&number| {
                let (answer, told) = mpsc::channel();
                self.store.write_then(
                    move |desk| {
                        let sql = "INSERT INTO probe (row, data) VALUES (?, x'00')";
                        desk.connection.execute(sql, [number.abs()])?;
                        match number {
                            ..0 => Err(StoreError::Full("rows")),
                            _ => Ok(()),
                        }
                    },
                    move |written| answer.send(written).unwrap(),
                );
                told
            })
            .collect();
        drop(open);
        let patience = Duration::from_secs(60);
        answers
            .iter()
            .map(|told| match told.recv_timeout(patience) {
                Ok(written) => written,
                // Not even begun.
                Err(RecvTimeoutError::Disconnected) => Err(StoreError::Gone),
                Err(RecvTimeoutError::Timeout) => panic!("no answer within {patience:?}"),
            })
            .collect()
    }

    fn rows(&self) -> Vec<i64> {
        let rows = self.store.read(|connection| {
            let mut statement =
                connection.prepare("SELECT row FROM probe WHERE data = x'00' ORDER BY row")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        rows.unwrap()
    }
}

#[test]
fn what_fails_among_pings_takes_one_batch_with_it_and_no_second() {
    let trial = Trial::new("batch");
    let answers = trial.batch(&[1, -2, 3]);
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    assert!(trial.rows().is_empty());
    let answers = trial.batch(&[4, -5, 6]);
    assert!(
        matches!(answers[..], [Ok(()), Err(StoreError::Full("rows")), Ok(())]),
        "{answers:?}"
    );
    assert_eq!(trial.rows(), [4, 6]);
}

#[test]
fn a_disk_that_was_full_was_an_absence_of_the_store() {
    let trial = Trial::new("absence");
    // SQLite takes no number below what there is.
    let pages_at_most = |pages: u32| {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        let set = trial
            .store
            .write(move |desk| Ok(desk.connection.execute_batch(&pragma)?));
        set.unwrap();
    };
    let absence = || trial.store.write(|desk| Ok(desk.live.absence)).unwrap();
    trial.store.check().unwrap();
    pages_at_most(1);
    let probed = trial.store.write(|desk| probe(desk.connection));
    assert!(probed.is_err());
    // However long it took until here, the store is away by now.
    let begun = clock::now();
    while clock::now() < begun + 50 {
        std::thread::yield_now();
    }
    let ended = clock::now();
    assert_ne!(absence().acts_at(begun + 25), begun + 25, "it is away now");
    pages_at_most(u32::MAX - 1);
    trial.store.write(|desk| probe(desk.connection)).unwrap();
    let absence = absence();
    assert!(absence.acts_at(begun + 25) > ended, "{absence:?}");
    assert!(absence.is_before(clock::now()));
}
