//! The job while it runs: reaping, forwarding, stopping and continuing with it, and its time
//! limit. One loop over signals, as tini has it.

use std::time::{Duration, Instant};

use super::super::delivery::Moment;
use super::super::talk::Talk;
use super::report::{Ending, Measured};
use super::signals::{self, Forward, Standing};
use super::{FOR_EVER, Job};
use crate::sys::{self, Caught, Origin, Status, Terminal};

/// How often a process group is looked at while it is given time to end.
const GROUP_POLL: Duration = Duration::from_millis(50);

/// How far the time limit has got.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// TERM is due then, if ever.
    Running(Option<Instant>),
    /// TERM was sent; KILL is due then.
    Terminated(Instant),
    /// KILL was sent.
    Killed,
}

/// The job while it runs.
pub struct Watch<'a> {
    job: &'a Job,
    talk: Talk,
    pid: i32,
    started: Instant,
    standing: Standing,
    terminal: Option<Terminal>,
    limit: Limit,
    /// Whether what was sent at the limit was refused: the job has become another user's.
    out_of_reach: bool,
    asked_by: Option<i32>,
}

impl<'a> Watch<'a> {
    /// Watches over the job that was started as the process `pid`. `terminal` is the controlling
    /// one, where the job has a process group of its own.
    pub fn new(
        job: &'a Job,
        pid: i32,
        started: Instant,
        terminal: Option<Terminal>,
        talk: Talk,
    ) -> Self {
        Self {
            job,
            talk,
            pid,
            started,
            standing: Standing {
                job: pid,
                own_group: job.timeout.is_some(),
                session_leader: sys::is_session_leader(),
            },
            terminal,
            limit: Limit::Running(job.timeout.and_then(|limit| started.checked_add(limit))),
            out_of_reach: false,
            asked_by: None,
        }
    }

    /// Reaps and forwards, as the first process of a container has to, until the job has ended.
    pub fn until_the_end(mut self) -> (Ending, Measured) {
        let job = loop {
            if let Some(job) = self.reap() {
                break job;
            }
            match sys::wait(self.next_deadline()) {
                Some(caught) => self.forward(caught),
                None => self.enforce_limit(),
            }
        };
        let (ended, at) = (Instant::now(), Moment::now());
        if self.is_out_of_time() {
            self.finish_group();
        }
        self.take_terminal_back();
        let ending = Ending::Ended {
            status: job.status,
            out_of_time: self.job.timeout.filter(|_| self.is_out_of_time()),
            out_of_reach: self.out_of_reach,
            asked_by: self.asked_by,
        };
        let measured = Measured {
            ended,
            at,
            duration: ended - self.started,
            cpu: Some(job.cpu),
            max_rss_kb: Some(job.max_rss_kb),
        };
        (ending, measured)
    }

    /// Takes note of every child that has ended, orphans included; gives the job if it has.
    fn reap(&self) -> Option<sys::Reaped> {
        let mut job = None;
        while let Some(child) = sys::reap() {
            match child.status {
                Status::Stopped(signal) if child.pid == self.pid => self.follow_stop(signal),
                Status::Stopped(_) => {}
                _ if child.pid == self.pid => job = Some(child),
                _ => {}
            }
        }
        job
    }

    fn forward(&mut self, caught: Caught) {
        if caught.signal == sys::SIGCONT {
            self.bring_to_front();
        }
        match signals::forward(caught, self.standing) {
            Forward::Job => sys::send(self.pid, caught.signal),
            Forward::Group => {
                sys::send_to_group(self.pid, caught.signal);
            }
            Forward::Nobody => {}
        }
        let from_job = caught.origin == Origin::Process(self.pid);
        if signals::asks_to_end(caught.signal) && !from_job {
            self.asked_by = Some(caught.signal);
        }
    }

    /// The terminal stopped the job: we stop too, or the shell would wait for us for ever.
    fn follow_stop(&self, signal: i32) {
        if !signals::is_terminal_stop(signal) {
            return;
        }
        if self.standing.own_group {
            // The terminal would have stopped our whole group, had the job been in it.
            self.take_terminal_back();
            sys::stop_with_group(signal);
        } else {
            sys::stop_with_signal(signal);
        }
    }

    /// Gives the terminal to our own group, where the job's group has it.
    fn take_terminal_back(&self) {
        if let Some(terminal) = &self.terminal
            && terminal.foreground() == Some(self.pid)
        {
            terminal.hand_to(sys::own_group());
        }
    }

    /// The shell has brought us to the foreground and means the job.
    fn bring_to_front(&self) {
        if let Some(terminal) = &self.terminal
            && terminal.foreground() == Some(sys::own_group())
        {
            terminal.hand_to(self.pid);
            sys::send_to_group(self.pid, sys::SIGCONT);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        match self.limit {
            Limit::Running(at) => at,
            Limit::Terminated(kill_at) => Some(kill_at),
            Limit::Killed => None,
        }
    }

    fn enforce_limit(&mut self) {
        if self.next_deadline().is_none_or(|at| Instant::now() < at) {
            return;
        }
        match self.limit {
            Limit::Running(_) => {
                self.end_group(sys::SIGTERM);
                // A stopped process gets it only once it goes on.
                sys::send_to_group(self.pid, sys::SIGCONT);
                self.limit = Limit::Terminated(Instant::now() + self.job.kill_after.min(FOR_EVER));
            }
            Limit::Terminated(_) => {
                self.end_group(sys::SIGKILL);
                self.limit = Limit::Killed;
            }
            Limit::Killed => {}
        }
    }

    /// Ends what is left of the job, as far as that is allowed; where nothing of it is, that is said
    /// while it can still be ended by hand.
    fn end_group(&mut self, signal: i32) {
        let refused = !sys::send_to_group(self.pid, signal);
        if refused && !self.out_of_reach {
            self.out_of_reach = true;
            self.talk.warn(&format!(
                "the job has run out of time and can't be ended: its process {} runs as another user",
                self.pid
            ));
        }
    }

    fn is_out_of_time(&self) -> bool {
        !matches!(self.limit, Limit::Running(_))
    }

    /// Gives what the job left behind in its group the rest of the time until KILL.
    fn finish_group(&mut self) {
        while let Limit::Terminated(kill_at) = self.limit
            && sys::group_exists(self.pid)
        {
            let caught = sys::wait(Some(kill_at.min(Instant::now() + GROUP_POLL)));
            if let Some(Caught { signal, .. }) = caught
                && signals::asks_to_end(signal)
            {
                sys::send_to_group(self.pid, signal);
            }
            while sys::reap().is_some() {}
            self.enforce_limit();
        }
    }
}
