//! Sending what was kept: oldest first, each only to the server that it was for.

use std::path::Path;
use std::time::{Duration, Instant};

use super::attempts::end_of_one;
use super::spool::Addressee;
use super::{Courier, Kept, Place, Target};
use crate::client::address::origin;
use crate::client::args::Globals;
use crate::client::cache::Shelf;
use crate::client::error::{Error, Kind};
use crate::client::settings::Selection;
use crate::wire::MAX_AGE_MS;

use super::verdict::Verdict;

/// How old what is known of an account may be before it is asked for again.
const CACHE_AGE: Duration = Duration::from_secs(24 * 3_600);

/// What became of what was kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flushed {
    /// How many pings were delivered.
    pub sent: usize,
    /// How many were refused for good or too old, and are gone.
    pub dropped: usize,
    /// How many are left, for this server or another.
    pub left: usize,
    /// Why there are some left, where it is known.
    pub why: Option<Error>,
}

/// Which servers a flush is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Servers {
    /// The one that the settings say.
    Own,
    /// Every one that something is kept for.
    All,
}

/// What became of one kept ping.
enum Sent {
    Delivered,
    Gone(Error),
    Later(Error),
    /// It is for a server that is not asked now.
    NotNow,
}

impl Courier {
    /// After work that went well: sends what is kept for the same server, and asks anew for
    /// what has been remembered for more than 24 hours; all of it until `until` at most.
    pub fn after_work(&self, until: Instant) {
        let flushed = self.flush_to(Servers::Own, until);
        if flushed.sent > 0 {
            self.talk
                .detail(&format!("{} kept pings delivered too", flushed.sent));
        }
        self.refresh(until);
    }

    /// Sends all that is kept, to every server that something is kept for.
    pub fn flush(&self, until: Instant) -> Flushed {
        self.flush_to(Servers::All, until)
    }

    fn flush_to(&self, servers: Servers, until: Instant) -> Flushed {
        let mut flushed = Flushed::default();
        let Some(spool) = self.spool.as_ref().filter(|spool| !spool.is_empty()) else {
            return flushed;
        };
        // One process at a time: the others have better things to do.
        let Some(_turn) = spool.turn_to_flush() else {
            flushed.left = spool.list().map_or(0, |entries| entries.len());
            return flushed;
        };
        let entries = spool.list().unwrap_or_default();
        // Origins that did not answer, so that one that is away holds up no other.
        let mut away: Vec<String> = Vec::new();
        // Whose check can't be found for now, so that they hold up nobody else and none is asked
        // for twice.
        let mut unfound: Vec<Addressee> = Vec::new();
        for entry in entries {
            if Instant::now() >= until {
                flushed.left += 1;
                continue;
            }
            let kept = match spool.read(&entry) {
                Ok(Some(kept)) => kept,
                Ok(None) => continue,
                Err(error) => {
                    self.talk.warn(&error.to_string());
                    continue;
                }
            };
            let server = kept.to.server().to_owned();
            if away.contains(&server) || unfound.contains(&kept.to) {
                flushed.left += 1;
                continue;
            }
            match self.send_kept(servers, &kept, until) {
                Sent::Delivered => {
                    flushed.sent += 1;
                    let _ = spool.remove(&spool.path(&entry));
                }
                Sent::Gone(error) => {
                    flushed.dropped += 1;
                    self.drop_kept(&spool.path(&entry), &kept, &error);
                }
                Sent::Later(error) => {
                    flushed.left += 1;
                    match error.kind() {
                        Kind::Network => away.push(server),
                        _ => unfound.push(kept.to),
                    }
                    flushed.why = Some(error);
                }
                Sent::NotNow => flushed.left += 1,
            }
        }
        flushed
    }

    fn drop_kept(&self, path: &Path, kept: &Kept, why: &Error) {
        let what = kept.ping.shown();
        let whom = kept.to.shown();
        self.talk.warn(&format!(
            "a kept ping ({what} of '{whom}') was dropped: {}",
            why.first_line()
        ));
        if let Some(spool) = &self.spool {
            let _ = spool.remove(path);
        }
    }

    fn send_kept(&self, servers: Servers, kept: &Kept, until: Instant) -> Sent {
        if kept.ping.at.age() > Duration::from_millis(MAX_AGE_MS) {
            let why = "it is over 7 days old, which no server takes";
            return Sent::Gone(Error::new(Kind::Refused, why));
        }
        let own_api = self.settings.api_url();
        // One that was kept because the file was damaged that says which API is for that of the
        // file once it is mended.
        let same_api = own_api
            .as_ref()
            .is_ok_and(|own| kept.to.api_url.as_ref().is_none_or(|its| its == own));
        let place = match (&kept.to.ping_url, kept.to.public_id) {
            (Some(base), Some(id)) => {
                if servers == Servers::Own && !self.is_own(base) {
                    return Sent::NotNow;
                }
                Place::known(base, id)
            }
            // A key goes to the API that it was given for, so this is for that API only.
            _ if !same_api => return own_api.map_or_else(Sent::Later, |_| Sent::NotNow),
            _ => match self.find(kept, until) {
                Ok(place) => place,
                Err(error) => return of_lookup(error),
            },
        };
        match self.attempt(&place, &kept.ping, until) {
            // The check may have been made anew since, under the same slug.
            Verdict::Refused(error)
                if error.kind() == Kind::NotFound && kept.to.slug.is_some() && same_api =>
            {
                match self.find(kept, until) {
                    Ok(other) if other.id != place.id && other.base == place.base => {
                        of_verdict(self.attempt(&other, &kept.ping, until))
                    }
                    Ok(_) => Sent::Gone(error),
                    Err(error) => of_lookup(error),
                }
            }
            verdict => of_verdict(verdict),
        }
    }

    /// Whether `base` is where our own pings go.
    fn is_own(&self, base: &str) -> bool {
        let found = self.found.lock();
        let found = found.unwrap_or_else(std::sync::PoisonError::into_inner);
        let last = found.as_ref().map(|(_, place)| place.base.as_str());
        match (last, self.settings.ping_url()) {
            (Some(last), _) => last == base,
            (None, Ok(Some(own))) => own == base,
            // A self-hosted server has both at one address.
            (None, Ok(None)) => self.settings.api_url().is_ok_and(|api| api == base),
            (None, Err(_)) => false,
        }
    }

    /// Looks a kept ping's check up, in the project that was meant when it was kept.
    fn find(&self, kept: &Kept, until: Instant) -> Result<Place, Error> {
        let globals = self.settings.globals();
        let as_it_was = Globals {
            org: kept.to.org.clone(),
            project: kept.to.project.clone(),
            api_url: kept.to.api_url.clone(),
            ping_url: kept.to.ping_url.clone(),
            ..globals.clone()
        };
        let target = match (&kept.to.slug, kept.to.public_id) {
            (Some(slug), _) => Target::Slug(slug.clone()),
            (None, Some(id)) => Target::PublicId(id),
            (None, None) => {
                return Err(Error::new(Kind::NotFound, "it does not say which check"));
            }
        };
        Self::sharing(&as_it_was, self.http.clone()).look_up(&target, until)
    }

    /// Whose ping it is, for a process that knows nothing of this one's settings.
    pub(super) fn addressee(&self, target: &Target, place: Option<&Place>) -> Addressee {
        let slug = match target {
            Target::Slug(slug) => Some(slug.clone()),
            Target::PublicId(_) | Target::Url(..) => None,
        };
        let project = match self.settings.project() {
            Ok(Selection::Id(id, _)) => Some(id.to_string()),
            Ok(Selection::Named(name)) => Some(name),
            Ok(Selection::None) | Err(_) => None,
        };
        Addressee {
            ping_url: match place {
                Some(place) => Some(place.base.clone()),
                None => self.settings.ping_url().ok().flatten(),
            },
            public_id: match (place, target) {
                (Some(place), _) => Some(place.id),
                (None, Target::PublicId(id) | Target::Url(_, id)) => Some(*id),
                (None, Target::Slug(_)) => None,
            },
            api_url: self.settings.api_url().ok(),
            org: self.settings.asked_org(),
            project: project.filter(|_| slug.is_some()),
            slug,
        }
    }

    /// Asks anew for what is remembered of this account, where that is a day old. Where the
    /// API can't be reached the old is used on.
    fn refresh(&self, until: Instant) {
        let old = || -> Option<bool> {
            let key = self.settings.key().ok()?;
            let api_url = self.settings.api_url().ok()?;
            let asked = self.settings.asked_org();
            let directory = self.settings.directory()?;
            let account = Shelf::new(Some(directory), &api_url, &key, asked.as_deref()).read();
            let age = jiff::Timestamp::now().duration_since(account.fetched_at);
            Some(!account.checks.is_empty() && age.unsigned_abs() > CACHE_AGE)
        };
        if old() != Some(true) {
            return;
        }
        let asked = super::Api::connect(
            &self.settings,
            &self.http,
            Some(end_of_one(Instant::now(), until)),
        )
        .and_then(|api| api.checks(None));
        if let Err(error) = asked {
            self.talk.detail(error.first_line());
        }
    }
}

impl Addressee {
    /// The server that it is for, for a person.
    pub fn server(&self) -> &str {
        let url = self.ping_url.as_deref().or(self.api_url.as_deref());
        origin(url.unwrap_or("?"))
    }

    /// The check, for a person. Who knows a public id may ping, so only its beginning shows.
    pub fn shown(&self) -> String {
        match (&self.slug, self.public_id) {
            (Some(slug), _) => Target::Slug(slug.clone()).shown(),
            (None, Some(id)) => Target::PublicId(id).shown(),
            (None, None) => "?".to_owned(),
        }
    }
}

/// What the server refuses is gone; what this machine can't send waits until that is mended.
fn of_verdict(verdict: Verdict) -> Sent {
    match verdict {
        Verdict::Delivered => Sent::Delivered,
        Verdict::Refused(error) if !error.is_local() => Sent::Gone(error),
        Verdict::Refused(error) | Verdict::Later(error) => Sent::Later(error),
    }
}

/// A lookup that failed: the ping waits for a network, a key or a project; a check that is not
/// there is not waited for.
fn of_lookup(error: Error) -> Sent {
    if error.kind() == Kind::NotFound && !error.is_local() {
        Sent::Gone(error)
    } else {
        Sent::Later(error)
    }
}
