//! The drawings of a check's page, as the coordinates of SVG: the policy forbids inline styles,
//! so how they look is in check.css. They are stretched to the page's width.

use super::figures::{Usual, usual};
use crate::server::engine::Millis;
use crate::server::store::check_page::{End, Step};
use crate::server::web::moment::{clock, lasting};
use crate::wire::Status;

/// How wide every drawing is.
pub(super) const WIDTH: usize = 720;

/// How high a chart is.
pub(super) const HEIGHT: i64 = 100;

/// Where the states stand in the timeline, which is so high.
const GROUND: usize = 60;
/// Where the runs stand in it.
const RUNS: usize = 26;

/// A state that is at least so wide has a text of its own.
const WIDE: usize = 4;

/// So wide at least is a time in which it was down or a run took too long, however short it was:
/// on a phone that is some two pixels.
const SEEN: usize = 6;

/// Where the highest value is more than so many times what is usual, the chart ends at
/// [`ABOVE`] times that, and what is higher is marked: else one run would flatten all others.
const FLAT: i64 = 4;
const ABOVE: i64 = 2;

/// How many of the values that a chart has no room for are told.
const TOLD: usize = 3;

/// A state in the timeline.
pub(super) struct Band {
    pub status: &'static str,
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    pub words: String,
}

/// Runs and states since a moment, up to now.
#[derive(Default)]
pub(super) struct Timeline {
    pub bands: Vec<Band>,
    /// States that lasted too shortly to be pointed at: one path for each kind.
    pub narrow: Vec<(&'static str, String)>,
    pub success: String,
    pub failure: String,
}

impl Timeline {
    /// `ends` in any order, `steps` oldest first.
    pub fn new(steps: &[Step], ends: &[End], from: Millis, now: Millis) -> Self {
        let span = i128::from((now - from).max(1));
        let column = |at: Millis| {
            let x = i128::from((at - from).max(0)) * WIDTH as i128 / span;
            usize::try_from(x).unwrap_or(WIDTH).min(WIDTH - 1)
        };
        let mut timeline = Self::default();
        timeline.draw_states(steps, from, now, column);
        let mut runs = [(false, false); WIDTH];
        for end in ends.iter().filter(|end| end.at >= from) {
            let run = &mut runs[column(end.at)];
            *run = (run.0 || end.well, run.1 || !end.well);
        }
        for (x, (well, badly)) in runs.into_iter().enumerate() {
            if badly {
                timeline.failure += &format!("M{x} {RUNS}v-{RUNS}");
            } else if well {
                timeline.success += &format!("M{x} {RUNS}v-12");
            }
        }
        timeline
    }

    fn draw_states(
        &mut self,
        steps: &[Step],
        from: Millis,
        now: Millis,
        column: impl Fn(Millis) -> usize,
    ) {
        // Of several states in a column, the worst is seen.
        let mut seen: [Option<usize>; WIDTH] = [None; WIDTH];
        let until = |index: usize| steps.get(index + 1).map_or(now, |next: &Step| next.at);
        for (index, step) in steps.iter().enumerate() {
            if until(index) < from || until(index) == step.at {
                continue;
            }
            for one in &mut seen[column(step.at)..=column(until(index))] {
                let worse = one.is_none_or(|before: usize| {
                    height(step.status) >= height(steps[before].status)
                });
                if worse {
                    *one = Some(index);
                }
            }
        }
        widen(&mut seen, steps);
        let mut x = 0;
        for same in seen.chunk_by(|one, next| one == next) {
            if let Some(index) = same[0] {
                let step = &steps[index];
                let high = height(step.status);
                let name = step.status.as_str();
                if same.len() >= WIDE {
                    self.bands.push(Band {
                        status: name,
                        x,
                        y: GROUND - high,
                        width: same.len(),
                        height: high,
                        words: format!(
                            "{name} for {} from {}",
                            lasting(until(index) - step.at),
                            clock(step.at)
                        ),
                    });
                } else {
                    let path = format!("M{x} {GROUND}h{}v-{high}h-{}z", same.len(), same.len());
                    match self.narrow.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, all)) => all.push_str(&path),
                        None => self.narrow.push((name, path)),
                    }
                }
            }
            x += same.len();
        }
    }
}

/// Gives what must not be overlooked the columns that it needs, of neighbours that are not as bad.
fn widen(seen: &mut [Option<usize>; WIDTH], steps: &[Step]) {
    let state = |one: Option<usize>| one.map(|index| steps[index].status);
    let bad = |one| matches!(state(one), Some(Status::Down | Status::Overrunning));
    let high = |one| state(one).map_or(0, height);
    let mut x = 0;
    while x < WIDTH {
        let this = seen[x];
        let mut end = x + seen[x..].iter().take_while(|one| **one == this).count();
        let mut start = x;
        while bad(this) && end - start < SEEN {
            if end < WIDTH && high(seen[end]) < high(this) {
                seen[end] = this;
                end += 1;
            } else if start > 0 && high(seen[start - 1]) < high(this) {
                start -= 1;
                seen[start] = this;
            } else {
                break;
            }
        }
        x = end;
    }
}

/// How high a state stands in the timeline: the worse, the higher.
fn height(status: Status) -> usize {
    match status {
        Status::New => 4,
        Status::Paused => 5,
        Status::Up => 9,
        Status::Late => 16,
        Status::Overrunning => 24,
        Status::Down => 30,
    }
}

/// A value of a run in a chart.
pub(super) struct Dot {
    pub class: &'static str,
    pub x: usize,
    pub y: i64,
    pub words: String,
}

/// What the newest runs took of something.
pub(super) struct Chart {
    pub line: String,
    pub dots: Vec<Dot>,
    /// The top of what is usual, and how high it is.
    pub range: Option<(i64, i64)>,
    /// Marks at the top, where a value is higher than the chart.
    pub beyond: String,
    /// The value at the top.
    pub most: String,
    /// The values that are higher.
    pub higher: String,
    /// For people who don't see it.
    pub words: String,
    pub first: Millis,
    pub last: Millis,
}

impl Chart {
    /// `points`: when, whether the run went well, and the value; oldest first. None where there
    /// are fewer than two.
    pub fn new(points: &[(Millis, bool, i64)], say: impl Fn(i64) -> String) -> Option<Self> {
        let [(first, ..), .., (last, ..)] = points else {
            return None;
        };
        let good = points.iter().filter(|point| point.1).map(|point| point.2);
        let usual = usual(good.collect());
        let highest = points.iter().map(|point| point.2).max()?.max(1);
        let most = match usual.map(|usual| usual.high.max(1)) {
            Some(high) if highest > high.saturating_mul(FLAT) => high.saturating_mul(ABOVE),
            _ => highest,
        };
        // The highest stays a little below the edge.
        let y = |value: i64| {
            let value = i128::from(value.clamp(0, most));
            let share = value * i128::from(HEIGHT - 8) / i128::from(most);
            HEIGHT - 3 - i64::try_from(share).unwrap_or(HEIGHT)
        };
        let gaps = points.len() - 1;
        let x = |index: usize| 4 + index * (WIDTH - 8) / gaps;
        let newest = points.last().map_or(0, |point| point.2);
        Some(Self {
            line: points
                .iter()
                .enumerate()
                .map(|(index, point)| {
                    let letter = if index == 0 { 'M' } else { 'L' };
                    format!("{letter}{} {}", x(index), y(point.2))
                })
                .collect(),
            dots: points
                .iter()
                .enumerate()
                .map(|(index, (at, well, value))| Dot {
                    class: if *well { "well" } else { "badly" },
                    x: x(index),
                    y: y(*value),
                    words: format!(
                        "{}{}, {}",
                        say(*value),
                        if *well { "" } else { ", failed" },
                        clock(*at)
                    ),
                })
                .collect(),
            range: usual.map(|usual| {
                let top = y(usual.high);
                (top, (y(usual.low) - top).max(2))
            }),
            beyond: points
                .iter()
                .enumerate()
                .filter(|(_, point)| point.2 > most)
                .map(|(index, _)| format!("M{} 12l4 -9l4 9", x(index).saturating_sub(4)))
                .collect(),
            higher: higher(points, most, &say),
            most: say(most),
            words: sum_up(points.len(), usual, newest, &say),
            first: *first,
            last: *last,
        })
    }
}

/// The values that are more than `most`, the highest first.
fn higher(points: &[(Millis, bool, i64)], most: i64, say: impl Fn(i64) -> String) -> String {
    let mut values: Vec<i64> = points.iter().map(|point| point.2).collect();
    values.retain(|value| *value > most);
    values.sort_unstable_by_key(|value| std::cmp::Reverse(*value));
    let told: Vec<String> = values.iter().take(TOLD).map(|value| say(*value)).collect();
    let more = match values.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match told.as_slice() {
        [] => String::new(),
        told => format!("higher, marked ^: {}{more}", told.join(", ")),
    }
}

fn sum_up(count: usize, usual: Option<Usual>, newest: i64, say: impl Fn(i64) -> String) -> String {
    let newest = format!("The last run: {}.", say(newest));
    let Some(usual) = usual else {
        return newest;
    };
    let range = match (say(usual.low), say(usual.high)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    };
    format!(
        "{newest} Usually {range}, in the middle {} (shaded: the 10th to the 90th percentile of what succeeded of {count} runs).",
        say(usual.middle)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(at: Millis, status: Status) -> Step {
        Step { at, status }
    }

    #[test]
    fn states_stand_where_they_were_and_the_worst_is_never_hidden() {
        let steps = [
            step(0, Status::New),
            step(1_000, Status::Up),
            // A thousandth of the time.
            step(5_000, Status::Down),
            step(5_001, Status::Up),
        ];
        let timeline = Timeline::new(&steps, &[], 0, 10_000);
        let names: Vec<_> = timeline.bands.iter().map(|band| band.status).collect();
        assert_eq!(names, ["new", "up", "down", "up"]);
        assert_eq!(timeline.bands[1].x, 72);
        assert!(
            timeline.bands[1]
                .words
                .starts_with("up for 4s from 1970-01-01 00:00 UTC")
        );
        let down = &timeline.bands[2];
        assert_eq!((down.x, down.width, down.height), (360, SEEN, 30));
        assert!(down.words.starts_with("down for 0s from"), "{}", down.words);
    }

    #[test]
    fn a_short_outage_is_seen_at_either_end_and_takes_nothing_from_a_worse_one() {
        let at_the_end = [step(0, Status::Up), step(9_999, Status::Down)];
        let timeline = Timeline::new(&at_the_end, &[], 0, 10_000);
        let last = timeline.bands.last().unwrap();
        assert_eq!((last.status, last.x), ("down", WIDTH - SEEN));
        let beside = [
            step(0, Status::Down),
            step(5_000, Status::Overrunning),
            step(5_030, Status::Down),
        ];
        let timeline = Timeline::new(&beside, &[], 0, 10_000);
        let downs = timeline.bands.iter().filter(|band| band.status == "down");
        assert!(downs.map(|band| band.width).sum::<usize>() >= WIDTH - SEEN);
    }

    #[test]
    fn a_failure_is_seen_among_many_successes() {
        let end = |at, well| End {
            at,
            well,
            duration: None,
            memory: None,
        };
        let ends: Vec<End> = (0..10_000).map(|at| end(at, at != 5_000)).collect();
        let timeline = Timeline::new(&[], &ends, 0, 10_000);
        assert_eq!(timeline.failure, "M360 26v-26");
        assert_eq!(timeline.success.matches('M').count(), WIDTH - 1);
    }

    #[test]
    fn the_usual_range_is_that_of_what_succeeded() {
        let mut points: Vec<_> = (1..=10).map(|n| (n * 1000, true, n * 10)).collect();
        points.push((11_000, false, 100_000));
        let chart = Chart::new(&points, |value| format!("{value} ms")).unwrap();
        assert!(
            chart
                .words
                .contains("Usually 10 ms to 90 ms, in the middle 50 ms")
        );
        assert_eq!(
            chart.dots[10].words,
            "100000 ms, failed, 1970-01-01 00:00 UTC"
        );
        assert_eq!(chart.dots[10].class, "badly");
        assert!(chart.range.is_some());
    }

    #[test]
    fn one_run_of_an_hour_does_not_flatten_all_others() {
        let mut points: Vec<_> = (0..59).map(|n| (n, true, 1_000 + n % 3)).collect();
        points.push((59, true, 3_600_000));
        let chart = Chart::new(&points, |value| format!("{value} ms")).unwrap();
        let (top, height) = chart.range.unwrap();
        assert!(top > 40 && top < 60 && height >= 2, "{top} {height}");
        assert_eq!(chart.higher, "higher, marked ^: 3600000 ms");
        assert_eq!(chart.beyond.matches('M').count(), 1);
        assert_eq!(chart.most, "2004 ms");
        // Its own dot still tells it.
        assert!(chart.dots[59].words.starts_with("3600000 ms,"));
        let even = Chart::new(&points[..59], |value| value.to_string()).unwrap();
        assert!(even.higher.is_empty() && even.beyond.is_empty());
        assert_eq!(even.most, "1002");
    }

    #[test]
    fn one_run_is_no_chart() {
        assert!(Chart::new(&[(0, true, 1)], |value| value.to_string()).is_none());
    }
}
