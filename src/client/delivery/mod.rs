//! Getting pings there: one attempt, a verdict, and again within a budget of time; what could
//! not be delivered by then is kept, and sent by a later pakyas.
//!
//! `ping` is what is told and `moment` when it happened; `verdict` judges an attempt, `attempts`
//! decides what to do then and `pause` how long to wait, all three pure; `spool` is what is kept and
//! `flush` sends it. Here is what carries a ping.

mod attempts;
mod flush;
mod moment;
mod pause;
mod ping;
mod spool;
mod verdict;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use uuid::Uuid;

use super::address::{self, origin};
use super::api::Api;
use super::args::Globals;
use super::cache::{Shelf, ping_base};
use super::error::{Error, Kind};
use super::http::{Age, Http, Request};
use super::lookup;
use super::render::milliseconds;
use super::settings::{self, Settings};
use super::talk::Talk;
use crate::random;
use crate::wire::check::{is_slug, slug_from_name};
use crate::wire::header;
use crate::wire::{self, MAX_AGE_MS, RUN_ID_MAX};

use attempts::{Action, Attempts, Outcome, end_of_one};
pub use flush::Flushed;
pub use moment::Moment;
use moment::Recorded;
pub use ping::Ping;
pub use spool::{Entry, Kept, Spool};
use verdict::Verdict;

/// The largest answer to a ping that is read, bytes: `OK`, or a sentence.
const ANSWER_MAX: usize = 4 * 1024;

/// What a ping is about, as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A slug, to be looked up in the cache and then in the API.
    Slug(String),
    /// The public id itself: needs no key and no lookup.
    PublicId(Uuid),
    /// A ping URL: the address that its pings go to, whatever is set, and the public id.
    Url(String, Uuid),
}

impl Target {
    /// The check whose public id or ping URL this is.
    pub fn by_id(text: &str) -> Option<Self> {
        match Uuid::try_parse(text.trim()) {
            Ok(id) => Some(Self::PublicId(id)),
            Err(_) => address::ping_url(text).map(|(base, id)| Self::Url(base, id)),
        }
    }

    /// The target in a message. Who knows a public id may ping, so only its beginning shows.
    pub fn shown(&self) -> String {
        match self {
            Self::Slug(slug) => slug.escape_debug().to_string(),
            Self::PublicId(id) | Self::Url(_, id) => format!("{}-…", &id.to_string()[..8]),
        }
    }
}

/// How a delivered ping went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The ping origin that took it.
    pub sent_to: String,
    /// How many requests for the ping itself it took, at least 1.
    pub attempts: u32,
    /// The check that it was for.
    pub public_id: Uuid,
}

/// What became of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The server has it.
    Done(Delivered),
    /// It could not be delivered in time, for this reason, and is in the spool.
    Kept(Error),
    /// It is delivered neither now nor later, for this reason.
    Lost(Error),
}

/// Where a target's pings go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    base: String,
    id: Uuid,
    /// Whether the id is only remembered, and may be that of a check that is no more.
    from_cache: bool,
}

impl Place {
    fn known(base: &str, id: Uuid) -> Self {
        Self {
            base: base.to_owned(),
            id,
            from_cache: false,
        }
    }
}

/// What this process has done to keep a ping. Two threads may be at it at once: the one that
/// sends a start, and the one that sends the end and finds the start still on its way.
#[derive(Debug, Default)]
struct Keeping {
    /// When the ping was, as its file says: the same whoever writes it, and so the same name.
    at: Option<Recorded>,
    /// The file that it is in.
    path: Option<PathBuf>,
    /// It was delivered or is refused for good, and must not be kept any more.
    is_over: bool,
}

/// Carries pings. Shareable by `Arc`: the start and the end of a job use one connection.
pub struct Courier {
    settings: Settings,
    http: Arc<Http>,
    talk: Talk,
    /// Where pings are kept; `None` on a machine without a home.
    spool: Option<Spool>,
    /// What the last lookup found, so that the end of a job need not repeat that of its start.
    found: Mutex<Option<(Target, Place)>>,
    /// What was done to keep pings, by their keys.
    kept: Mutex<HashMap<Uuid, Keeping>>,
    /// Whether it was said that nothing can be kept: each ping of a run meets that again.
    told_of_no_room: AtomicBool,
}

impl Courier {
    /// Reads the settings (environment, files) and touches no network. Never fails: what is
    /// wrong with the settings surfaces in [`Courier::deliver`].
    pub fn new(globals: &Globals) -> Self {
        Self::sharing(globals, Arc::new(Http::new(settings::ca_file())))
    }

    /// One for other settings that uses the same connections.
    fn sharing(globals: &Globals, http: Arc<Http>) -> Self {
        Self {
            settings: Settings::load(globals),
            http,
            talk: Talk::new(globals),
            spool: settings::spool_directory().map(Spool::new),
            found: Mutex::new(None),
            kept: Mutex::default(),
            told_of_no_room: AtomicBool::new(false),
        }
    }

    /// Looks the target up, then tries with growing, jittered pauses until `deadline`. From
    /// the first attempt that failed on, the ping is in the spool: should this process be
    /// killed meanwhile, another sends it; so it is where a file or a setting of this machine must
    /// be mended before anything can be tried. The first line of an error's message says it all;
    /// commands that mend it may follow.
    pub fn deliver(&self, target: &Target, ping: &Ping, deadline: Instant) -> Delivery {
        let mut attempts = Attempts::new(Instant::now(), deadline);
        let (mut requests, mut last) = (0, None);
        let mut outcome = Outcome::Begun;
        loop {
            let chance = random::bytes::<1>().map_or(0, |[byte]| byte);
            outcome = match attempts.next(outcome, Instant::now(), chance) {
                Action::Try => match self.locate(target, deadline) {
                    Ok(place) => {
                        requests += 1;
                        let verdict = self.attempt(&place, ping, deadline);
                        let remembered = place.from_cache;
                        last = Some(place);
                        Outcome::of(verdict, remembered)
                    }
                    Err(error) => Outcome::of(verdict::of_error(error), false),
                },
                Action::LookUp => self.look_up_again(target, deadline),
                Action::Keep => {
                    self.keep_now(target, ping);
                    Outcome::Kept
                }
                Action::Wait(pause, why) => {
                    let told = milliseconds(pause.as_millis() as u64);
                    let why = why.first_line();
                    self.talk.detail(&format!("{why}; trying again in {told}"));
                    thread::sleep(pause);
                    Outcome::Waited
                }
                Action::Done => return self.done(target, ping, requests, last),
                Action::Unfinished(error) => return self.unfinished(ping, error),
                Action::Lost(error) => {
                    self.forget(ping);
                    return Delivery::Lost(error);
                }
            };
        }
    }

    fn done(&self, target: &Target, ping: &Ping, attempts: u32, place: Option<Place>) -> Delivery {
        self.forget(ping);
        let Some(place) = place else {
            return Delivery::Lost(Error::new(Kind::Defect, "a ping was delivered to nowhere"));
        };
        self.talk.detail(&format!(
            "{} of '{}' delivered to {} (attempt {attempts})",
            ping.shown(),
            target.shown(),
            origin(&place.base)
        ));
        Delivery::Done(Delivered {
            sent_to: place.base,
            attempts,
            public_id: place.id,
        })
    }

    /// The time is over: the ping waits in the spool, where there is one.
    fn unfinished(&self, ping: &Ping, error: Error) -> Delivery {
        match self.is_kept(ping) {
            true => Delivery::Kept(error),
            false if self.spool.is_none() => Delivery::Lost(
                error.and("; there is no place to keep it for later (HOME or PAKYAS_SPOOL_DIR)"),
            ),
            false => Delivery::Lost(error),
        }
    }

    /// Asks the API for a check whose remembered id is that of none.
    fn look_up_again(&self, target: &Target, deadline: Instant) -> Outcome {
        self.talk
            .detail("the remembered check is no more: looking it up again");
        match self.look_up(target, deadline) {
            Ok(place) => {
                self.remember(target, place);
                Outcome::LookedUp
            }
            Err(error) => Outcome::of(verdict::of_error(error), false),
        }
    }

    /// Puts a ping into the spool before anything was tried, for a process that may not live
    /// to see the end of a try. Gives whether it is there.
    pub fn keep_now(&self, target: &Target, ping: &Ping) -> bool {
        let found = self.found(target);
        let place = found.or_else(|| match target {
            Target::Slug(slug) => self.remembered(slug).ok().flatten(),
            Target::PublicId(_) => None,
            Target::Url(base, id) => Some(Place::known(base, *id)),
        });
        self.keep(target, place.as_ref(), ping);
        self.is_kept(ping)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Uuid, Keeping>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_kept(&self, ping: &Ping) -> bool {
        let kept = self.kept();
        kept.get(&ping.key).is_some_and(|one| one.path.is_some())
    }

    /// Takes a ping out of the spool, where it is there, and keeps it out.
    fn forget(&self, ping: &Ping) {
        let path = {
            let mut kept = self.kept();
            let keeping = kept.entry(ping.key).or_default();
            keeping.is_over = true;
            keeping.path.take()
        };
        if let (Some(spool), Some(path)) = (&self.spool, path) {
            let _ = spool.remove(&path);
        }
    }

    /// Puts a ping into the spool, unless it is there.
    fn keep(&self, target: &Target, place: Option<&Place>, ping: &Ping) {
        let Some(spool) = &self.spool else { return };
        let at = {
            let mut kept = self.kept();
            let keeping = kept.entry(ping.key).or_default();
            if keeping.is_over || keeping.path.is_some() {
                return;
            }
            let at = keeping.at.get_or_insert_with(|| ping.at.record());
            at.clone()
        };
        match spool.add(&self.addressee(target, place), ping, at) {
            Ok(added) => {
                if added.dropped > 0 {
                    self.talk.warn(&format!(
                        "the spool {} is full: the oldest ping in it was dropped ({} in all)",
                        spool.directory().display(),
                        added.dropped
                    ));
                }
                if let Some(path) = added.path {
                    let mut kept = self.kept();
                    let keeping = kept.entry(ping.key).or_default();
                    match keeping.is_over {
                        true => drop(spool.remove(&path)),
                        false => keeping.path = Some(path),
                    }
                }
            }
            Err(_) if self.told_of_no_room.swap(true, Ordering::Relaxed) => {}
            Err(error) => {
                self.talk.warn(&format!(
                    "can't keep a ping in {} ({error}); PAKYAS_SPOOL_DIR names another place",
                    spool.directory().display()
                ));
            }
        }
    }

    /// One request.
    fn attempt(&self, place: &Place, ping: &Ping, deadline: Instant) -> Verdict {
        let url = format!("{}/{}{}", place.base, place.id, ping.signal.path_suffix());
        let number = |value: u64| value.to_string();
        let age = Age {
            name: header::AGE,
            millis: u64::try_from(ping.at.age().as_millis()).unwrap_or(u64::MAX),
            most: MAX_AGE_MS,
        };
        let mut headers = vec![(header::IDEMPOTENCY_KEY, ping.key.to_string())];
        if let Some(run) = &ping.run_id {
            headers.push((header::RUN, run.chars().take(RUN_ID_MAX).collect()));
        }
        let measured = [
            (header::DURATION, ping.duration_ms),
            (header::CPU_MS, ping.cpu_ms),
            (header::MAX_RSS_KB, ping.max_rss_kb),
        ];
        for (name, value) in measured {
            headers.extend(value.map(|value| (name, number(value))));
        }
        if !ping.body.is_empty() {
            headers.push(("content-type", "text/plain".to_owned()));
        }
        let now = Instant::now();
        let answer = self.http.send(&Request {
            method: "POST",
            url: &url,
            headers: &headers,
            age: Some(age),
            body: Some(&ping.body),
            budget: end_of_one(now, deadline).saturating_duration_since(now),
            answer_max: ANSWER_MAX,
        });
        match answer {
            Ok(answer) => verdict::of_answer(&answer, origin(&place.base)),
            // An address, a proxy or certificates that can't be used: each of them is a setting.
            Err(error) if error.kind() == Kind::Usage => Verdict::Refused(error.of_this_machine()),
            // Where nothing says which server it is, it may well be another.
            Err(error) if place.base == wire::DEFAULT_PING_URL => verdict::of_error(
                error.and(" (--ping-url or PAKYAS_PING_URL names another server)"),
            ),
            Err(error) => verdict::of_error(error),
        }
    }

    /// Where the target's pings go: as found before, as remembered, or as the API says.
    fn locate(&self, target: &Target, deadline: Instant) -> Result<Place, Error> {
        if let Some(place) = self.found(target) {
            return Ok(place);
        }
        let remembered = match target {
            Target::Slug(slug) => self.remembered(slug)?,
            Target::PublicId(_) => None,
            Target::Url(base, id) => Some(Place::known(base, *id)),
        };
        let place = match remembered {
            Some(place) => place,
            None => self.look_up(target, deadline)?,
        };
        self.remember(target, place.clone());
        Ok(place)
    }

    /// Where the target's pings went last.
    fn found(&self, target: &Target) -> Option<Place> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, place) = found.as_ref()?;
        (known == target).then(|| place.clone())
    }

    fn remember(&self, target: &Target, place: Place) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        *found = Some((target.clone(), place));
    }

    /// Where the slug's pings go, as far as the cache knows.
    fn remembered(&self, slug: &str) -> Result<Option<Place>, Error> {
        if !is_slug(slug) {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "'{}' is neither a slug nor a public id",
                    slug.chars().take(120).collect::<String>().escape_debug()
                ),
            ));
        }
        let key = self.settings.key()?;
        let api_url = self.settings.api_url()?;
        let asked = self.settings.asked_org();
        let directory = self.settings.directory().map(AsRef::as_ref);
        let account = Shelf::new(directory, &api_url, &key, asked.as_deref()).read();
        let Some(check) = account.find(&self.settings.project()?, slug) else {
            return Ok(None);
        };
        let base = self.settings.ping_url()?.or(account.ping_url.clone());
        Ok(base.map(|base| Place {
            base,
            id: check.public_id,
            from_cache: true,
        }))
    }

    /// Where the target's pings go, as the API says.
    fn look_up(&self, target: &Target, deadline: Instant) -> Result<Place, Error> {
        let known_base = match target {
            Target::Url(base, _) => Some(base.clone()),
            Target::PublicId(_) | Target::Slug(_) => self.settings.ping_url()?,
        };
        let (id, base) = match target {
            Target::PublicId(id) | Target::Url(_, id) => {
                let base = match known_base {
                    Some(base) => base,
                    None => self.ping_base_of_api(deadline)?,
                };
                (*id, base)
            }
            Target::Slug(slug) => {
                let api = Api::connect(
                    &self.settings,
                    &self.http,
                    Some(end_of_one(Instant::now(), deadline)),
                )?;
                let check = lookup::check(&api, &self.settings.project()?, slug)?;
                let base = match known_base {
                    Some(base) => base,
                    None => match ping_base(&check) {
                        Some(base) => address::base_url(base, "the check's ping URL")?,
                        None => api.base().to_owned(),
                    },
                };
                (check.public_id, base)
            }
        };
        Ok(Place::known(&base, id))
    }

    /// The ping address of an API that nothing says one of: what it says itself, else its
    /// own, because a self-hosted server has both at one. Never that of another server.
    fn ping_base_of_api(&self, deadline: Instant) -> Result<String, Error> {
        let api_url = self.settings.api_url()?;
        if self.settings.key().is_err() {
            return Ok(api_url);
        }
        let api = Api::connect(
            &self.settings,
            &self.http,
            Some(end_of_one(Instant::now(), deadline)),
        )?;
        match api.me() {
            Ok(me) => address::base_url(&me.ping_url_base, "the server's ping URL"),
            Err(error) if error.kind() == Kind::Network => Err(error),
            Err(_) => Ok(api_url),
        }
    }
}

/// That a text can't be a slug, with the slug that it may stand for.
pub fn not_a_slug(text: &str) -> Error {
    let near = slug_from_name(text);
    let near = if near.is_empty() {
        String::new()
    } else {
        format!(" (did you mean '{near}'?)")
    };
    Error::new(
        Kind::Usage,
        format!(
            "'{}' is not a slug{near}: a slug has a-z, 0-9 and -, up to {} characters, and no spaces or dots",
            text.chars().take(120).collect::<String>().escape_debug(),
            wire::check::SLUG_MAX
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn a_ping_that_two_threads_keep_is_one_file_and_gone_with_its_delivery() {
        let folder = format!("pakyas-kept-twice-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let courier = Courier {
            spool: Some(Spool::new(folder.clone())),
            ..Courier::new(&Globals::default())
        };
        let target = Target::PublicId(Uuid::from_u128(7));
        for _ in 0..50 {
            let ping = Ping::new(wire::Kind::Start.into(), Moment::now());
            let together = Barrier::new(4);
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        together.wait();
                        courier.keep(&target, None, &ping);
                    });
                }
            });
            let spool = courier.spool.as_ref().unwrap();
            assert_eq!(spool.list().unwrap().len(), 1);
            courier.forget(&ping);
            // Whoever finds only now that it is still on its way comes too late.
            courier.keep(&target, None, &ping);
            assert!(spool.is_empty());
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
