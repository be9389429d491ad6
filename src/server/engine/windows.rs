//! Maintenance windows, as the engine needs them: when alerts are held.

use std::sync::Arc;

use super::Millis;

/// The windows of one check. A window lasts from its start until before its end; those that
/// overlap or touch are one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows(Arc<[(Millis, Millis)]>);

impl Windows {
    /// The windows with these starts and ends, in any order.
    pub fn new(windows: impl IntoIterator<Item = (Millis, Millis)>) -> Self {
        let mut sorted: Vec<_> = windows
            .into_iter()
            .filter(|(start, end)| start < end)
            .collect();
        sorted.sort_unstable();
        let mut merged: Vec<(Millis, Millis)> = Vec::with_capacity(sorted.len());
        for (start, end) in sorted {
            match merged.last_mut() {
                Some((_, last)) if start <= *last => *last = end.max(*last),
                _ => merged.push((start, end)),
            }
        }
        Self(merged.into())
    }

    /// Whether `moment` is in a window.
    pub(super) fn cover(&self, moment: Millis) -> bool {
        self.end_after(moment) != moment
    }

    /// The end of the window that `moment` is in; `moment` itself where it is in none.
    pub(super) fn end_after(&self, moment: Millis) -> Millis {
        let begun = self.0.partition_point(|(start, _)| *start <= moment);
        match begun.checked_sub(1).and_then(|last| self.0.get(last)) {
            Some((_, end)) => *end.max(&moment),
            None => moment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_overlap_or_touch_are_one() {
        let windows = Windows::new([(50, 60), (10, 20), (20, 30), (12, 15), (55, 58), (70, 70)]);
        assert_eq!(windows, Windows::new([(10, 30), (50, 60)]));
        for (moment, end) in [
            (9, 9),
            (10, 30),
            (20, 30),
            (29, 30),
            (30, 30),
            (55, 60),
            (70, 70),
        ] {
            assert_eq!(windows.end_after(moment), end, "{moment}");
            assert_eq!(windows.cover(moment), end != moment, "{moment}");
        }
        assert!(!Windows::default().cover(0));
    }
}
