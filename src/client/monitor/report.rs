//! What is said about a run in its end's ping.
//!
//! Knows nothing of how a job is run or how a ping gets there.

use std::time::{Duration, Instant};

use super::super::delivery::{Moment, Ping};
use super::tail::Tail;
use crate::sys::{self, Status};
use crate::wire::ping::Signal;
use crate::wire::{NUMBER_MAX, OUTPUT_LIMIT};

/// The exit code of a job that ran out of time, as timeout(1) has it.
const TIMED_OUT: u8 = 124;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The job could not be started.
    NotStarted {
        /// 127 where there is no such command, else 126.
        code: u8,
        /// What stood in the way, a sentence.
        reason: String,
    },
    /// The job ran and ended.
    Ended {
        /// How.
        status: Status,
        /// Its `--timeout`, where that is why it was ended.
        out_of_time: Option<Duration>,
        /// Whether it could not be ended then, because it had become another user's.
        out_of_reach: bool,
        /// The last signal asking for its end that was passed on to it.
        asked_by: Option<i32>,
    },
}

impl Ending {
    /// The exit code: the wrapper's own and the one that is reported.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotStarted { code, .. } => *code,
            Self::Ended {
                out_of_time: Some(_),
                ..
            } => TIMED_OUT,
            Self::Ended { status, .. } => match *status {
                Status::Exited(code) => code,
                // A stopped job has not ended, so that case does not come here.
                Status::Killed { signal, .. } | Status::Stopped(signal) => {
                    u8::try_from(128 + signal).unwrap_or(u8::MAX)
                }
            },
        }
    }

    /// Why it failed, where the exit code alone does not tell.
    pub fn reason(&self) -> Option<String> {
        let (status, out_of_time, asked_by) = match self {
            Self::NotStarted { reason, .. } => return Some(reason.clone()),
            Self::Ended {
                status,
                out_of_time,
                asked_by,
                ..
            } => (*status, *out_of_time, *asked_by),
        };
        let how = match status {
            Status::Killed {
                signal,
                core_dumped,
            } => {
                let core = if core_dumped { " (core dumped)" } else { "" };
                Some(format!("ended by {}{core}", sys::name(signal)))
            }
            Status::Exited(code) => asked_by
                .filter(|_| code != 0 && out_of_time.is_none())
                .map(|signal| format!("exited with {code} after {}", sys::name(signal))),
            Status::Stopped(_) => None,
        };
        match (out_of_time, how) {
            (Some(limit), Some(how)) => Some(format!("{}; {how}", self.out_of_time_after(limit))),
            (Some(limit), None) => Some(self.out_of_time_after(limit)),
            (None, how) => how,
        }
    }

    fn out_of_time_after(&self, limit: Duration) -> String {
        let limit = seconds(limit);
        match self {
            Self::Ended {
                out_of_reach: true, ..
            } => format!(
                "ran out of time after {limit}, and could not be ended then: it ran as another user"
            ),
            _ => format!("ran out of time after {limit}"),
        }
    }

    /// What goes with the report: what of the command line was left out (`faults`); for a failure
    /// also why, where there is more to say than the exit code, and the end of the output, in at
    /// most [`OUTPUT_LIMIT`] bytes.
    pub fn body(&self, faults: &[String], tail: Option<&Tail>) -> Vec<u8> {
        let mut body = Vec::new();
        let mut line = |text: &str| {
            let line: String = text.chars().take(1000).collect();
            body.extend_from_slice(line.as_bytes());
            body.push(b'\n');
        };
        if !faults.is_empty() {
            line(&format!("pakyas left out: {}", faults.join("; ")));
        }
        if self.code() == 0 {
            return body;
        }
        if let Some(reason) = self.reason() {
            line(&reason);
        }
        if let Some(tail) = tail {
            let room = OUTPUT_LIMIT.saturating_sub(body.len());
            body.extend_from_slice(&tail.cut(room));
        }
        body
    }

    /// The end in a few words, for a person.
    pub fn summary(&self) -> String {
        let code = self.code();
        match self.reason() {
            Some(reason) => format!("exit code {code}, {reason}"),
            None => format!("exit code {code}"),
        }
    }
}

/// A duration for a person: whole seconds as they are typed, else with its milliseconds.
fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        crate::schedule::format_duration(duration.as_secs())
    } else {
        format!("{}.{:03}s", duration.as_secs(), duration.subsec_millis())
    }
}

/// What is measured of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// When it ended, for what is to be done within so much time of it.
    pub ended: Instant,
    /// The same, for telling its age.
    pub at: Moment,
    /// From the spawn to the end, by the monotonic clock.
    pub duration: Duration,
    /// Processor time; unknown where the job never ran.
    pub cpu: Option<Duration>,
    /// Peak memory, KiB; unknown where the job never ran.
    pub max_rss_kb: Option<u64>,
}

impl Measured {
    /// The end's ping, but for its run id.
    pub fn ping(&self, ending: &Ending, body: Vec<u8>) -> Ping {
        Ping {
            duration_ms: Some(milliseconds(self.duration)),
            cpu_ms: self.cpu.map(milliseconds),
            max_rss_kb: self.max_rss_kb,
            body,
            ..Ping::new(Signal::exit(ending.code()), self.at)
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    // A longer run (24.8 days) is reported as one of that long, which is better than not at all.
    millis.min(NUMBER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: Status) -> Ending {
        Ending::Ended {
            status,
            out_of_time: None,
            out_of_reach: false,
            asked_by: None,
        }
    }

    fn killed(signal: i32) -> Status {
        Status::Killed {
            signal,
            core_dumped: false,
        }
    }

    #[test]
    fn the_exit_code_is_the_jobs_or_128_and_the_signal() {
        assert_eq!(ended(Status::Exited(7)).code(), 7);
        assert_eq!(ended(killed(9)).code(), 137);
        assert_eq!(ended(killed(64)).code(), 192);
    }

    #[test]
    fn a_failures_report_says_why_first_and_never_outgrows_its_limit() {
        let mut tail = Tail::new(OUTPUT_LIMIT);
        for line in 0..10_000 {
            tail.push(format!("line {line}\n").as_bytes());
        }
        let body = ended(killed(15)).body(&[], Some(&tail));
        assert!(body.len() <= OUTPUT_LIMIT);
        let text = String::from_utf8(body).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ended by SIGTERM");
        assert!(lines[1].ends_with("bytes left out]"), "{}", lines[1]);
        assert!(lines[2].starts_with("line "), "{}", lines[2]);
        assert_eq!(lines.last(), Some(&"line 9999"));
    }

    #[test]
    fn a_success_is_reported_without_output() {
        let mut tail = Tail::new(10);
        tail.push(b"done\n");
        assert_eq!(ended(Status::Exited(0)).body(&[], Some(&tail)), b"");
    }

    #[test]
    fn a_job_that_ran_out_of_time_says_so() {
        let ending = Ending::Ended {
            status: killed(9),
            out_of_time: Some(Duration::from_millis(300_000)),
            out_of_reach: false,
            asked_by: None,
        };
        assert_eq!(ending.code(), 124);
        assert_eq!(
            ending.body(&[], None),
            b"ran out of time after 5m; ended by SIGKILL\n"
        );
    }
}
