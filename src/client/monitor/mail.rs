//! Getting the start and the end of a run to the server, on threads that the job never waits for.
//!
//! Whatever they meet there, a hanging name lookup, a home directory that does not answer, a
//! defect, ends with the budget that the end of the run has.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::delivery::{Delivery, Moment, Ping};
use super::super::talk::Talk;
use super::Carrier;
use crate::sys;
use crate::wire::ping::Kind;

/// How long the start may still be on its way at the job's end before that looks like trouble,
/// and the end is kept on disk while it waits for its turn.
const TROUBLE: Duration = Duration::from_millis(500);

/// How long, after the end was delivered, may be used for pings that were kept before.
pub const AFTER_WORK: Duration = Duration::from_secs(2);

type Open = Box<dyn Fn() -> Box<dyn Carrier> + Send + Sync>;

/// Which of a run's two pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Start,
    End,
}

/// What a thread has to tell.
enum News {
    Over(Which, Delivery),
    /// All is done that was to be done after the end.
    Finished,
}

/// The pings of one run.
pub struct Mail {
    shared: Arc<Shared>,
    news: Receiver<News>,
    start: Option<Delivery>,
    end: Option<Delivery>,
    finished: bool,
}

struct Shared {
    open: Open,
    /// Opened by the first thread that needs it; both use its connection.
    carrier: OnceLock<Box<dyn Carrier>>,
    /// Pairs the start with the end.
    run_id: OnceLock<String>,
    /// The start's ping, once its thread has begun.
    started: OnceLock<Ping>,
    start_is_over: Mutex<bool>,
    start_ended: Condvar,
    news: Sender<News>,
    talk: Talk,
}

impl Mail {
    /// Sends the start, on a thread of its own. Returns at once.
    pub fn start(open: Open, talk: Talk, at: Moment, budget: Duration) -> Self {
        let begun = Instant::now();
        let (sender, news) = channel();
        let shared = Arc::new(Shared {
            open,
            carrier: OnceLock::new(),
            run_id: OnceLock::new(),
            started: OnceLock::new(),
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
            finished: false,
        };
        let deadline = begun + budget;
        let work = move || {
            let start = || shared.of_this_run(Ping::new(Kind::Start.into(), at));
            let ping = shared.started.get_or_init(start);
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
    /// `pressed`: this process has been told to end, and may be killed before long.
    pub fn end(&self, ping: Ping, deadline: Instant, pressed: bool) {
        let shared = Arc::clone(&self.shared);
        let ping = shared.of_this_run(ping);
        let work = move || {
            if pressed || !shared.await_start(Instant::now() + TROUBLE) {
                shared.carrier().keep(&ping);
                shared.keep_start();
            }
            let patience = deadline.saturating_duration_since(Instant::now()) / 2;
            shared.await_start(Instant::now() + patience);
            if shared.deliver(Which::End, &ping, deadline) {
                shared.carrier().after_work(Instant::now() + AFTER_WORK);
            }
            shared.tell(News::Finished);
        };
        // Without a thread the end is sent from here: the job is over, so only we wait for it.
        if spawn("end", work.clone()).is_err() {
            work();
        }
    }

    /// Keeps the end on disk, for a process that is to end now; gives whether that went well.
    pub fn keep(&self, ping: Ping) -> bool {
        self.shared.carrier().keep(&self.shared.of_this_run(ping))
    }

    /// How the end's delivery went, once it is over.
    pub fn end_outcome(&mut self) -> Option<&Delivery> {
        self.read_news();
        self.end.as_ref()
    }

    /// Whether this process may end: the end's outcome is known, and where it is only kept the
    /// start is over too, which may still be on its way to the same slow disk.
    pub fn is_settled(&mut self) -> bool {
        match self.end_outcome() {
            None => false,
            Some(Delivery::Kept(_)) => *self.shared.start_flag(),
            Some(Delivery::Done(_) | Delivery::Lost(_)) => true,
        }
    }

    /// How the start's delivery went, once it is over.
    pub fn start_outcome(&mut self) -> Option<&Delivery> {
        self.read_news();
        self.start.as_ref()
    }

    /// Whether nothing is left to be done, after the end too.
    pub fn is_finished(&mut self) -> bool {
        self.read_news();
        self.finished
    }

    fn read_news(&mut self) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Over(Which::Start, outcome) => self.start = Some(outcome),
                News::Over(Which::End, outcome) => self.end = Some(outcome),
                News::Finished => self.finished = true,
            }
        }
    }
}

impl Shared {
    /// Opened by the first thread that needs it.
    fn carrier(&self) -> &dyn Carrier {
        &**self.carrier.get_or_init(|| (self.open)())
    }

    /// The ping with the id of this run.
    fn of_this_run(&self, mut ping: Ping) -> Ping {
        let run_id = self.run_id.get_or_init(|| ping.key.to_string());
        ping.run_id = Some(run_id.clone());
        ping
    }

    /// Keeps a start that is still on its way: an attempt that hangs has not failed yet, and this
    /// process ends with the end. Where it arrives all the same, its key makes it count once.
    fn keep_start(&self) {
        if let Some(start) = self.started.get()
            && !*self.start_flag()
        {
            self.carrier().keep(start);
        }
    }

    /// Delivers one of the two; gives whether the server has it.
    fn deliver(&self, which: Which, ping: &Ping, deadline: Instant) -> bool {
        let name = which.name();
        self.talk.tell(|| {
            let run = ping.run_id.as_deref().unwrap_or_default();
            format!("sending the {name} of run {run}")
        });
        let begun = Instant::now();
        let outcome = self.carrier().carry(ping, deadline);
        let took = begun.elapsed().as_millis();
        self.talk.tell(|| match &outcome {
            Delivery::Done(_) => format!("the {name} took {took} ms"),
            Delivery::Kept(error) | Delivery::Lost(error) => {
                let why = error.first_line();
                format!("the {name} was not delivered after {took} ms: {why}")
            }
        });
        let delivered = matches!(outcome, Delivery::Done(_));
        self.tell(News::Over(which, outcome));
        delivered
    }

    fn tell(&self, news: News) {
        // Nobody listens any more where the run was cut short.
        let _ = self.news.send(news);
        sys::wake();
    }

    fn start_over(&self) {
        *self.start_flag() = true;
        self.start_ended.notify_all();
        sys::wake();
    }

    /// Waits until `until` for the start to be over, and gives whether it is. The end does not
    /// wait for ever: it matters more, and the server pairs the two whichever comes first.
    fn await_start(&self, until: Instant) -> bool {
        let patience = until.saturating_duration_since(Instant::now());
        let is_under_way = |over: &mut bool| !*over;
        let waited = self
            .start_ended
            .wait_timeout_while(self.start_flag(), patience, is_under_way);
        *waited.unwrap_or_else(PoisonError::into_inner).0
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::error::{Error, Kind};
    use crate::wire::{self, ping::Signal};

    /// A network that is away, and a disk that takes a start only once it is told to.
    struct SlowDisk(Arc<(Mutex<bool>, Condvar)>);

    impl Carrier for SlowDisk {
        fn carry(&self, ping: &Ping, _: Instant) -> Delivery {
            if ping.signal.kind == crate::wire::ping::Kind::Start {
                let (is_free, changed) = &*self.0;
                let is_free = is_free.lock().unwrap_or_else(PoisonError::into_inner);
                drop(changed.wait_while(is_free, |is_free| !*is_free));
            }
            Delivery::Kept(Error::new(Kind::Network, "away"))
        }

        fn keep(&self, _: &Ping) -> bool {
            true
        }

        fn after_work(&self, _: Instant) {}
    }

    /// A network on which a start hangs for ever and an end does not.
    struct HangingStart(Arc<Mutex<Vec<wire::Kind>>>);

    impl Carrier for HangingStart {
        fn carry(&self, ping: &Ping, _: Instant) -> Delivery {
            if ping.signal.kind == wire::Kind::Start {
                loop {
                    thread::park();
                }
            }
            Delivery::Lost(Error::new(Kind::Refused, "here"))
        }

        fn keep(&self, ping: &Ping) -> bool {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(ping.signal.kind);
            true
        }

        fn after_work(&self, _: Instant) {}
    }

    #[test]
    fn a_start_that_hangs_is_kept_before_the_end_is_sent() {
        let kept = Arc::default();
        let theirs = Arc::clone(&kept);
        let open = move || -> Box<dyn Carrier> { Box::new(HangingStart(Arc::clone(&theirs))) };
        let talk = Talk::new(&crate::client::args::Globals::default());
        let mut mail = Mail::start(Box::new(open), talk, Moment::now(), TROUBLE);
        let end = Ping::new(Signal::exit(0), Moment::now());
        mail.end(end, Instant::now() + TROUBLE, false);
        let patience = Instant::now() + Duration::from_secs(60);
        while mail.end_outcome().is_none() {
            assert!(Instant::now() < patience, "the end is stuck");
            thread::sleep(Duration::from_millis(1));
        }
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*kept, [wire::Kind::Success, wire::Kind::Start]);
    }

    #[test]
    fn an_end_that_is_only_kept_waits_for_its_start_to_be_kept() {
        let disk = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = Arc::clone(&disk);
        let open = move || -> Box<dyn Carrier> { Box::new(SlowDisk(Arc::clone(&theirs))) };
        let budget = Duration::from_millis(20);
        let talk = Talk::new(&crate::client::args::Globals::default());
        let mut mail = Mail::start(Box::new(open), talk, Moment::now(), budget);
        let end = Ping::new(Signal::exit(0), Moment::now());
        mail.end(end, Instant::now() + budget, false);
        let patience = Instant::now() + Duration::from_secs(60);
        while mail.end_outcome().is_none() {
            assert!(Instant::now() < patience, "the end is stuck");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!mail.is_settled());
        *disk.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        disk.1.notify_all();
        while !mail.is_settled() {
            assert!(Instant::now() < patience, "the start is stuck");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(mail.start_outcome().is_some());
    }
}
