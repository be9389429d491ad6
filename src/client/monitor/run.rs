//! The run: spawn the job, attend to signals until it has ended, report, exit code.
//!
//! All signals are blocked before the first thread starts and taken one at a time, here and
//! nowhere else: a child's end is one of them (SIGCHLD), and so is a thread's news.

use std::time::{Duration, Instant};

use super::super::delivery::{Delivery, Moment, Ping};
use super::super::talk::{Talk, say_as_pakyas};
use super::mail::{AFTER_WORK, Mail};
use super::output::{DRAIN, Output};
use super::report::{Ending, Measured};
use super::signals;
use super::spawn::{self, Plan};
use super::watch::Watch;
use super::{Capture, Carrier, FOR_EVER, Job};
use crate::sys::{self, Inherited, Origin, Status, Terminal};

/// The exit code of a successful job whose report is lost, with `--strict`.
const LOST: i32 = 3;

/// Two wishes to end that come closer together are one: timeout(1) sends two.
const ONE_WISH: Duration = Duration::from_millis(200);

/// How much longer than a delivery's own deadline its outcome is waited for: what could not be
/// delivered by then is being written to a disk, which may be slow, on a machine that may have
/// hundreds of jobs that end at once.
const DEADLINE_SLACK: Duration = Duration::from_secs(10);

/// Runs the job and gives the exit code. `open` is called on another thread.
pub fn run(
    job: &Job,
    talk: Talk,
    open: impl Fn() -> Box<dyn Carrier> + Send + Sync + 'static,
) -> i32 {
    confine_panics();
    let inherited = Inherited::take();
    let ping_timeout = job.ping_timeout.min(FOR_EVER);
    let mut mail = Mail::start(Box::new(open), talk, Moment::now(), ping_timeout);
    let capture = if job.no_output {
        Capture::None
    } else {
        job.capture
    };
    let (mut output, ends) = Output::prepare(capture, &inherited);
    // A job that may be killed with all that it started needs a process group of its own. At a
    // terminal that group becomes the foreground one, else the job could not read or be
    // interrupted there. Without a timeout the job stays in our group, where it would be
    // without us.
    let own_group = job.timeout.is_some();
    let terminal = own_group.then(Terminal::controlling).flatten();
    let in_front = |terminal: &&Terminal| terminal.foreground() == Some(sys::own_group());
    let plan = Plan {
        command: &job.command,
        inherited: &inherited,
        own_group,
        terminal: terminal.as_ref().filter(in_front),
        stdout: ends.stdout,
        stderr: ends.stderr,
    };
    let started = Instant::now();
    let spawned = spawn::spawn(&plan);
    let handed_over = plan.terminal.filter(|_| spawned.is_err());
    if let Some(terminal) = handed_over {
        terminal.hand_to(sys::own_group());
    }
    drop(plan);
    tell_of_faults(job, talk);
    let (ending, measured) = match spawned {
        Ok(pid) => {
            sys::let_go_of_stdin_and_stdout();
            Watch::new(job, pid, started, terminal, talk).until_the_end()
        }
        Err(ending) => {
            say_as_pakyas(&ending.reason().unwrap_or_default());
            let measured = Measured {
                ended: Instant::now(),
                at: Moment::now(),
                duration: Duration::ZERO,
                cpu: None,
                max_rss_kb: None,
            };
            (ending, measured)
        }
    };
    output.job_has_ended();
    let code = i32::from(ending.code());
    let mut after = After::new(&ending, measured.ended);
    let deadline = measured.ended + ping_timeout;

    let drained = after.attend(Some(measured.ended + DRAIN), || output.is_done());
    let body = output.with_tail(|tail| ending.body(&job.faults, tail));
    talk.tell(|| format!("the job ended: {}", ending.summary()));
    let ping = measured.ping(&ending, body);
    let lost = if drained == Attended::CutShort {
        leave_for_later(&mail, ping, talk)
    } else {
        mail.end(ping.clone(), deadline, after.is_pressed());
        let reported = after.attend(Some(deadline + DEADLINE_SLACK), || mail.is_settled());
        if reported == Attended::CutShort {
            leave_for_later(&mail, ping, talk)
        } else {
            let tidied_up = Instant::now() + AFTER_WORK;
            // What the job wrote before its end is owed to whoever reads it, however slowly.
            let _ = after.attend(Some(tidied_up), || mail.is_finished()) == Attended::CutShort
                || after.attend(None, || output.is_done()) == Attended::CutShort;
            tell_of_losses(&mut mail, job, talk)
        }
    };
    if job.strict && lost && code == 0 {
        return LOST;
    }
    code
}

/// Says in one line what was typed and has no effect.
fn tell_of_faults(job: &Job, talk: Talk) {
    if !job.faults.is_empty() {
        let faults = job.faults.join("; ");
        talk.warn(&format!("{faults} (the job runs without it)"));
    }
    if let Some(idle) = &job.idle {
        talk.warn(idle);
    }
}

/// Told to end before the run was reported: its report is kept on disk for another pakyas to
/// send. Gives whether it is lost.
fn leave_for_later(mail: &Mail, ping: Ping, talk: Talk) -> bool {
    let kept = mail.keep(ping);
    talk.warn(if kept {
        "told to end before this run was reported: its report is kept and goes out with a later pakyas"
    } else {
        "told to end before this run was reported: its report is lost"
    });
    !kept
}

/// Says in one line what did not reach the server; gives whether the end is lost.
fn tell_of_losses(mail: &mut Mail, job: &Job, talk: Talk) -> bool {
    match mail.end_outcome() {
        Some(Delivery::Done(_)) => {}
        Some(Delivery::Kept(error)) => {
            talk.warn(&format!(
                "this run could not be reported yet, its report is kept and goes out with a later pakyas: {}",
                error.first_line()
            ));
            return false;
        }
        Some(Delivery::Lost(error)) => {
            let error = job.no_target.as_ref().unwrap_or(error);
            talk.warn(&format!(
                "this run could not be reported: {}",
                error.first_line()
            ));
            return true;
        }
        None => {
            let budget = job.ping_timeout.as_secs_f32();
            talk.warn(&format!(
                "this run could not be reported: no answer within {budget} s"
            ));
            return true;
        }
    }
    // A start that was kept went out after the end, or will with a later one.
    if let Some(Delivery::Lost(error)) = mail.start_outcome() {
        talk.warn(&format!(
            "the start of this run could not be reported: {}",
            error.first_line()
        ));
    }
    false
}

/// Keeps a defect on one of our own threads from ending the process, and with it the job's
/// wrapper: the thread says where it was and stays there, and its deadline passes.
fn confine_panics() {
    let main = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == main {
            return before(info);
        }
        let place = info
            .location()
            .map(|place| format!(" at {}:{}", place.file(), place.line()));
        say_as_pakyas(&format!(
            "a defect in pakyas{}; the job goes on",
            place.unwrap_or_default()
        ));
        loop {
            std::thread::park();
        }
    }));
}

/// Whether something came about or the wrapper was told to end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attended {
    /// It came about, or its time passed.
    Done,
    /// Someone asked for the end; again, where the job ended because they had.
    CutShort,
}

/// The time after the job's end, in which its report is sent.
struct After {
    /// When the end was asked for.
    asked: Option<Instant>,
}

impl After {
    fn new(ending: &Ending, ended: Instant) -> Self {
        let asked = match ending {
            Ending::NotStarted { .. } => false,
            Ending::Ended {
                status, asked_by, ..
            } => {
                asked_by.is_some()
                    || matches!(status, Status::Killed { signal, .. } if signals::asks_to_end(*signal))
            }
        };
        Self {
            asked: asked.then_some(ended),
        }
    }

    /// Whether the end was asked for: who asks may soon insist.
    fn is_pressed(&self) -> bool {
        self.asked.is_some()
    }

    /// Attends to signals until `done` or until `until`.
    fn attend(&mut self, until: Option<Instant>, mut done: impl FnMut() -> bool) -> Attended {
        loop {
            while sys::reap().is_some() {}
            if done() || until.is_some_and(|until| Instant::now() >= until) {
                return Attended::Done;
            }
            let Some(caught) = sys::wait(until) else {
                continue;
            };
            if caught.signal == sys::SIGTSTP && caught.origin != Origin::Own {
                sys::stop_with_signal(caught.signal);
            } else if signals::asks_to_end(caught.signal)
                && self.asked.is_none_or(|asked| asked.elapsed() > ONE_WISH)
            {
                return Attended::CutShort;
            }
        }
    }
}
