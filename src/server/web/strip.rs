//! The strip of a check's newest runs, as paths of SVG: how it looks is in style.css.

use crate::server::store::strip::{Bar, End};

/// How many runs a strip has, how far apart its bars are, and how high it is.
pub(super) const RUNS: usize = 30;
const STEP: usize = 5;
const HEIGHT: i64 = 20;

/// A strip of runs as paths, one for each way to end.
#[derive(Default)]
pub(super) struct Strip {
    pub success: String,
    pub failure: String,
    pub missing: String,
    /// For people who don't see it.
    pub words: String,
}

impl Strip {
    /// Bars from left to right, the newest at the right end; the longest run is the highest.
    pub fn new(runs: &[Bar]) -> Self {
        let durations = runs.iter().filter_map(|run| run.duration);
        let longest = durations.max().unwrap_or(0).max(1);
        let mut strip = Self::default();
        let mut totals = [0; 3];
        for (index, run) in runs.iter().enumerate() {
            let x = (RUNS.saturating_sub(runs.len()) + index) * STEP + 2;
            let share = run.duration.map_or(HEIGHT / 2, |one| {
                let share = i128::from(one.max(0)) * i128::from(HEIGHT) / i128::from(longest);
                i64::try_from(share).unwrap_or(HEIGHT)
            });
            let (path, height, total) = match run.end {
                End::Success => (&mut strip.success, share.max(3), &mut totals[0]),
                End::Failure => (&mut strip.failure, share.max(3), &mut totals[1]),
                End::Missing => (&mut strip.missing, HEIGHT, &mut totals[2]),
            };
            path.push_str(&format!("M{x} {HEIGHT}v-{height}"));
            *total += 1;
        }
        let [successes, failures, missing] = totals;
        strip.words = format!("{successes} succeeded, {failures} failed, {missing} missing");
        strip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_run_is_the_highest_bar_and_the_newest_the_last() {
        let bar = |end, duration| Bar {
            at: 0,
            end,
            duration,
        };
        let strip = Strip::new(&[
            bar(End::Failure, Some(10)),
            bar(End::Success, Some(1000)),
            bar(End::Missing, None),
        ]);
        assert_eq!(strip.failure, "M137 20v-3");
        assert_eq!(strip.success, "M142 20v-20");
        assert_eq!(strip.missing, "M147 20v-20");
        assert_eq!(strip.words, "1 succeeded, 1 failed, 1 missing");
    }
}
