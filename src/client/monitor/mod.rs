//! The wrapper. A stand-in until the real one is merged: it reports start and end in turn.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use super::args::Globals;
use super::delivery::{Courier, Ping, Target};
use super::talk::say;
use crate::wire::ping::{Kind, Signal};

/// How long after TERM a job that outlived its `--timeout` gets KILL, where nothing is said.
pub const DEFAULT_KILL_AFTER: Duration = Duration::from_secs(10);

/// How long after the job's end its report may take, where nothing is said.
pub const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(30);

/// A job and how to run it: settled values, taken from the command line alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The command and its arguments, exactly as they were given; the first is the program.
    pub command: Vec<OsString>,
    /// The check that it is reported to.
    pub target: Target,
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

/// Runs the job, reports it, and gives the exit code.
pub fn run(job: Job, globals: &Globals) -> i32 {
    let Some((program, arguments)) = job.command.split_first() else {
        return 2;
    };
    let started = Instant::now();
    let child = Command::new(program).args(arguments).spawn();
    let courier = Courier::new(globals);
    let tell = |signal, at| {
        if let Err(error) = courier.deliver(
            &job.target,
            &Ping::new(signal, at),
            Instant::now() + job.ping_timeout,
        ) {
            say(&format!("pakyas: {}", error.first_line()));
        }
    };
    tell(Kind::Start.into(), started);
    let code = match child.and_then(|mut child| child.wait()) {
        Ok(status) => status
            .code()
            .or(status.signal().map(|signal| 128 + signal))
            .unwrap_or(1),
        Err(_) => 127,
    };
    tell(Signal::exit(code as u8), Instant::now());
    code
}
