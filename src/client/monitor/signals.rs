//! Which of the signals that the wrapper gets go on to the job.
//!
//! All that can be sent, but for those that the job has had already: what is typed at a
//! terminal goes from the kernel to the whole foreground group, the wrapper and the job alike.

use crate::sys::{self, Caught, Origin};

/// How the job stands to the wrapper and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The job's first process.
    pub job: i32,
    /// The job is in a process group of its own (it has a `--timeout`), not in the wrapper's.
    pub own_group: bool,
    /// The wrapper leads its session: a terminal that hangs up tells the leader alone.
    pub session_leader: bool,
}

/// Whom a signal goes on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// The job's first process, as if the sender had meant it.
    Job,
    /// The job's process group, as the terminal does it.
    Group,
    /// Nobody: the job has it already, or it was about the wrapper.
    Nobody,
}

/// Decides where a signal that the wrapper got goes on to.
pub fn forward(caught: Caught, standing: Standing) -> Forward {
    match (caught.signal, caught.origin) {
        // A child's end, or a thread of ours that has news.
        (sys::SIGCHLD, _) => Forward::Nobody,
        // A broken pipe of our own, or our own stop.
        (_, Origin::Own) => Forward::Nobody,
        // What the job sends to its group (`kill 0`) it has sent to itself as well.
        (_, Origin::Process(sender)) if sender == standing.job => Forward::Nobody,
        (_, Origin::Process(_)) => Forward::Job,
        // `alarm 60; exec pakyas …` was meant for the job.
        (sys::SIGALRM, Origin::Kernel) => Forward::Job,
        (sys::SIGHUP, Origin::Kernel) if standing.session_leader => Forward::Job,
        (signal, Origin::Kernel) if standing.own_group && is_typed(signal) => Forward::Group,
        // From the terminal, so the job has had it; or a limit that the wrapper ran into.
        (_, Origin::Kernel) => Forward::Nobody,
    }
}

/// Whether the terminal sends this signal to its foreground group (termios(3), tty(4)).
fn is_typed(signal: i32) -> bool {
    [
        sys::SIGINT,
        sys::SIGQUIT,
        sys::SIGTSTP,
        sys::SIGHUP,
        sys::SIGCONT,
        sys::SIGWINCH,
    ]
    .contains(&signal)
}

/// Whether a job that this signal stopped was stopped by the terminal, so that the shell waits
/// to see the wrapper stop too. Not SIGSTOP: what sends it to the job alone (a debugger, a
/// processor limiter) continues the job alone, and the wrapper would stay stopped for ever.
pub fn is_terminal_stop(signal: i32) -> bool {
    [sys::SIGTSTP, sys::SIGTTIN, sys::SIGTTOU].contains(&signal)
}

/// Whether the signal asks for the end.
pub fn asks_to_end(signal: i32) -> bool {
    [sys::SIGTERM, sys::SIGINT].contains(&signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: Standing = Standing {
        job: 7,
        own_group: false,
        session_leader: false,
    };

    fn caught(signal: i32, origin: Origin) -> Caught {
        Caught { signal, origin }
    }

    #[test]
    fn what_another_process_sent_goes_to_the_job() {
        for signal in [sys::SIGTERM, sys::SIGINT, sys::SIGHUP, sys::SIGTSTP, 40] {
            assert_eq!(
                forward(caught(signal, Origin::Process(1)), SHARED),
                Forward::Job
            );
        }
    }

    #[test]
    fn what_the_terminal_sent_to_the_group_is_not_sent_again() {
        for signal in [
            sys::SIGINT,
            sys::SIGQUIT,
            sys::SIGTSTP,
            sys::SIGHUP,
            sys::SIGWINCH,
        ] {
            let typed = caught(signal, Origin::Kernel);
            assert_eq!(forward(typed, SHARED), Forward::Nobody);
            let apart = Standing {
                own_group: true,
                ..SHARED
            };
            assert_eq!(forward(typed, apart), Forward::Group);
        }
    }

    #[test]
    fn a_hangup_that_only_the_session_leader_got_goes_to_the_job() {
        let leader = Standing {
            session_leader: true,
            ..SHARED
        };
        let hangup = caught(sys::SIGHUP, Origin::Kernel);
        assert_eq!(forward(hangup, leader), Forward::Job);
    }

    #[test]
    fn what_the_job_itself_sent_is_not_sent_back() {
        let to_its_group = caught(sys::SIGTERM, Origin::Process(7));
        assert_eq!(forward(to_its_group, SHARED), Forward::Nobody);
    }

    #[test]
    fn an_alarm_set_before_the_wrapper_goes_to_the_job() {
        let alarm = caught(sys::SIGALRM, Origin::Kernel);
        assert_eq!(forward(alarm, SHARED), Forward::Job);
    }

    #[test]
    fn what_is_about_the_wrapper_stays_here() {
        let broken_pipe = caught(13, Origin::Own);
        assert_eq!(forward(broken_pipe, SHARED), Forward::Nobody);
        let processor_limit = caught(24, Origin::Kernel);
        assert_eq!(forward(processor_limit, SHARED), Forward::Nobody);
    }
}
