//! A hundred checks of every kind through five years, in seconds: the engine with its state in
//! real tables, against a model that is written separately. Every alert is explained by the
//! model, none is missing, none is double.
//!
//! Time jumps from one thing that happens to the next. The seed is always the same, but with
//! another one in `PAKYAS_SEED`, as `make simulate` has it.

mod model;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::checks;
use super::live::LiveCheck;
use super::schema;
use crate::schedule::cron::Cron;
use crate::schedule::zone;
use crate::server::engine::{
    self, Absence, Effect, Event, Rules, START_AFTER_END, Signal, State, next_deadline_after,
};
use crate::wire::ping::is_same_run;
use crate::wire::webhook;
use crate::wire::{Kind, Status};
use model::{Decided, Model, Timing};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEARS: i64 = 5 * 365 * DAY;
/// 2020-01-01 UTC.
const BEGIN: i64 = 1_577_836_800_000;
const CHECKS: u64 = 100;
/// Checks that were not as they should have been once, and are looked at each time.
const ONCE_BROKEN: [u64; 9] = [
    3_000,
    4_051,
    5_026,
    5_095,
    12_005,
    17_042,
    32_001,
    119_014,
    2_953_734_499_092,
];
/// How many job runs a check has at least; then it is left in silence or paused now and then
/// for so long that the years pass.
const RUNS: i64 = 250;

const ZONES: [&str; 6] = [
    "UTC",
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Asia/Manila",
];
const CRONS: [&str; 12] = [
    "*/5 * * * *",
    "0 * * * *",
    "17 */3 * * *",
    "30 2 * * *",
    "30 1 * * *",
    "0 0 * * *",
    "15,45 1,2 * * *",
    "*/15 2 * * *",
    "0 9-17 * * MON-FRI",
    "0 3 1 * *",
    "0 0 L * *",
    "@weekly",
];
const PERIODS: [i64; 6] = [60, 300, 3_600, 86_400, 604_800, 4_711];

/// Numbers that look random (splitmix64, Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// From 0 to `most`.
    fn up_to(&mut self, most: i64) -> i64 {
        (self.roll() % (most.max(0).unsigned_abs() + 1)) as i64
    }

    fn once_in(&mut self, times: i64) -> bool {
        self.up_to(times - 1) == 0
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.up_to(all.len() as i64 - 1) as usize]
    }
}

/// The rules of a check as its row has them: seconds.
#[derive(Debug, Clone)]
struct Settings {
    period: i64,
    cron: Option<(&'static str, &'static str)>,
    grace: i64,
    max_runtime: Option<i64>,
    misses: u32,
    failures: u32,
}

impl Settings {
    fn any(dice: &mut Dice) -> Self {
        let mut settings = Self {
            period: dice.one_of(&PERIODS),
            cron: (!dice.once_in(3)).then(|| (dice.one_of(&CRONS), dice.one_of(&ZONES))),
            grace: 0,
            max_runtime: None,
            misses: 1 + dice.up_to(2) as u32,
            failures: 1 + dice.up_to(2) as u32,
        };
        let gap = settings.gap() / SECOND;
        settings.grace = dice.up_to(gap / 3);
        settings.max_runtime = dice.once_in(2).then(|| 1 + dice.up_to(gap * 2));
        settings
    }

    fn decided(&self) -> Decided {
        Decided {
            timing: match self.cron {
                Some((cron, name)) => {
                    let zone = zone::named(name).unwrap().1;
                    Timing::Cron(Box::new(Cron::parse(cron, zone).unwrap()))
                }
                None => Timing::Every(self.period * SECOND),
            },
            grace: self.grace * SECOND,
            max_runtime: self.max_runtime.map(|max| max * SECOND),
            misses: self.misses,
            failures: self.failures,
        }
    }

    /// About how long it is from one run to the next, milliseconds.
    fn gap(&self) -> i64 {
        let decided = Decided {
            timing: match self.cron {
                Some((cron, _)) => Timing::Cron(Box::new(
                    Cron::parse(cron, jiff::tz::TimeZone::UTC).unwrap(),
                )),
                None => return self.period * SECOND,
            },
            grace: 0,
            max_runtime: None,
            misses: 1,
            failures: 1,
        };
        let mut at = BEGIN;
        for _ in 0..4 {
            at = decided.next(at);
        }
        (at - BEGIN) / 4
    }
}

/// What happens, in the order of its arrival at the server.
#[derive(Debug, Clone)]
enum Happening {
    /// A ping of this kind, as of this moment, of this run.
    Ping(Kind, i64, Option<String>),
    Pause,
    Resume,
    Decide(Settings),
    Plan(u32, i64, i64),
    CallOff(u32),
    /// The server ends, and starts again at this moment. It may get a ping before it looks at
    /// the clock.
    Restart(i64),
}

/// Five years of one check.
fn script(dice: &mut Dice, first: &Settings) -> Vec<(i64, Happening)> {
    let mut script = Vec::new();
    let mut settings = first.clone();
    let mut decided = settings.decided();
    let mut now = BEGIN;
    let (mut run, mut windows) = (0, 0);
    while now < BEGIN + YEARS {
        let gap = settings.gap();
        let leap = YEARS / RUNS;
        match dice.up_to(99) {
            0..=2 => {
                script.push((now, Happening::Pause));
                now += dice.up_to(3 * gap + leap * 4);
                script.push((now, Happening::Resume));
            }
            3..=5 => {
                settings = Settings::any(dice);
                decided = settings.decided();
                script.push((now, Happening::Decide(settings.clone())));
            }
            6..=10 => {
                windows += 1;
                let start = now + dice.up_to(2 * gap) - gap / 2;
                let end = start + 1 + dice.up_to(3 * gap);
                script.push((now, Happening::Plan(windows, start, end)));
                if dice.once_in(3) {
                    let off = now + dice.up_to(2 * gap);
                    script.push((off, Happening::CallOff(windows)));
                }
            }
            11..=13 => {
                let down = dice.up_to((3 * gap).min(6 * DAY));
                script.push((now + dice.up_to(gap), Happening::Restart(down)));
            }
            14..=18 => now += dice.up_to(5 * gap),
            19..=21 => now += dice.up_to(2 * leap * 4),
            _ => {}
        }
        // The job runs when it is due, more or less, and takes its time.
        let due = decided.next(now);
        let start = match dice.up_to(7) {
            // By a clock that is ahead, a little or too far.
            0 => due - dice.up_to((gap / 5).min(70 * SECOND)),
            _ => due + dice.up_to(gap / 8) - gap / 32,
        };
        let start = start.max(now + 1);
        let takes = match dice.up_to(9) {
            0 => dice.up_to(2 * gap),
            1..=3 => dice.up_to(gap),
            // Over seconds before it is due again, more or less.
            4 => (decided.next(due) - start - dice.up_to(gap / 16)).max(0),
            _ => dice.up_to(gap / 10),
        };
        let end = start + takes;
        run += 1;
        let id = (!dice.once_in(3)).then(|| match dice.up_to(3) {
            0 => format!("0194F6F2-ab3c-7def-8a6b-{run:012}"),
            _ => format!("run-{run}"),
        });
        // A script that names its run at one end only, or in other letters at the other.
        let end_id = match dice.up_to(11) {
            0 => None,
            1 => Some(format!("other-{run}")),
            2..=4 => id.as_ref().map(|id| id.to_lowercase()),
            _ => id.clone(),
        };
        let late = |dice: &mut Dice| match dice.up_to(19) {
            0 => dice.up_to((2 * gap).min(7 * DAY - 1)),
            1..=3 => dice.up_to(gap / 4 % DAY),
            _ => 0,
        };
        let kind = if dice.once_in(8) {
            Kind::Fail
        } else {
            Kind::Success
        };
        if !dice.once_in(3) {
            let ping = Happening::Ping(Kind::Start, start, id.clone());
            script.push((start + late(dice), ping));
            if dice.once_in(10) {
                // Sent again, or cancelled and begun anew.
                let again = start + dice.up_to(takes);
                let ping = Happening::Ping(Kind::Start, again, id.clone());
                script.push((again + late(dice), ping));
            }
        }
        if !dice.once_in(12) {
            let arrives = end + late(dice);
            let ping = Happening::Ping(kind, end, end_id);
            script.push((arrives, ping.clone()));
            if dice.once_in(15) {
                // From a sender without idempotency keys, which is not sure.
                script.push((arrives + dice.up_to(MINUTE), ping));
            }
        }
        if dice.once_in(20) {
            script.push((end, Happening::Ping(Kind::Log, end, None)));
        }
        // Runs overlap now and then.
        now = if dice.once_in(6) { start } else { end };
    }
    script.sort_by_key(|(at, _)| *at);
    script
}

/// The engine as the server runs it, with what it knows in tables.
struct Real {
    connection: Connection,
    row: i64,
    rules: Rules,
    state: State,
    absence: Absence,
    /// The ends of runs with ids that are in the history, and when they were.
    ends: Vec<(String, i64)>,
    alerts: Vec<(webhook::Event, i64)>,
}

const ORG: Uuid = Uuid::from_u128(1);
const PROJECT: Uuid = Uuid::from_u128(2);
const CHECK: Uuid = Uuid::from_u128(3);

impl Real {
    fn new(settings: &Settings) -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            connection.execute(sql, values).unwrap();
        };
        run(
            "INSERT INTO organization VALUES (?, 'o', 'UTC', 0)",
            &[&ORG],
        );
        run(
            "INSERT INTO project (id, org_id, name, slug, created_at, updated_at)
             VALUES (?, ?, 'p', 'p', 0, 0)",
            &[&PROJECT, &ORG],
        );
        run(
            "INSERT INTO check_ (id, public_id, org_id, project_id, name, slug, tags,
                 period_seconds, grace_seconds, miss_threshold, fail_threshold, created_at,
                 updated_at, status, status_since, failures, runs, ended_runs)
             VALUES (?1, ?1, ?2, ?3, 'c', 'c', '[]', 1, 1, 1, 1, 0, 0, 'new', ?4, 0, '[]', '[]')",
            &[&CHECK, &ORG, &PROJECT, &BEGIN],
        );
        let row = connection.last_insert_rowid();
        let (_, LiveCheck { rules, state, .. }) =
            checks::load_live(&connection, BEGIN).unwrap().remove(0);
        let mut real = Self {
            connection,
            row,
            rules,
            state,
            absence: Absence::default(),
            ends: Vec::new(),
            alerts: Vec::new(),
        };
        real.decide(settings, BEGIN);
        real
    }

    /// Gives what the event told people.
    fn step(&mut self, event: &Event, now: i64) -> usize {
        let (state, effects) =
            engine::step_after(&self.absence, &self.rules, &self.state, event, now);
        self.state = state;
        let before = self.alerts.len();
        for effect in effects {
            if let Effect::Alert { reason, at, .. } = effect {
                self.alerts.push((reason.event(), at));
            }
        }
        self.alerts.len() - before
    }

    /// What the store finds in its history before a ping is written there, and that it is written.
    fn has_ended(&mut self, kind: Kind, at: i64, id: Option<&str>) -> bool {
        let Some(id) = id else { return false };
        if matches!(kind, Kind::Success | Kind::Fail) {
            self.ends.push((id.to_owned(), at));
        }
        let is_it =
            |(end, when): &(String, i64)| is_same_run(end, id) && *when >= at - START_AFTER_END;
        self.state.must_look_for_end(kind, at) && self.ends.iter().any(is_it)
    }

    fn deadline(&self) -> Option<i64> {
        next_deadline_after(&self.absence, &self.rules, &self.state)
    }

    fn load(&mut self, now: i64) -> LiveCheck {
        checks::load_live(&self.connection, now)
            .unwrap()
            .remove(0)
            .1
    }

    /// Everything that is only in memory is lost; it is down from `from` until `now`.
    fn restart(&mut self, from: i64, now: i64) {
        self.absence = Absence::new(from, now);
        checks::save_state(&self.connection, self.row, &self.state).unwrap();
        let before = self.state.clone();
        let LiveCheck { rules, state, .. } = self.load(now);
        assert_eq!(state, before, "what is written is read back");
        (self.rules, self.state) = (rules, state);
    }

    fn decide(&mut self, settings: &Settings, now: i64) {
        self.connection
            .execute(
                "UPDATE check_ SET period_seconds = ?, cron_expression = ?, timezone = ?,
                     grace_seconds = ?, max_runtime_seconds = ?, miss_threshold = ?,
                     fail_threshold = ?",
                params![
                    settings.period,
                    settings.cron.map(|cron| cron.0),
                    settings.cron.map(|cron| cron.1),
                    settings.grace,
                    settings.max_runtime,
                    settings.misses,
                    settings.failures
                ],
            )
            .unwrap();
        self.step(&Event::TimePassed, now);
        self.rules = self.load(now).rules;
        self.step(&Event::RulesChanged, now);
    }

    /// A window for all, for the project or for the check; and one for somebody else.
    fn plan(&mut self, id: u32, start: i64, end: i64, now: i64) {
        let (project, check) = match id % 3 {
            0 => (None, None),
            1 => (Some(PROJECT), None),
            _ => (None, Some(CHECK)),
        };
        let stranger = Uuid::from_u128(99);
        for (id, project, check) in [
            (Uuid::from_u128(id.into()), project, check),
            (Uuid::from_u128(u128::from(id) << 64), Some(stranger), None),
            (Uuid::from_u128(u128::from(id) << 96), None, Some(stranger)),
        ] {
            self.connection
                .execute(
                    "INSERT INTO maintenance VALUES (?, ?, ?, ?, 'r', ?, ?, ?)",
                    params![id, ORG, project, check, start, end, now],
                )
                .unwrap();
        }
        self.change_windows(now);
    }

    fn call_off(&mut self, id: u32, now: i64) {
        self.connection
            .execute(
                "DELETE FROM maintenance WHERE id = ?",
                [Uuid::from_u128(id.into())],
            )
            .unwrap();
        self.change_windows(now);
    }

    fn change_windows(&mut self, now: i64) {
        self.step(&Event::TimePassed, now);
        self.rules = self.load(now).rules;
        self.step(&Event::WindowsChanged, now);
    }
}

/// What came of one check.
#[derive(Default)]
struct Tally {
    pings: usize,
    alerts: Vec<webhook::Event>,
    restarts: usize,
    held: usize,
}

fn live_through(seed: u64) -> Tally {
    let mut dice = Dice(seed);
    let settings = Settings::any(&mut dice);
    let script = script(&mut dice, &settings);
    let mut real = Real::new(&settings);
    let mut model = Model::new(settings.decided(), BEGIN);
    let mut tally = Tally::default();
    // Until when the server is down, if it is.
    let mut down_until = BEGIN;
    for (arrives, happening) in script {
        let was_down = arrives < down_until;
        let now = arrives.max(down_until);
        if !was_down {
            // Nothing waits for the server: it wakes for each deadline.
            while let Some(at) = real.deadline().filter(|at| *at <= now) {
                let awake = at.max(down_until);
                let told = real.step(&Event::TimePassed, awake);
                assert!(told == 0 || !model.in_peace(awake), "told in a window");
            }
            model.until(now);
        }
        match &happening {
            Happening::Ping(kind, at, id) => {
                tally.pings += 1;
                if now - at > 7 * DAY {
                    continue;
                }
                let signal = Signal {
                    kind: *kind,
                    at: *at,
                    run_id: id.clone(),
                    duration: None,
                    exit_code: None,
                    has_ended: real.has_ended(*kind, *at, id.as_deref()),
                };
                real.step(&Event::Signal(signal), now);
                if *kind != Kind::Log {
                    model.ping(*kind, *at, id.as_deref(), now);
                } else {
                    model.ping(Kind::Log, *at, None, now);
                }
            }
            Happening::Pause => {
                real.step(&Event::Paused, now);
                model.pause(now);
            }
            Happening::Resume => {
                // As at any time: what was due before has been dealt with.
                real.step(&Event::TimePassed, now);
                real.step(&Event::Resumed, now);
                model.resume(now);
            }
            Happening::Decide(settings) => {
                real.decide(settings, now);
                model.decide(settings.decided(), now);
            }
            Happening::Plan(id, start, end) => {
                real.plan(*id, *start, *end, now);
                model.window(*id, Some((*start, *end)), now);
            }
            Happening::CallOff(id) => {
                real.call_off(*id, now);
                model.window(*id, None, now);
            }
            Happening::Restart(down) => {
                tally.restarts += 1;
                down_until = now + down;
                real.restart(now, down_until);
                model.sleep(now, down_until);
            }
        }
        tally.held += usize::from(real.state.held.is_some());
        let place = || format!("seed {seed}, at {now}: {happening:?}");
        let same = real.alerts.iter().zip(&model.alerts);
        let same = same.take_while(|(real, model)| real == model).count();
        assert_eq!(real.alerts[same..], model.alerts[same..], "{}", place());
        if down_until <= now {
            assert_eq!(real.state.status, model.status, "{}", place());
            assert_eq!(real.state.expected, model.expected, "{}", place());
            assert_eq!(real.state.failures, model.failures, "{}", place());
            if let (Status::Down, Some(expected)) = (model.status, model.expected) {
                let missing = real.state.misses(&real.rules, now);
                assert!(
                    missing > 200 || missing == 0 || missing == model.missing(expected, now, 201),
                    "{}: {missing}",
                    place()
                );
            }
        }
    }
    tally.alerts = real.alerts.iter().map(|(event, _)| *event).collect();
    tally
}

/// The seed of an ordinary run. `make simulate` tries others.
const SEED: u64 = 20_261_128;

#[test]
fn every_alert_of_a_hundred_checks_in_five_years_is_explained_and_none_is_missing() {
    let seed = std::env::var("PAKYAS_SEED").map(|seed| seed.parse().expect("a number"));
    let seed: u64 = seed.unwrap_or(SEED);
    println!("PAKYAS_SEED={seed}");
    let mut sum = Tally::default();
    let seeds = (0..CHECKS).map(|check| seed.wrapping_mul(1_000) + check);
    for seed in seeds.chain(ONCE_BROKEN) {
        let tally = live_through(seed);
        sum.pings += tally.pings;
        sum.restarts += tally.restarts;
        sum.held += tally.held;
        sum.alerts.extend(tally.alerts);
    }
    let count = |event| sum.alerts.iter().filter(|told| **told == event).count();
    println!(
        "{} pings, {} restarts, {} alerts, {} moments with a held one",
        sum.pings,
        sum.restarts,
        sum.alerts.len(),
        sum.held
    );
    for event in [
        webhook::Event::Down,
        webhook::Event::Failed,
        webhook::Event::RunningLong,
        webhook::Event::Up,
    ] {
        assert!(count(event) > 100, "{event:?}: {}", count(event));
    }
    assert!(sum.restarts > 100 && sum.held > 100);
}
