//! The deadline queue that feeds "time passed" to the engine: it wakes for what is due, and
//! never looks at a check that is not.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::engine::Millis;

/// Deadlines of checks by row, at most one each.
#[derive(Default)]
pub struct Deadlines {
    /// May hold outdated entries; `current` says which count.
    queue: BinaryHeap<Reverse<(Millis, i64)>>,
    current: HashMap<i64, Millis>,
}

impl Deadlines {
    /// Sets or clears the deadline of the check in `row`.
    pub fn set(&mut self, row: i64, deadline: Option<Millis>) {
        match deadline {
            Some(at) => {
                if self.current.insert(row, at) != Some(at) {
                    self.queue.push(Reverse((at, row)));
                }
            }
            None => {
                self.current.remove(&row);
            }
        }
        // A check that is pinged often leaves an outdated entry each time.
        if self.queue.len() > 2 * self.current.len() + 64 {
            self.queue = self
                .current
                .iter()
                .map(|(&row, &at)| Reverse((at, row)))
                .collect();
        }
    }

    /// The earliest deadline.
    pub fn next(&mut self) -> Option<Millis> {
        while let Some(&Reverse((at, row))) = self.queue.peek() {
            if self.current.get(&row) == Some(&at) {
                return Some(at);
            }
            self.queue.pop();
        }
        None
    }

    /// Takes out up to `limit` checks that are due at `now`, earliest first. Whoever takes
    /// them sets their next deadline, or the same again where nothing could be done.
    pub fn take_due(&mut self, now: Millis, limit: usize) -> Vec<i64> {
        let mut due = Vec::new();
        while due.len() < limit {
            match self.next() {
                Some(at) if at <= now => {}
                _ => break,
            }
            if let Some(Reverse((_, row))) = self.queue.pop() {
                self.current.remove(&row);
                due.push(row);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_earliest_first_and_once() {
        let mut deadlines = Deadlines::default();
        deadlines.set(1, Some(30));
        deadlines.set(2, Some(10));
        deadlines.set(3, Some(20));
        assert_eq!(deadlines.next(), Some(10));
        assert_eq!(deadlines.take_due(20, 10), [2, 3]);
        assert_eq!(deadlines.take_due(20, 10), [0; 0]);
        assert_eq!(deadlines.next(), Some(30));
    }

    #[test]
    fn only_the_newest_deadline_of_a_check_counts() {
        let mut deadlines = Deadlines::default();
        deadlines.set(1, Some(10));
        deadlines.set(1, Some(50));
        assert_eq!(deadlines.take_due(20, 10), [0; 0]);
        deadlines.set(1, None);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn the_queue_stays_as_small_as_the_number_of_checks() {
        let mut deadlines = Deadlines::default();
        for at in 0..100_000 {
            deadlines.set(at % 3, Some(at));
        }
        assert!(deadlines.queue.len() < 200);
        assert_eq!(deadlines.next(), Some(99_997));
    }
}
