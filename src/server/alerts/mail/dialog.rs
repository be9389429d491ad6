//! A conversation with a mail server (RFC 5321) that ends in time, whatever the server does:
//! one that says a byte now and then is waited for no longer than one that says nothing.
//!
//! What is said and what a reply means is lettre's; its own connection bounds each read only.

use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Ehlo, Quit, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, ServerInfo};
use lettre::transport::smtp::response::Response;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How long a server may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For each step.
    pub step: Duration,
    /// For everything. What looks into mails while it takes them may use what is left.
    pub whole: Duration,
}

/// What every mail server is given.
pub const LIMITS: Limits = Limits {
    step: Duration::from_secs(10),
    whole: Duration::from_secs(30),
};

/// How long it may take to say goodbye, once it has the message.
const FAREWELL: Duration = Duration::from_secs(1);

/// The longest reply, bytes: an `EHLO` of many lines has not one of them.
const REPLY_MAX: usize = 16 * 1024;

/// How many questions a login may have: user and password are two.
const CHALLENGES: usize = 4;

/// Why a step failed.
#[derive(Debug)]
pub enum Failure {
    /// The server said no; [`Response`] has its words.
    Refused(Response),
    /// The connection did not come about, broke, or was too slow.
    Lost(io::Error),
    /// The server said something else than was to be expected.
    Odd(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// An open conversation.
pub struct Dialog {
    stream: Stream,
    /// What came and is no reply yet.
    unread: Vec<u8>,
    offered: ServerInfo,
}

/// TLS, and the name that the server's certificate is to have.
pub struct Protection {
    /// Whom to trust.
    pub config: Arc<ClientConfig>,
    /// The host as it was asked for.
    pub name: ServerName<'static>,
}

impl Dialog {
    /// Connects to the first of the host's addresses that lets us; with `tls`, encrypted from
    /// the first byte.
    ///
    /// # Errors
    /// Where nothing answers.
    pub fn connect(
        host: &str,
        port: u16,
        tls: Option<&Protection>,
        limits: Limits,
    ) -> Result<Self, Failure> {
        let mut wait = Wait::begin(limits, Instant::now());
        let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs()? {
            wait.step(Instant::now());
            let Some(left) = wait.left(Instant::now()) else {
                break;
            };
            match TcpStream::connect_timeout(&address, left) {
                Ok(socket) => {
                    let stream = Stream::Plain(Timed { socket, wait });
                    let mut dialog = Self {
                        stream,
                        unread: Vec::new(),
                        offered: ServerInfo::default(),
                    };
                    if let Some(tls) = tls {
                        dialog.encrypt(tls)?;
                    }
                    return Ok(dialog);
                }
                Err(error) => last = error,
            }
        }
        Err(Failure::Lost(last))
    }

    /// Waits for the greeting, and asks what the server can do.
    ///
    /// # Errors
    /// As [`Dialog::command`].
    pub fn greet(&mut self, us: &ClientId) -> Result<(), Failure> {
        self.stream.wait().step(Instant::now());
        self.reply()?;
        self.hello(us)
    }

    fn hello(&mut self, us: &ClientId) -> Result<(), Failure> {
        let said = self.command(Ehlo::new(us.clone()))?;
        self.offered = ServerInfo::from_response(&said).map_err(odd)?;
        Ok(())
    }

    /// Goes on encrypted (RFC 3207).
    ///
    /// # Errors
    /// Where the server does not offer it; else as [`Dialog::command`].
    pub fn starttls(&mut self, tls: &Protection, us: &ClientId) -> Result<(), Failure> {
        if !self.offered.supports_feature(Extension::StartTls) {
            return Err(Failure::Odd("STARTTLS is not supported there".to_owned()));
        }
        self.command(Starttls)?;
        // Whoever is in between may have said this in the server's name.
        if !self.unread.is_empty() {
            return Err(Failure::Odd(
                "it went on in the clear after STARTTLS".to_owned(),
            ));
        }
        self.encrypt(tls)?;
        self.hello(us)
    }

    fn encrypt(&mut self, tls: &Protection) -> Result<(), Failure> {
        let connection = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone())
            .map_err(|error| Failure::Lost(io::Error::other(error)))?;
        if let Stream::Plain(timed) = &self.stream {
            let timed = timed.again()?;
            self.stream = Stream::Encrypted(Box::new(StreamOwned::new(connection, timed)));
        }
        Ok(())
    }

    /// Logs in.
    ///
    /// # Errors
    /// Where the server knows no way that we know; else as [`Dialog::command`].
    pub fn log_in(&mut self, login: &Credentials) -> Result<(), Failure> {
        let mechanism = self
            .offered
            .get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login])
            .ok_or_else(|| Failure::Odd("it offers neither PLAIN nor LOGIN".to_owned()))?;
        let mut said = self.command(Auth::new(mechanism, login.clone(), None).map_err(odd)?)?;
        for _ in 0..CHALLENGES {
            if !said.has_code(334) {
                return Ok(());
            }
            let answer = Auth::new_from_response(mechanism, login.clone(), &said);
            said = self.command(answer.map_err(odd)?)?;
        }
        Err(Failure::Odd("it does not stop asking".to_owned()))
    }

    /// Says `command`; gives the reply, where it is a good one.
    ///
    /// # Errors
    /// Where the server says no, or says nothing in time.
    pub fn command(&mut self, command: impl Display) -> Result<Response, Failure> {
        self.stream.wait().step(Instant::now());
        self.stream.write_all(command.to_string().as_bytes())?;
        self.stream.flush()?;
        self.reply()
    }

    /// Sends the message; `DATA` was said and granted.
    ///
    /// # Errors
    /// As [`Dialog::command`]; the server may use all that is left of [`Limits::whole`].
    pub fn message(&mut self, message: &[u8]) -> Result<Response, Failure> {
        self.stream.wait().last();
        self.stream.write_all(&stuffed(message))?;
        self.stream.flush()?;
        self.reply()
    }

    /// Says goodbye. It has the message: whether it answers does not matter.
    pub fn quit(mut self) {
        self.stream.wait().end = Instant::now() + FAREWELL;
        let _ = self.command(Quit);
    }

    /// The next reply: lines with a hyphen after the code, then one without.
    fn reply(&mut self) -> Result<Response, Failure> {
        let mut begin = 0;
        loop {
            while let Some(length) = self.unread[begin..].iter().position(|&b| b == b'\n') {
                let line = &self.unread[begin..begin + length];
                begin += length + 1;
                if line.get(3) == Some(&b'-') {
                    continue;
                }
                let reply: Vec<u8> = self.unread.drain(..begin).collect();
                return understood(&reply);
            }
            if self.unread.len() > REPLY_MAX {
                return Err(Failure::Odd("its reply does not end".to_owned()));
            }
            let mut buffer = [0; 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(closed().into()),
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What the server says by closing the connection.
fn closed() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection")
}

fn odd(error: impl Display) -> Failure {
    Failure::Odd(error.to_string())
}

fn understood(reply: &[u8]) -> Result<Response, Failure> {
    // Its line ends as the standard has them, for servers that know only half of it.
    let text = String::from_utf8_lossy(reply)
        .lines()
        .fold(String::new(), |text, line| text + line + "\r\n");
    let response: Response = text.parse().map_err(|_| {
        let line = text.lines().next().unwrap_or_default();
        let line: String = line.chars().take(100).collect();
        Failure::Odd(format!(
            "it said '{}', which is not SMTP",
            line.escape_debug()
        ))
    })?;
    match response.is_positive() {
        true => Ok(response),
        false => Err(Failure::Refused(response)),
    }
}

/// The message with its end, and no line before that looks like one (RFC 5321, section 4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len() + 64);
    for &byte in message {
        if byte == b'.' && (bytes.is_empty() || bytes.ends_with(b"\r\n")) {
            bytes.push(b'.');
        }
        bytes.push(byte);
    }
    if !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

/// The connection, encrypted or not.
enum Stream {
    Plain(Timed),
    Encrypted(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Stream {
    fn wait(&mut self) -> &mut Wait {
        match self {
            Self::Plain(timed) => &mut timed.wait,
            Self::Encrypted(stream) => &mut stream.sock.wait,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

/// Until when the server is waited for, whatever it sends meanwhile. Pure: it is given the time.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// How long a step may take.
    long: Duration,
    /// The end of everything.
    end: Instant,
    /// The end of the step.
    step: Instant,
}

impl Wait {
    fn begin(limits: Limits, now: Instant) -> Self {
        let end = now + limits.whole;
        Self {
            long: limits.step,
            end,
            step: end,
        }
    }

    /// A step begins.
    fn step(&mut self, now: Instant) {
        self.step = now + self.long;
    }

    /// The last step begins, which may take all that is left.
    fn last(&mut self) {
        self.step = self.end;
    }

    /// How long there is still to wait, which is never nothing; none where the time is up.
    fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.step.min(self.end).saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

/// A socket that is waited for only until the end of the step, and of everything.
struct Timed {
    socket: TcpStream,
    wait: Wait,
}

impl Timed {
    fn again(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            wait: self.wait,
        })
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        match self.wait.left(Instant::now()) {
            Some(left) => Ok(Some(left)),
            None => Err(ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::TcpListener;

    proptest! {
        // Each step ends in time whatever comes in it and however often; all of them together end in
        // time as well, and only the last may use what is left.
        #[test]
        fn no_server_is_waited_for_longer_than_the_limits(
            steps in proptest::collection::vec(
                (any::<bool>(), proptest::collection::vec(1_u64..700, 1..20)),
                1..20,
            ),
            step in 1_u64..1000,
            whole in 1_u64..5000,
        ) {
            let millis = Duration::from_millis;
            let begin = Instant::now();
            let mut now = begin;
            let mut wait = Wait::begin(Limits { step: millis(step), whole: millis(whole) }, begin);
            for (is_last, pieces) in steps {
                let begun = now;
                if is_last { wait.last() } else { wait.step(now) }
                for piece in pieces {
                    let Some(left) = wait.left(now) else { break };
                    // A piece comes, or does not come in time.
                    now += left.min(millis(piece));
                }
                prop_assert!(now - begin <= millis(whole));
                prop_assert!(is_last || now - begun <= millis(step));
            }
            wait.step(begin);
            prop_assert_eq!(wait.left(begin), Some(millis(step.min(whole))));
        }
    }

    /// What becomes of waiting for the greeting of a server that does this.
    fn greeted(server: impl FnOnce(TcpStream) + Send + 'static) -> Result<(), Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || server(listener.accept().unwrap().0));
        let limits = Limits {
            step: Duration::from_millis(300),
            whole: Duration::from_secs(3600),
        };
        let mut dialog = Dialog::connect("127.0.0.1", port, None, limits)?;
        dialog.greet(&ClientId::Domain("pakyas.test".to_owned()))
    }

    #[test]
    fn a_server_that_says_a_byte_now_and_then_is_given_up_as_a_silent_one_is() {
        let silent = |mut socket: TcpStream| {
            let _ = socket.read(&mut [0]);
        };
        let slow = |mut socket: TcpStream| {
            // Without an end, until the other side goes away.
            while socket.write_all(b"2").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        for said in [greeted(silent), greeted(slow)] {
            let Err(Failure::Lost(error)) = said else {
                panic!("{said:?}");
            };
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{error}"
            );
        }
    }

    #[test]
    fn no_line_of_a_message_looks_like_its_end() {
        let told = |message: &str| String::from_utf8(stuffed(message.as_bytes())).unwrap();
        assert_eq!(told("a\r\n.\r\nb"), "a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(told(".a.\r\n"), "..a.\r\n.\r\n");
        assert_eq!(told(""), "\r\n.\r\n");
    }

    #[test]
    fn a_reply_is_good_refused_or_no_smtp() {
        let good = understood(b"250-mail.test\r\n250 STARTTLS\r\n").unwrap();
        assert_eq!(good.message().count(), 2);
        assert!(understood(b"220 half a line end\n").is_ok());
        let refused = understood(b"550 5.1.1 nobody here\r\n");
        assert!(matches!(refused, Err(Failure::Refused(_))), "{refused:?}");
        let other = understood(b"HTTP/1.1 400 Bad Request\r\n");
        assert!(matches!(other, Err(Failure::Odd(_))), "{other:?}");
    }
}
