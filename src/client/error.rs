//! What can go wrong in the client: a kind, which is the exit code, and a sentence for a person.

use std::fmt;
use std::time::Duration;

/// The kinds of failure. Scripts tell them apart by exit code, so the numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The server, or this machine's disk, refused what was asked, or answered what can't be
    /// understood.
    Refused,
    /// The command line or a setting is wrong or incomplete; nothing was sent.
    Usage,
    /// There is nothing of that name or id.
    NotFound,
    /// The server can't be reached, can't answer now (408, 429, 5xx), or something else answers in
    /// its place: the same command may work later. Exactly these failures are tried again.
    Network,
    /// No key, or one that the server does not know.
    NotLoggedIn,
    /// The key is good but not for this.
    NotPermitted,
    /// A defect in this program.
    Defect,
}

impl Kind {
    /// The exit code that tells of it (DESIGN.md, "Exit codes").
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Network => 4,
            Self::NotLoggedIn => 5,
            Self::NotPermitted => 6,
            Self::Defect => 7,
        }
    }
}

/// A failure, told to a person: what happened, to what, and the command that mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
    is_local: bool,
    retry_after: Option<Duration>,
}

impl Error {
    /// A failure of that kind; `message` begins with what happened and holds no secret.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            is_local: false,
            retry_after: None,
        }
    }

    /// The same failure, with how long the server asked to be left alone.
    pub fn retry_after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause;
        self
    }

    /// The same failure, which lies in a file or a setting of this machine, a key or a project that
    /// the server does not know included: once that is mended, what was to be sent can be.
    pub fn of_this_machine(mut self) -> Self {
        self.is_local = true;
        self
    }

    /// Whether it lies in a file or a setting of this machine.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// The same failure, with more said at the end of its first line.
    pub fn and(mut self, more: &str) -> Self {
        let end = self.message.find('\n').unwrap_or(self.message.len());
        self.message.insert_str(end, more);
        self
    }

    /// What happened, in one line: without the commands that may follow it.
    pub fn first_line(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How long the server asked to be left alone, where it did.
    pub fn asked_pause(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
