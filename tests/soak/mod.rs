//! Hours in minutes: a server with many checks and many kinds of clients, to which things happen
//! in a random order from a printed seed. When it is over the books are balanced, from outside:
//! the API, the webhook target, the spools.
//!
//! - Every ping that its sender believes delivered is in the history once, and no other is.
//! - Every change of status that is to be told has its alert, each alert reached the target, and
//!   no alert is without its change. A repetition has the id and the bytes of the first.
//! - The last ping of a check decides what it is, whatever the clock did; after hours of silence
//!   it is down, and told.
//! - The spools are empty once the server is back.
//!
//! `make soak` runs `hours_in_minutes` with SOAK_MINUTES, SOAK_CHECKS and SOAK_SEED.

mod books;
mod clients;
mod ledger;
mod world;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::support::dice::Dice;
use crate::support::home::Home;
use crate::support::wait_for;
use clients::{Belief, Jobs, Known, Scene, Sent};
use ledger::{Ledger, Told};
use serde_json::Value;
use world::World;

/// Threads that ping raw, homes with a real `pakyas`, and threads that behave badly.
const RAW: usize = 6;
const HOMES: usize = 3;
const RUDE: usize = 2;

/// Longer than the longest period, grace and run of all checks together, seconds.
const SILENCE: i64 = 3 * 3_600;

/// By how much the clock is set back before the silence: who did not notice would still wait.
const SET_BACK: i64 = 2 * 3_600;

/// What one soak is.
struct Trial {
    seed: u64,
    checks: usize,
    lasts: Duration,
}

fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not '{text}'")),
    )
}

#[test]
fn a_short_soak_leaves_the_books_balanced() {
    if std::env::var_os(world::APART).is_none()
        && world::apart("a_short_soak_leaves_the_books_balanced")
    {
        return;
    }
    Trial {
        seed: 1972,
        checks: 120,
        lasts: Duration::from_secs(20),
    }
    .run();
}

#[test]
#[ignore = "takes minutes: make soak"]
fn hours_in_minutes() {
    if std::env::var_os(world::APART).is_none() && world::apart("hours_in_minutes") {
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Trial {
        seed: asked("SOAK_SEED").unwrap_or(now.as_millis() as u64),
        checks: asked("SOAK_CHECKS").unwrap_or(2_000) as usize,
        lasts: Duration::from_secs(60 * asked("SOAK_MINUTES").unwrap_or(5)),
    }
    .run();
}

/// What was believed in the end, by slug.
#[derive(Default)]
struct Beliefs {
    sent: HashMap<String, Sent>,
    ran: HashMap<String, clients::Ran>,
}

impl Beliefs {
    fn add(&mut self, jobs: Jobs) {
        self.sent.extend(jobs.pinged);
        self.ran.extend(jobs.ran);
    }
}

impl Trial {
    fn run(self) {
        let Self {
            seed,
            checks,
            lasts,
        } = self;
        println!("soak: seed {seed}, {checks} checks, {} s", lasts.as_secs());
        let (mut world, ledger) = World::new(Ledger::start);
        for missing in world.missing() {
            println!("soak: skipped: {missing}");
        }
        let mut dice = Dice::of(seed);
        let mut limited = HashMap::new();
        let mut create = |slug: String| {
            let (period, grace) = (600 + dice.below(3_000), dice.below(600));
            let limit = (dice.below(3) == 0).then(|| 60 + dice.below(600));
            let check = world.create(&slug, period, grace, limit);
            limited.insert(slug.clone(), limit.is_some());
            Known {
                slug,
                public_id: check["public_id"].as_str().unwrap().to_owned(),
            }
        };
        let raw: Vec<_> = (0..checks).map(|n| create(format!("raw-{n}"))).collect();
        let pinged: Vec<_> = (0..HOMES).map(|n| create(format!("pinged-{n}"))).collect();
        let each = (lasts.as_secs() / 5 + 1) as usize;
        let monitored: Vec<Vec<_>> = (0..HOMES)
            .map(|home| {
                let slug = |n| format!("monitored-{home}-{n}");
                (0..each.min(20)).map(|n| create(slug(n))).collect()
            })
            .collect();
        let untouched = create("untouched".to_owned());
        let homes: Vec<_> = (0..HOMES).map(|_| Home::at(&world.server.url)).collect();

        let over = AtomicBool::new(false);
        let url = world.server.url.clone();
        let scene = Scene {
            url: &url,
            seed,
            over: &over,
        };
        let mut beliefs = Beliefs::default();
        let (mut steps, mut deck) = (0, Vec::new());
        std::thread::scope(|scope| {
            let _over = Over(&over);
            let scene = &scene;
            let mut senders = Vec::new();
            for (number, checks) in raw.chunks(checks.div_ceil(RAW)).enumerate() {
                senders.push(scope.spawn(move || Jobs {
                    pinged: clients::raw(scene, number as u64, checks),
                    ..Jobs::default()
                }));
            }
            for (number, home) in homes.iter().enumerate() {
                let (pinged, monitored) = (&pinged[number], &monitored[number]);
                senders.push(scope.spawn(move || {
                    clients::processes(scene, number as u64, home, pinged, monitored)
                }));
            }
            for number in 0..RUDE {
                let untouched = &untouched;
                scope.spawn(move || clients::rude(scene, number as u64, untouched));
            }
            let begun = Instant::now();
            while begun.elapsed() < lasts {
                std::thread::sleep(dice.millis(100, 1_500));
                steps += 1;
                let what = disturb(&mut world, &ledger, &mut dice, &mut deck);
                println!(
                    "soak: {:5.1} s, step {steps}: {what}",
                    begun.elapsed().as_secs_f64()
                );
            }
            over.store(true, Ordering::SeqCst);
            for sender in senders {
                beliefs.add(sender.join().unwrap());
            }
        });
        let mut differs = Vec::new();
        for (number, home) in homes.iter().enumerate() {
            let flushed = home.pakyas("spool flush");
            let left = home.pakyas("spool list --format json").json();
            if flushed.code != 0 || left.as_array().is_none_or(|left| !left.is_empty()) {
                differs.push(format!("home {number} keeps {left}: {}", flushed.stderr));
            }
        }
        println!("soak: calm again; the last pings");
        let ids: HashMap<&str, &Known> = raw
            .iter()
            .chain(&pinged)
            .chain(monitored.iter().flatten())
            .map(|known| (known.slug.as_str(), known))
            .collect();
        let fails = last_pings(&world, &ids, &mut dice, &mut beliefs, &mut differs);
        if world.set_clock(-SET_BACK).is_some() {
            println!("soak: the clock is set back; then hours of silence");
            expects_in_time(&world);
            world.set_clock(SILENCE);
            silence(&world, &fails, &limited, &mut differs);
        }
        balance(&mut world, &ledger, &beliefs, &mut differs);
        if !differs.is_empty() {
            let kept = world.keep(seed);
            for line in differs.iter().take(30) {
                println!("soak: {line}");
            }
            panic!(
                "seed {seed}: {} differences after {steps} steps; the data is in {}; \
                 SOAK_SEED={seed} SOAK_CHECKS={checks} SOAK_MINUTES={} make soak",
                differs.len(),
                kept.display(),
                lasts.as_secs().div_ceil(60)
            );
        }
    }
}

/// Ends the clients also where something fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Does to the world what comes next from the `deck`, in which everything is before anything is
/// again; tells what it was.
fn disturb(world: &mut World, ledger: &Ledger, dice: &mut Dice, deck: &mut Vec<u64>) -> String {
    if deck.is_empty() {
        deck.extend(0..8);
    }
    let drawn = deck.swap_remove(dice.below(deck.len() as u64) as usize);
    let pause = dice.millis(0, 1_000);
    let millis = pause.as_millis();
    match drawn {
        0 | 1 => {
            world.kill();
            std::thread::sleep(pause);
            world.start();
            format!("kill -9, away for {millis} ms")
        }
        2 => {
            world.stop();
            std::thread::sleep(pause);
            world.start();
            format!("stopped, away for {millis} ms")
        }
        3 if world.cut(true) => {
            std::thread::sleep(3 * pause);
            world.cut(false);
            format!("link cut for {} ms", 3 * millis)
        }
        4 if world.fill(true) => {
            std::thread::sleep(2 * pause);
            let is_killed = dice.below(2) == 0;
            if is_killed {
                world.kill();
            }
            world.fill(false);
            if is_killed {
                world.start();
            }
            let too = if is_killed { ", and kill -9" } else { "" };
            format!("disk full for {} ms{too}", 2 * millis)
        }
        5 => {
            ledger.sulk(true);
            std::thread::sleep(pause);
            ledger.sulk(false);
            format!("the webhook target does not answer for {millis} ms")
        }
        what => {
            let minutes = 1 + dice.below(90) as i64;
            // Neither so far ahead that what is kept becomes too old, nor before the start.
            let back = what == 6 && world.clock_is_off() > 60 * minutes;
            let seconds = 60 * if back { -minutes } else { minutes };
            let is_away = dice.below(3) == 0;
            if is_away {
                world.kill();
            }
            let off = world.set_clock(seconds);
            if is_away {
                world.start();
            }
            let away = if is_away { " while it is away" } else { "" };
            match off {
                Some(off) => format!("clock set by {seconds} s{away}, now {off} s off"),
                None => "nothing".to_owned(),
            }
        }
    }
}

/// Sends each check a last ping, which decides what it is; gives which of them failed.
fn last_pings(
    world: &World,
    checks: &HashMap<&str, &Known>,
    dice: &mut Dice,
    beliefs: &mut Beliefs,
    differs: &mut Vec<String>,
) -> HashMap<String, bool> {
    let mut fails = HashMap::new();
    for (slug, known) in checks {
        let is_fail = dice.below(3) == 0;
        let (suffix, kind) = if is_fail {
            ("/fail", "fail")
        } else {
            ("", "success")
        };
        let path = format!("/{}{suffix}", known.public_id);
        let sent = match beliefs.ran.get_mut(*slug) {
            // No job has the code 0, and one that failed without a code is none.
            Some(ran) => {
                ran.insert(0, Belief::Unknown);
                None
            }
            None => Some(beliefs.sent.entry((*slug).to_owned()).or_default()),
        };
        let headers = [("x-pakyas-run", "last")];
        let answer = world.server.request("POST", &path, &headers, b"").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        if let Some(sent) = sent {
            sent.insert(("last".to_owned(), kind), Belief::Delivered);
        }
        fails.insert((*slug).to_owned(), is_fail);
    }
    let now = world.checks();
    for (slug, is_fail) in &fails {
        let wanted = if *is_fail { "down" } else { "up" };
        let status = &now[slug]["status"];
        if status != wanted {
            differs.push(format!(
                "{slug}: {status} after its last ping, not {wanted}"
            ));
        }
    }
    fails
}

/// Waits until the server expects nothing later than a period from now, by its own clock.
fn expects_in_time(world: &World) {
    wait_for("the server to notice that its clock was set back", || {
        let now = world.now();
        let mut checks = world.checks().into_values();
        let in_time = checks.all(|check| {
            let expected = check["next_ping_expected_at"].as_str();
            let expected = expected.map(|text| text.parse::<Timestamp>().unwrap());
            expected.is_none_or(|expected| expected.as_second() - now < 3_700)
        });
        in_time.then_some(())
    });
}

/// Waits until hours of silence have brought everything down that was ever pinged.
fn silence(
    world: &World,
    fails: &HashMap<String, bool>,
    limited: &HashMap<String, bool>,
    differs: &mut Vec<String>,
) {
    let begun = Instant::now();
    let mut left;
    loop {
        let now = world.checks();
        left = Vec::new();
        for (slug, is_fail) in fails {
            let status = now[slug]["status"].as_str().unwrap();
            // One whose end never came may have brought it there first.
            let is_over = status == "overrunning" && limited[slug] && !is_fail;
            if status != "down" && !is_over {
                left.push(format!("{slug}: {status} after hours of silence"));
            }
        }
        if now["untouched"]["status"] != "new" {
            left.push(format!(
                "half a request did something: {}",
                now["untouched"]
            ));
        }
        if left.is_empty() || begun.elapsed() > Duration::from_secs(30) {
            break;
        }
        world.settle();
    }
    differs.append(&mut left);
}

/// Holds everything that is believed against what the server says of each check.
fn balance(world: &mut World, ledger: &Ledger, beliefs: &Beliefs, differs: &mut Vec<String>) {
    let pending = |world: &World| {
        let metrics = world.server.request("GET", "/metrics", &[], b"").unwrap();
        let line = metrics.body.lines().find_map(|line| {
            line.strip_prefix("pakyas_outbox_pending ")
                .map(str::to_owned)
        });
        line.unwrap_or_else(|| panic!("{}", metrics.body))
    };
    // What waits for a minute or five is made due.
    for _ in 0..20 {
        let (begun, mut count) = (Instant::now(), ledger.count());
        while pending(world) != "0" && begun.elapsed() < Duration::from_secs(20) {
            world.settle();
            if count == ledger.count() && begun.elapsed() > Duration::from_secs(2) {
                break;
            }
            count = ledger.count();
        }
        if pending(world) == "0" {
            break;
        }
        world.let_time_come();
    }
    if pending(world) != "0" {
        differs.push(format!("{} deliveries are still pending", pending(world)));
    }
    let told = ledger.told();
    let mut by_check: HashMap<&str, Vec<&Told>> = HashMap::new();
    for told in told.values() {
        by_check.entry(&told.check).or_default().push(told);
    }
    differs.extend(ledger.wrong());
    let (mut pings, mut changes) = (0, 0);
    for (slug, check) in &world.checks() {
        let history = world.server.history(check);
        let events = world.events(check);
        pings += history.len();
        changes += events.len();
        match beliefs.ran.get(slug) {
            Some(ran) => {
                let named: Vec<Value> = history
                    .into_iter()
                    .filter(|ping| ping["run_id"] != "last")
                    .collect();
                books::ran(slug, ran, &named, differs);
            }
            None => {
                let nothing = Sent::default();
                let sent = beliefs.sent.get(slug).unwrap_or(&nothing);
                books::sent(slug, sent, &history, differs);
            }
        }
        let told = by_check.remove(slug.as_str()).unwrap_or_default();
        let status = check["status"].as_str().unwrap();
        books::alerts(slug, status, &events, &told, differs);
    }
    for slug in by_check.keys() {
        differs.push(format!("alerts of {slug}, which is not there"));
    }
    println!(
        "soak: {pings} pings, {changes} changes and alerts, {} alerts told in {} deliveries",
        told.len(),
        ledger.deliveries()
    );
}
