//! What time alone will do to a check next, and when.

use super::{Millis, Rules, State};
use crate::wire::Status;

/// What becomes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The expected time is reached.
    Late,
    /// Grace is over, or a further expected ping is missing.
    Missed { expected: Millis, count: u32 },
    /// An open run, by its place in the state, reaches its limit.
    RunLimit { index: usize },
    /// The maintenance window ends that an alert is held for.
    Release,
}

/// The next deadlines of `state`, none where only a ping can change it: what time makes of the
/// check, and then the end of a window in which that is held. What happens at the very end of a
/// window comes before what is then told of it.
pub(super) fn next(rules: &Rules, state: &State) -> [Option<(Millis, Due)>; 2] {
    let run = state
        .runs
        .iter()
        .enumerate()
        .filter(|(_, run)| !run.overdue)
        .map(|(index, run)| (rules.run_limit(run.started), Due::RunLimit { index }))
        .min_by_key(|(at, _)| *at);
    // Nobody has to be woken at the end of a window in which there was nothing to tell.
    let release = state
        .held
        .as_ref()
        .map(|held| (rules.windows.end_after(held.since), Due::Release));
    // While a run is within its limit the check is neither late nor down.
    [run.or_else(|| silence(rules, state)), release]
}

fn silence(rules: &Rules, state: &State) -> Option<(Millis, Due)> {
    let expected = state.expected?;
    let missed = |count: u32| {
        let at = rules.missed_at(expected, count);
        (at, Due::Missed { expected, count })
    };
    match state.status {
        Status::Up => Some((expected, Due::Late)),
        Status::Late => Some(missed(1)),
        // Down and told: only a ping changes that. Down and not told: the miss that tells.
        Status::Down if state.alerted != Some(Status::Down) => Some(missed(rules.miss_threshold)),
        Status::Down | Status::New | Status::Overrunning | Status::Paused => None,
    }
}
