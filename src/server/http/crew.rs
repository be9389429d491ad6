//! The threads of a listener: how many look for what comes next, and how many requests are at work.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::listener::Shared;

/// Enough for a request's handling, SQLite included; a thousand of them stay cheap.
const STACK: usize = 512 * 1024;

/// How many threads without work are kept beside those that look out.
const SPARE: usize = 32;

/// The threads.
#[derive(Default)]
pub(super) struct Crew {
    all: usize,
    /// Those that look for what comes next, or do what takes no waiting.
    active: usize,
    /// Those that sleep until they are called.
    spare: usize,
    /// How many of them are called and not awake yet.
    called: usize,
}

/// A request being worked on.
pub(super) struct Work(Arc<Shared>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    /// Begins work on a request; none once the server stops.
    pub fn begin(self: &Arc<Self>) -> Option<Work> {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        let work = Work(Arc::clone(self));
        (!self.closed.load(Ordering::SeqCst)).then_some(work)
    }

    /// Has one more thread look for what comes next: one that sleeps, or a new one. Where all
    /// there may be are at work, what comes waits until one is done.
    pub(super) fn call_for_one(self: &Arc<Self>, crew: &mut Crew) -> io::Result<()> {
        if crew.spare > crew.called {
            crew.called += 1;
            crew.active += 1;
            self.called.notify_one();
            return Ok(());
        }
        if crew.all >= self.limits().threads.min(self.limits().connections).max(1) {
            return Ok(());
        }
        let shared = Arc::clone(self);
        std::thread::Builder::new()
            .name("connection".to_owned())
            .stack_size(STACK)
            .spawn(move || shared.work())?;
        crew.all += 1;
        crew.active += 1;
        Ok(())
    }

    /// Does what may make this thread wait; another one looks out meanwhile.
    pub fn blocking<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        {
            let mut crew = self.crew();
            crew.active = crew.active.saturating_sub(1);
            if crew.active == 0 {
                let _ = self.call_for_one(&mut crew);
            }
        }
        let result = work();
        self.crew().active += 1;
        result
    }

    /// Whether this thread is to go on; waits until it is called where there are enough.
    pub(super) fn is_needed(&self, lookouts: usize) -> bool {
        let mut crew = self.crew();
        if crew.active <= lookouts {
            return true;
        }
        crew.active -= 1;
        if crew.spare >= SPARE {
            crew.all -= 1;
            return false;
        }
        crew.spare += 1;
        let asleep = |crew: &mut Crew| crew.called == 0 && !self.ended.load(Ordering::SeqCst);
        crew = self
            .called
            .wait_while(crew, asleep)
            .unwrap_or_else(PoisonError::into_inner);
        crew.spare -= 1;
        crew.called = crew.called.saturating_sub(1);
        true
    }

    /// Has others look out beside this thread, where there are too few of them.
    pub(super) fn look_out_together(self: &Arc<Self>, lookouts: usize) {
        let mut crew = self.crew();
        if crew.active < lookouts {
            let _ = self.call_for_one(&mut crew);
        }
    }
}
