//! Getting the start and the end of a run to the server, on threads that the job never waits for.
//!
//! Whatever they meet there, a hanging name lookup, a home directory that does not answer, a
//! defect, ends with the budget that the end of the run has.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::delivery::{Delivered, Ping};
use super::super::error::Error;
use super::super::talk::Talk;
use super::Carrier;
use crate::sys;
use crate::wire::ping::Kind;

/// How a delivery went.
pub type Outcome = Result<Delivered, Error>;

type Open = Box<dyn Fn() -> Box<dyn Carrier> + Send + Sync>;

/// Which of a run's two pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Start,
    End,
}

/// The pings of one run.
pub struct Mail {
    shared: Arc<Shared>,
    news: Receiver<(Which, Outcome)>,
    start: Option<Outcome>,
    end: Option<Outcome>,
}

struct Shared {
    open: Open,
    /// Opened by the first thread that needs it; both use its connection.
    carrier: OnceLock<Box<dyn Carrier>>,
    /// Pairs the start with the end.
    run_id: OnceLock<String>,
    start_is_over: Mutex<bool>,
    start_ended: Condvar,
    news: Sender<(Which, Outcome)>,
    talk: Talk,
}

impl Mail {
    /// Sends the start, on a thread of its own. Returns at once.
    pub fn start(open: Open, talk: Talk, at: Instant, budget: Duration) -> Self {
        let (sender, news) = channel();
        let shared = Arc::new(Shared {
            open,
            carrier: OnceLock::new(),
            run_id: OnceLock::new(),
            start_is_over: Mutex::new(false),
            start_ended: Condvar::new(),
            news: sender,
            talk,
        });
        let mail = Self {
            shared: Arc::clone(&shared),
            news,
            start: None,
            end: None,
        };
        let deadline = at + budget;
        let work = move || {
            let ping = Ping::new(Kind::Start.into(), at);
            shared.deliver(Which::Start, ping, deadline);
            shared.start_over();
        };
        // No thread can be had (a limit on processes): the end may fare better, the job must not care.
        if spawn("start", work).is_err() {
            mail.shared.start_over();
        }
        mail
    }

    /// Sends the end, on a thread of its own, after the start where that is still on its way.
    pub fn end(&self, ping: Ping, deadline: Instant) {
        let shared = Arc::clone(&self.shared);
        let work = move || {
            shared.await_start(deadline);
            shared.deliver(Which::End, ping.clone(), deadline);
        };
        // Without a thread the end is sent from here: the job is over, so only we wait for it.
        if spawn("end", work.clone()).is_err() {
            work();
        }
    }

    /// How the end's delivery went, once it is over.
    pub fn end_outcome(&mut self) -> Option<&Outcome> {
        self.read_news();
        self.end.as_ref()
    }

    /// How the start's delivery went, once it is over.
    pub fn start_outcome(&mut self) -> Option<&Outcome> {
        self.read_news();
        self.start.as_ref()
    }

    fn read_news(&mut self) {
        while let Ok((which, outcome)) = self.news.try_recv() {
            match which {
                Which::Start => self.start = Some(outcome),
                Which::End => self.end = Some(outcome),
            }
        }
    }
}

impl Shared {
    fn deliver(&self, which: Which, mut ping: Ping, deadline: Instant) {
        let run_id = self.run_id.get_or_init(|| ping.key.to_string());
        ping.run_id = Some(run_id.clone());
        let name = which.name();
        self.talk
            .tell(|| format!("sending the {name} of run {run_id}"));
        let begun = Instant::now();
        let outcome = self
            .carrier
            .get_or_init(|| (self.open)())
            .carry(&ping, deadline);
        let took = begun.elapsed().as_millis();
        self.talk.tell(|| match &outcome {
            Ok(_) => format!("the {name} took {took} ms"),
            Err(error) => {
                let why = error.first_line();
                format!("the {name} was not delivered after {took} ms: {why}")
            }
        });
        // Nobody listens any more where the run was cut short.
        let _ = self.news.send((which, outcome));
        sys::wake();
    }

    fn start_over(&self) {
        *self.start_flag() = true;
        self.start_ended.notify_all();
    }

    /// Waits for the start to be over, for at most half of the time that is left: the end
    /// matters more, and the server pairs the two whichever comes first.
    fn await_start(&self, deadline: Instant) {
        let patience = deadline.saturating_duration_since(Instant::now()) / 2;
        let is_under_way = |over: &mut bool| !*over;
        let waited = self
            .start_ended
            .wait_timeout_while(self.start_flag(), patience, is_under_way);
        drop(waited);
    }

    fn start_flag(&self) -> MutexGuard<'_, bool> {
        self.start_is_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}
