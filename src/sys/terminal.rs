//! The controlling terminal and its foreground process group, and questions to a person.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

/// The terminal that controls this process's session (tty(4)).
#[derive(Debug)]
pub struct Terminal(File);

impl Terminal {
    /// The controlling terminal, where there is one.
    pub fn controlling() -> Option<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY)
            .open("/dev/tty")
            .ok()
            .map(Self)
    }

    /// The process group that gets what is typed, where it is one of this pid namespace.
    pub fn foreground(&self) -> Option<i32> {
        // SAFETY: tcgetpgrp(3) touches no memory of ours.
        let group = unsafe { libc::tcgetpgrp(self.0.as_raw_fd()) };
        (group > 0).then_some(group)
    }

    /// Makes `group` the foreground group. SIGTTOU must be blocked, else a background process
    /// that calls this is stopped. Without effect where the terminal is gone.
    pub fn hand_to(&self, group: i32) {
        // SAFETY: tcsetpgrp(3) touches no memory of ours.
        unsafe {
            libc::tcsetpgrp(self.0.as_raw_fd(), group);
        }
    }
}

impl AsRawFd for Terminal {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The process group that this process is in.
pub fn own_group() -> i32 {
    // SAFETY: getpgrp(2) always succeeds and touches no memory of ours.
    unsafe { libc::getpgrp() }
}

/// Whether this process leads its session: then a terminal that hangs up tells it alone.
pub fn is_session_leader() -> bool {
    // SAFETY: neither call touches memory of ours; getsid(2) of oneself succeeds.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// What came of asking a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// What was typed before Enter.
    Line(String),
    /// Ctrl-C, or the end of the input.
    Interrupted,
    /// Standard input is no terminal, so there is nobody to ask.
    NoTerminal,
}

/// The longest line that is taken, bytes.
const TYPED_MAX: usize = 4096;

/// Asks on the terminal that standard input is, without showing what is typed. The terminal is
/// as before when this returns.
///
/// # Errors
/// As termios(3) and read(2).
pub fn ask_hidden(prompt: &str) -> io::Result<Typed> {
    ask_as(prompt, false)
}

/// As [`ask_hidden`], with what is typed on the screen.
///
/// # Errors
/// As [`ask_hidden`].
pub fn ask(prompt: &str) -> io::Result<Typed> {
    ask_as(prompt, true)
}

fn ask_as(prompt: &str, show: bool) -> io::Result<Typed> {
    if !io::stdin().is_terminal() {
        return Ok(Typed::NoTerminal);
    }
    let _raw = Raw::enter()?;
    let mut screen = io::stderr();
    write!(screen, "{prompt}")?;
    screen.flush()?;
    let mut line: Vec<u8> = Vec::new();
    let end = loop {
        let mut byte = [0];
        // Not std's, which would keep for itself what is typed ahead for the next question.
        // SAFETY: read(2) into one byte of ours.
        let count = unsafe { libc::read(libc::STDIN_FILENO, byte.as_mut_ptr().cast(), 1) };
        if count < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        match byte[0] {
            _ if count == 0 => break Typed::Interrupted,
            b'\r' | b'\n' => break Typed::Line(String::from_utf8_lossy(&line).into_owned()),
            // Ctrl-C, and Ctrl-D where nothing was typed.
            3 => break Typed::Interrupted,
            4 if line.is_empty() => break Typed::Interrupted,
            // Backspace: one character, which may be several bytes.
            8 | 127 => {
                let text = String::from_utf8_lossy(&line).into_owned();
                if let Some(last) = text.chars().next_back() {
                    line.truncate(text.len().saturating_sub(last.len_utf8()));
                    if show {
                        write!(screen, "\u{8} \u{8}")?;
                    }
                }
            }
            // Ctrl-U: the whole line.
            21 => {
                if show {
                    let width = String::from_utf8_lossy(&line).chars().count();
                    write!(screen, "{}", "\u{8} \u{8}".repeat(width))?;
                }
                line.clear();
            }
            0..32 => {}
            byte if line.len() < TYPED_MAX => {
                line.push(byte);
                if show {
                    screen.write_all(&[byte])?;
                }
            }
            _ => {}
        }
    };
    writeln!(screen)?;
    Ok(end)
}

/// What asks a process to end, and would leave the terminal as it is for a question.
const ENDINGS: [libc::c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// The terminal as it was before the question that is being asked, for [`restore`].
static mut BEFORE: MaybeUninit<libc::termios> = MaybeUninit::uninit();

/// What a signal that ends us does while a question is being asked: the terminal gets its echo
/// back, and then the signal has its usual effect.
extern "C" fn restore(signal: libc::c_int) {
    // SAFETY: all three are async-signal-safe (signal-safety(7)), and BEFORE was written before
    // this handler was set. The signal is blocked here, and is delivered once this returns.
    unsafe {
        libc::tcsetattr(
            libc::STDIN_FILENO,
            libc::TCSANOW,
            (&raw const BEFORE).cast(),
        );
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// The terminal on standard input, giving each byte as it is typed and showing none; as it was
/// before once this is dropped, and where a signal ends this process.
struct Raw {
    before: libc::termios,
    handlers: [libc::sighandler_t; ENDINGS.len()],
}

impl Raw {
    fn enter() -> io::Result<Self> {
        let mut before = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: tcgetattr(3) fills the termios in where it succeeds, and only then is it read.
        let before = unsafe {
            if libc::tcgetattr(libc::STDIN_FILENO, before.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            before.assume_init()
        };
        let mut raw = before;
        raw.c_lflag &= !(libc::ECHO | libc::ICANON | libc::ISIG);
        raw.c_cc[libc::VMIN] = 1;
        raw.c_cc[libc::VTIME] = 0;
        // SAFETY: one question is asked at a time, so nobody reads BEFORE while it is written.
        // The handler makes async-signal-safe calls only.
        let handlers = unsafe {
            (&raw mut BEFORE).write(MaybeUninit::new(before));
            ENDINGS.map(|signal| {
                let handler = libc::signal(signal, restore as *const () as libc::sighandler_t);
                // Under nohup(1) a hangup stays ignored.
                if handler == libc::SIG_IGN {
                    libc::signal(signal, libc::SIG_IGN);
                }
                handler
            })
        };
        let entered = Self { before, handlers };
        // SAFETY: tcsetattr(3) only reads the termios.
        if unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &raw) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(entered)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: as above; a terminal that is gone needs nothing back. The handlers are those
        // that were there before.
        unsafe {
            libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, &self.before);
            for (signal, handler) in ENDINGS.into_iter().zip(self.handlers) {
                libc::signal(signal, handler);
            }
        }
    }
}

/// How many columns the terminal behind `descriptor` has (ioctl_tty(2)); `None` where it is no
/// terminal, or one that does not know.
pub fn columns(descriptor: BorrowedFd<'_>) -> Option<usize> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: TIOCGWINSZ fills in the winsize, a local for which zeroes are valid too.
    let (result, size) = unsafe {
        let result = libc::ioctl(descriptor.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr());
        (result, size.assume_init())
    };
    (result == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col))
}
