//! The wrapper: runs a job, passes everything through, and reports how it went.
//!
//! The job is what matters. It starts before anything about the network, the configuration or
//! the credentials is looked at, and nothing that these do reaches it:
//!
//! - `run`: the table of contents: spawn, watch, report, exit code
//! - `spawn`: starting the job with what the wrapper was started with; `shell`, whether a shell
//!   was meant to
//! - `watch`: the job while it runs, one loop over signals
//! - `signals`: which signals go on to the job
//! - `output`: what passes through, and `tail`, what is kept of it
//! - `report`: what is said about the run; `mail`: getting it there on threads of their own
//!
//! The operating system is in [`crate::sys`], the network in [`super::delivery`].

mod mail;
mod output;
mod report;
mod run;
mod shell;
mod signals;
mod spawn;
mod tail;
mod watch;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::args::Globals;
use super::delivery::{Courier, Delivery, Ping, Target};
use super::error::Error;
use super::talk::Talk;

/// How long after TERM a job that outlived its `--timeout` gets KILL, where nothing is said.
pub const DEFAULT_KILL_AFTER: Duration = Duration::from_secs(10);

/// How long after the job's end its report may take, where nothing is said.
pub const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time that a limit of the command line stands for: all that a run needs, and
/// little enough to be added to the clock.
const FOR_EVER: Duration = Duration::from_secs(crate::schedule::MAX_SECONDS);

/// A job and how to run it: settled values, taken from the command line alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The command and its arguments, exactly as they were given; the first is the program.
    pub command: Vec<OsString>,
    /// The check that it is reported to.
    pub target: Target,
    /// Why there can be no such check, where what was typed tells: said where the report goes
    /// nowhere, because the job runs all the same.
    pub no_target: Option<Error>,
    /// What was typed and is left out because it can't be understood, a sentence each: said, and
    /// kept with the run.
    pub faults: Vec<String>,
    /// What to say of flags that have no effect.
    pub idle: Option<String>,
    /// Which of its streams pass through the wrapper.
    pub capture: Capture,
    /// Reports no output; then none needs to pass through the wrapper either.
    pub no_output: bool,
    /// The longest that the job may run.
    pub timeout: Option<Duration>,
    /// After the timeout's TERM, how long until KILL.
    pub kill_after: Duration,
    /// Whether a report that goes missing makes a successful job's exit code 3.
    pub strict: bool,
    /// How long after the job's end its report may take.
    pub ping_timeout: Duration,
}

/// Which of a job's streams pass through the wrapper, so that their tail can be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Capture {
    /// Those that are pipes or sockets; files and terminals are inherited.
    #[default]
    Auto,
    /// None: both are inherited.
    None,
    /// stderr, whatever it is.
    Stderr,
    /// Both, whatever they are.
    All,
}

/// What carries a ping. The run knows the network only as this.
trait Carrier: Send + Sync {
    /// Tries until `deadline`.
    fn carry(&self, ping: &Ping, deadline: Instant) -> Delivery;

    /// Keeps the ping on disk, untried; gives whether that went well.
    fn keep(&self, ping: &Ping) -> bool;

    /// Does, until `until`, what is to be done once all has gone well.
    fn after_work(&self, until: Instant);
}

struct Post {
    courier: Courier,
    target: Target,
}

impl Carrier for Post {
    fn carry(&self, ping: &Ping, deadline: Instant) -> Delivery {
        self.courier.deliver(&self.target, ping, deadline)
    }

    fn keep(&self, ping: &Ping) -> bool {
        self.courier.keep_now(&self.target, ping)
    }

    fn after_work(&self, until: Instant) {
        self.courier.after_work(until);
    }
}

/// Runs the job, reports its start and its end, and gives the exit code: the job's own, 128+N
/// where signal N ended it, 127 and 126 where it could not be run, 124 where it ran out of
/// time, and with `strict` 3 where a successful job could not be reported.
pub fn run(job: Job, globals: &Globals) -> i32 {
    let target = job.target.clone();
    let globals = globals.clone();
    let talk = Talk::new(&globals);
    // Called on the ping's thread, not here: it reads files.
    let open = move || -> Box<dyn Carrier> {
        Box::new(Post {
            courier: Courier::new(&globals),
            target: target.clone(),
        })
    };
    run::run(&job, talk, open)
}
