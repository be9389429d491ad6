//! Which end belongs to which start, as API.md has it under "Pairing".

use super::*;

const UPPER: &str = "0194F6F2-AB3C-7DEF-8A6B-0123456789AB";
const LOWER: &str = "0194f6f2-ab3c-7def-8a6b-0123456789ab";

fn open(trial: &Trial) -> Vec<(Option<&str>, Millis)> {
    let runs = trial.state.runs.iter();
    runs.map(|run| (run.id.as_deref(), run.started / MINUTE))
        .collect()
}

#[test]
fn a_start_that_comes_twice_is_one_run_and_its_end_leaves_nothing_open() {
    for run in [None, Some("a")] {
        let mut trial = Trial::new(rules());
        trial.ping(Kind::Start, run, 0);
        trial.ping(Kind::Start, run, 1);
        assert_eq!(open(&trial), [(run, 1)]);
        assert_eq!(trial.ping(Kind::Success, run, 5), Status::Up);
        assert_eq!(open(&trial), []);
        assert_eq!(trial.at(64), Status::Up);
        assert!(trial.alerts.is_empty());
    }
}

#[test]
fn a_run_that_was_cancelled_and_begun_again_has_its_whole_time() {
    for run in [None, Some("a")] {
        let mut trial = Trial::new(Rules {
            max_runtime: Some(20 * MINUTE),
            ..rules()
        });
        trial.ping(Kind::Start, run, 0);
        trial.ping(Kind::Start, run, 15);
        assert_eq!(trial.at(34), Status::New);
        trial.ping(Kind::Success, run, 34);
        assert_eq!(trial.state.last_duration, Some(19 * MINUTE));
        assert!(trial.alerts.is_empty());
    }
}

#[test]
fn a_start_that_arrives_after_a_newer_one_changes_nothing() {
    for run in [None, Some("a")] {
        let mut trial = Trial::new(rules());
        trial.ping(Kind::Start, run, 10);
        trial.ping_late(Kind::Start, run, 5, 11);
        assert_eq!(open(&trial), [(run, 10)]);
    }
}

#[test]
fn a_run_that_starts_with_an_id_and_ends_without_one_is_over() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Start, Some("a"), 0);
    trial.ping(Kind::Success, None, 5);
    assert_eq!(open(&trial), []);
    assert_eq!(trial.state.last_duration, Some(5 * MINUTE));
    // A start of it that was on its way for longer opens nothing.
    trial.ping_late(Kind::Start, Some("a"), 0, 6);
    assert_eq!(open(&trial), []);
    assert_eq!(trial.at(64), Status::Up);
}

#[test]
fn an_end_without_an_id_ends_the_newest_run_and_every_older_one_without() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Start, Some("a"), 0);
    trial.ping(Kind::Start, None, 1);
    trial.ping(Kind::Start, Some("b"), 2);
    trial.ping(Kind::Success, None, 3);
    assert_eq!(open(&trial), [(Some("a"), 0)]);
    assert_eq!(trial.state.last_duration, Some(MINUTE));
    trial.ping(Kind::Success, None, 4);
    assert_eq!(open(&trial), []);
    assert_eq!(trial.state.last_duration, Some(4 * MINUTE));
}

#[test]
fn an_end_with_an_id_that_no_open_run_has_ends_none() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Start, None, 0);
    trial.ping(Kind::Start, Some("a"), 1);
    trial.ping(Kind::Success, Some("b"), 2);
    assert_eq!(open(&trial), [(None, 0), (Some("a"), 1)]);
    assert_eq!(trial.state.last_duration, None);
}

#[test]
fn a_uuid_names_one_run_in_any_letter_case_and_is_shown_as_it_came() {
    let mut trial = Trial::new(rules());
    trial.ping(Kind::Start, Some(UPPER), 0);
    assert_eq!(open(&trial), [(Some(UPPER), 0)]);
    trial.ping(Kind::Success, Some(LOWER), 5);
    assert_eq!(open(&trial), []);
    trial.ping_late(Kind::Start, Some(LOWER), 0, 6);
    assert_eq!(open(&trial), []);
    // What is no UUID has its case.
    trial.ping(Kind::Start, Some("Night"), 7);
    trial.ping(Kind::Success, Some("night"), 8);
    assert_eq!(open(&trial), [(Some("Night"), 7)]);
}

/// What a script sends of one run: its start so many times, and whether each end has the id.
#[derive(Debug, Clone)]
struct Job {
    starts: usize,
    has_id: bool,
    end_has_id: bool,
    kind: Kind,
}

fn any_job() -> impl Strategy<Value = Job> {
    let kind = prop_oneof![3 => Just(Kind::Success), 1 => Just(Kind::Fail)];
    (0..4_usize, any::<bool>(), any::<bool>(), kind).prop_map(
        |(starts, has_id, end_has_id, kind)| Job {
            starts,
            has_id,
            end_has_id: has_id && end_has_id,
            kind,
        },
    )
}

proptest! {
    /// Runs that end one after the other leave nothing open, however often their starts came
    /// and whichever of their ends has no id: so silence is told, and nothing else is.
    #[test]
    fn runs_that_ended_leave_nothing_open(jobs in prop::collection::vec(any_job(), 1..20)) {
        let mut trial = Trial::new(Rules { max_runtime: Some(30 * MINUTE), ..rules() });
        for (number, job) in (0..).zip(&jobs) {
            let (begin, id) = (number * 60, format!("run-{number}"));
            let id = Some(id.as_str());
            for start in 0..job.starts {
                trial.ping(Kind::Start, id.filter(|_| job.has_id), begin + start as Millis);
            }
            trial.ping(job.kind, id.filter(|_| job.end_has_id), begin + 10);
            prop_assert_eq!(open(&trial), []);
            let well = job.kind == Kind::Success;
            prop_assert_eq!(trial.at(begin + 59), if well { Status::Up } else { Status::Down });
        }
        let told = trial.alerts.iter().all(|(event, _)| {
            matches!(event, webhook::Event::Failed | webhook::Event::Up)
        });
        prop_assert!(told, "{:?}", trial.alerts);
    }

    /// The words of API.md, carried out on a list.
    #[test]
    fn pings_in_time_open_and_close_runs_word_for_word(
        script in prop::collection::vec((any::<bool>(), prop::option::of(0..3_u8)), 0..40),
    ) {
        let mut trial = Trial::new(Rules { max_runtime: Some(10_000 * MINUTE), ..rules() });
        let mut list: Vec<(Option<String>, Millis)> = Vec::new();
        let mut ended = Vec::new();
        for (minute, (start, id)) in (0..).zip(&script) {
            // A name that ended once is not used again, or only for a late start.
            let id = id.map(|id| format!("{id}-{}", minute / 10));
            let place = list.iter().position(|(open, _)| *open == id);
            match (*start, &id) {
                (true, Some(id)) if ended.contains(id) => {}
                (true, _) => {
                    list.retain(|(open, _)| *open != id);
                    list.push((id.clone(), minute));
                }
                (false, Some(id)) => {
                    place.map(|place| list.remove(place));
                    ended.push(id.clone());
                }
                (false, None) => {
                    ended.extend(list.pop().and_then(|(open, _)| open));
                    list.retain(|(open, _)| open.is_some());
                }
            }
            let kind = if *start { Kind::Start } else { Kind::Success };
            trial.ping(kind, id.as_deref(), minute);
            let expected: Vec<_> = list.iter().map(|(id, at)| (id.as_deref(), *at)).collect();
            prop_assert_eq!(open(&trial), expected);
        }
    }
}
