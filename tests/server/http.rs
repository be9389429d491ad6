//! The HTTP side against clients that are slow, broken or hostile: raw bytes on a socket, and
//! limits small enough to be reached.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support;
use crate::support::tls::{Authority, VALID};
use pakyas::server::http::{
    BodyRule, Counts, Handler, Handling, Limits, Listener, Request, Response, Setup, Tls, TlsFiles,
};
use ureq::http::{Method, StatusCode};

/// More than the kernel takes for a client that reads nothing, bytes.
const LARGE: usize = 12_000_000;

/// Answers with the method, the path and the body that it got, or with very much.
#[derive(Default)]
struct Echo {
    handled: AtomicUsize,
}

impl Handler for Echo {
    fn body_rule(&self, _: &Method, path: &str) -> BodyRule {
        match path {
            "/long" => BodyRule {
                max: 1_000_000,
                keep: 40_000,
            },
            _ => BodyRule { max: 100, keep: 10 },
        }
    }

    fn handle(&self, request: Request) -> Response {
        self.handled.fetch_add(1, Ordering::SeqCst);
        if request.path == "/large" {
            return Response::text(StatusCode::OK, vec![b'x'; LARGE]);
        }
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let text = format!("{} {} [{body}]", request.method, request.path);
        Response::text(StatusCode::OK, text)
    }
}

struct Trial {
    address: SocketAddr,
    echo: Arc<Echo>,
    counts: Arc<Counts>,
    listener: Option<Listener>,
}

impl Trial {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Limits)) -> Self {
        Self::over(None, change)
    }

    fn over(tls: Option<Arc<Tls>>, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits {
            connections: 8,
            threads: 8,
            waiting_bytes: 64_000_000,
            head_bytes: 1000,
            head_time: LONG,
            body_time: LONG,
            body_time_when_busy: LONG,
            idle_time: LONG,
            idle_time_when_busy: LONG,
            write_time: LONG,
        };
        change(&mut limits);
        let setup = Setup {
            limits,
            tls,
            ..Setup::default()
        };
        let counts = Arc::clone(&setup.counts);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let echo = Arc::new(Echo::default());
        let handler = Arc::clone(&echo);
        Self {
            address,
            echo,
            counts,
            listener: Some(Listener::start(listener, setup, handler).unwrap()),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        stream
    }

    /// Sends `bytes`, and gives all that comes back until the server closes.
    fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may refuse and close before it has everything.
        let _ = stream.write_all(bytes);
        read_all(&mut stream)
    }

    fn handled(&self) -> usize {
        self.echo.handled.load(Ordering::SeqCst)
    }
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Long enough that a test which waits for it fails for another reason.
const LONG: Duration = Duration::from_secs(60);

/// What a client is given that is to be let go. It begins with what that client sends at once, so
/// that a pause of the machine before it changes nothing.
const SHORT: Duration = Duration::from_millis(300);

const CLOSE: &str = "Host: x\r\nConnection: close\r\n";

#[test]
fn bodies_of_every_framing_are_read() {
    let trial = Trial::new();
    for (request, body) in [
        (
            format!("POST /p HTTP/1.1\r\n{CLOSE}Content-Length: 5\r\n\r\nhello"),
            "hello",
        ),
        (
            format!(
                "PUT /p HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
            ),
            "hello",
        ),
        // What `curl -X POST` sends.
        (format!("POST /p HTTP/1.1\r\n{CLOSE}\r\n"), ""),
        (format!("GET /p HTTP/1.1\r\n{CLOSE}\r\n"), ""),
        (
            format!("GET /p HTTP/1.1\r\n{CLOSE}Content-Length: 2\r\n\r\nhi"),
            "hi",
        ),
        ("GET /p HTTP/1.0\r\n\r\n".to_owned(), ""),
    ] {
        let answer = trial.say(request.as_bytes());
        assert!(answer.starts_with("HTTP/1."), "{request}{answer}");
        assert!(answer.contains(" 200 OK\r\n"), "{request}{answer}");
        assert!(
            answer.ends_with(&format!("/p [{body}]")),
            "{request}{answer}"
        );
    }
}

#[test]
fn only_the_end_of_a_long_body_is_kept() {
    let trial = Trial::new();
    let body = "0123456789".repeat(9) + "the end ok";
    let answer = trial
        .say(format!("POST / HTTP/1.1\r\n{CLOSE}Content-Length: 100\r\n\r\n{body}").as_bytes());
    assert!(answer.ends_with("[the end ok]"), "{answer}");
}

#[test]
fn too_much_is_413_whether_announced_or_not_and_the_client_gets_to_read_it() {
    let trial = Trial::new();
    let chunks = format!("{:x}\r\n{}\r\n", 60, "x".repeat(60)).repeat(2);
    for request in [
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n{}",
            "x".repeat(2_000_000)
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        ),
    ] {
        let answer = trial.say(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(trial.handled(), 0);
}

#[test]
fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let trial = Trial::with(|limits| limits.body_time = LONG);
    let mut stream = trial.connect();
    stream
        .write_all(
            format!("POST / HTTP/1.1\r\n{CLOSE}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
                .as_bytes(),
        )
        .unwrap();
    let mut line = [0; 25];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    assert!(read_all(&mut stream).ends_with("[ok]"));
    // One that would be refused is told so before it sends anything.
    let answer = trial
        .say(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let trial = Trial::new();
    let answer = trial.say(
        format!("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\naGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\n{CLOSE}\r\n")
            .as_bytes(),
    );
    let bodies: Vec<&str> = answer.lines().filter(|line| line.contains('[')).collect();
    assert_eq!(bodies.len(), 3, "{answer}");
    for (place, text) in ["POST /1 [a]", "GET /2 []", "GET /3 []"].iter().enumerate() {
        assert!(bodies[place].contains(text), "{answer}");
    }
}

#[test]
fn a_target_may_name_the_host_again() {
    let trial = Trial::new();
    let answer = trial.say(format!("GET http://y/p?q HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
    assert!(answer.ends_with("GET /p []"), "{answer}");
    let answer = trial.say(format!("OPTIONS * HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
    assert!(answer.ends_with("OPTIONS * []"), "{answer}");
}

/// Does something when it goes, however that comes.
struct AtLast<F: Fn()>(F);

impl<F: Fn()> Drop for AtLast<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn who_asks_without_a_pause_does_not_keep_the_only_thread() {
    let trial = Trial::with(|limits| limits.threads = 1);
    let flood = trial.connect();
    let requests = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                if (&flood).write_all(requests.as_bytes()).is_err() {
                    break;
                }
            }
        });
        scope.spawn(|| {
            let mut buffer = [0; 64 * 1024];
            while !is_over.load(Ordering::SeqCst) {
                if !matches!((&flood).read(&mut buffer), Ok(1..)) {
                    break;
                }
            }
        });
        // Also where what follows fails: the scope waits for the two above.
        let _end = AtLast(|| {
            is_over.store(true, Ordering::SeqCst);
            let _ = flood.shutdown(Shutdown::Both);
        });
        support::wait_for("the flood", || (trial.handled() > 100).then_some(()));
        let answer = trial.say(format!("GET /other HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
        assert!(answer.ends_with("GET /other []"), "{answer}");
    });
}

#[test]
fn a_head_has_the_length_but_no_body() {
    let trial = Trial::new();
    let answer = trial.say(format!("HEAD /p HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
    assert!(answer.contains("content-length: 10\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn doubtful_framing_is_refused_and_nothing_after_it_is_handled() {
    let trial = Trial::new();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for headers in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 0x4\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let answer = trial.say(
            format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n0\r\n\r\n{smuggled}").as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}{answer}");
        assert!(!answer.contains("smuggled"), "{headers}{answer}");
    }
    assert_eq!(trial.handled(), 0);
}

#[test]
fn what_is_not_http_is_400() {
    let trial = Trial::new();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let answer = trial.say(bytes);
        assert!(
            answer.starts_with("HTTP/1.1 400 "),
            "{:?}{answer}",
            String::from_utf8_lossy(bytes)
        );
    }
    assert_eq!(trial.handled(), 0);
}

#[test]
fn headers_that_are_too_large_or_too_many_are_refused() {
    let trial = Trial::with(|limits| limits.head_bytes = 20_000);
    let large = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(30_000)
    );
    let answer = trial.say(large.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    assert!(trial.say(many.as_bytes()).starts_with("HTTP/1.1 431 "));
    // Also where it comes whole in one packet.
    let trial = Trial::with(|limits| limits.head_bytes = 1000);
    for length in [900, 1100] {
        let x = "x".repeat(length);
        let answer = trial.say(format!("GET /{x} HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
        let status = if length < 1000 { 200 } else { 431 };
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    let trial = Trial::with(|limits| limits.head_bytes = 1000);
    assert_eq!(trial.handled(), 0);
}

#[test]
fn a_client_that_stops_in_the_middle_is_told_and_let_go() {
    let trial = Trial::with(|limits| {
        (limits.head_time, limits.body_time) = (SHORT, SHORT);
    });
    for part in [
        "GET / HTTP/1.1\r\nHost",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ] {
        let answer = trial.say(part.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 408 "), "{part}: {answer}");
    }
    assert_eq!(trial.handled(), 0);
    // One that never begins just loses its connection.
    let trial = Trial::with(|limits| limits.idle_time = SHORT);
    assert_eq!(trial.say(b""), "");
    assert_eq!(trial.handled(), 0);
}

#[test]
fn a_byte_now_and_then_does_not_hold_a_slot_for_longer_than_the_limit() {
    let trial = Trial::with(|limits| limits.head_time = SHORT);
    let mut stream = trial.connect();
    stream
        .set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let mut answer = Vec::new();
    // Longer than any test: a limit that bytes put off is never reached.
    for _ in 0..10_000 {
        // Each byte comes well within any pause; together they never make a head.
        let _ = stream.write_all(b"x");
        let mut buffer = [0; 1000];
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[test]
fn connections_beyond_the_limit_wait_their_turn_and_idle_ones_make_room() {
    let trial = Trial::with(|limits| limits.connections = 4);
    let _idle: Vec<TcpStream> = (0..4).map(|_| trial.connect()).collect();
    let answer = trial.say(format!("GET /late HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
    assert!(answer.ends_with("GET /late []"), "{answer}");
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let trial = Trial::with(|limits| limits.idle_time = LONG);
    let mut stream = trial.connect();
    for _ in 0..3 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"[]") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
    assert_eq!(trial.handled(), 3);
}

#[test]
fn a_client_that_has_closed_its_side_for_sending_is_answered() {
    let trial = Trial::new();
    let mut stream = trial.connect();
    stream
        .write_all(b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(read_all(&mut stream).ends_with("POST /p [hi]"));
    // One that closes in the middle has asked nothing.
    let mut stream = trial.connect();
    stream
        .write_all(b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nhi")
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut stream), "");
    assert_eq!(trial.handled(), 1);
}

#[test]
fn what_proxies_may_read_otherwise_is_refused_and_nothing_after_it_is_handled() {
    let trial = Trial::new();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    for request in [
        // A folded header, a bare CR, a space before the colon or in the name.
        "POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 5\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\nContent Length: 5\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\n Content-Length: 5\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\x000\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(),
        // Sizes of chunks that are none.
        format!("POST / HTTP/1.1\r\nHost: x\r\n{chunked}-1\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nHost: x\r\n{chunked}0x1\r\na\r\n0\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nHost: x\r\n{chunked}fffffffffffffffff\r\na"),
        format!("POST / HTTP/1.1\r\nHost: x\r\n{chunked}1\r\nab\r\n0\r\n\r\n"),
        format!("POST / HTTP/1.0\r\nHost: x\r\n{chunked}0\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nHost: x\r\n{chunked}+1\r\na\r\n0\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nHost: x\r\n{chunked}1\na\r\n0\r\n\r\n"),
        format!("POST / HTTP/1.1\r\nHost: x\r\n{chunked}1;a\nb\r\na\r\n0\r\n\r\n"),
        // Lines that end with half a line end.
        "GET / HTTP/1.1\nHost: x\n\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nX: a\nY: b\r\n\r\n".to_owned(),
        // Two hosts, or none that could be one.
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n".to_owned(),
        // A body where there can be none.
        "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na".to_owned(),
        format!("HEAD / HTTP/1.1\r\nHost: x\r\n{chunked}0\r\n\r\n"),
        // Targets for a proxy, and what is none at all.
        "GET hkeep-alivec HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
    ] {
        let answer = trial.say(format!("{request}{smuggled}").as_bytes());
        assert!(!answer.contains("/smuggled"), "{request:?}\n{answer}");
        let is_head = request.starts_with("HEAD ");
        assert!(!is_head || answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(
            answer.is_empty()
                || answer.starts_with("HTTP/1.1 4")
                || answer.starts_with("HTTP/1.0 4"),
            "{request:?}\n{answer}"
        );
    }
    assert_eq!(trial.handled(), 0);
}

#[test]
fn a_handshake_that_does_not_come_is_not_awaited_for_ever() {
    let directory = support::TempDir::new();
    let identity = Authority::new("A").issue(&["localhost"], VALID);
    let files = TlsFiles {
        certificate: directory.path().join("cert"),
        key: directory.path().join("key"),
    };
    std::fs::write(&files.certificate, &identity.certificate_pem).unwrap();
    std::fs::write(&files.key, &identity.key_pem).unwrap();
    let (tls, _) = Tls::load(files).unwrap();
    let tls = Arc::new(tls);
    let patient = Trial::over(Some(Arc::clone(&tls)), |_| {});
    let answer = patient.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let trial = Trial::over(Some(tls), |limits| {
        (limits.head_time, limits.idle_time) = (SHORT, SHORT);
    });
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        assert_eq!(trial.say(beginning), "");
    }
    // Bytes that are no TLS are answered with an alert at most.
    let garbage: Vec<u8> = [0x16]
        .into_iter()
        .chain((0..=255).cycle().take(5000))
        .collect();
    trial.say(&garbage);
    assert_eq!(trial.handled(), 0);
}

#[test]
fn ten_thousand_idle_connections_leave_room_for_a_ping() {
    // Both ends are in this process: two descriptors each.
    let descriptors = pakyas::sys::raise_descriptor_limit().unwrap();
    let idle = usize::try_from((descriptors.saturating_sub(400)) / 2)
        .unwrap()
        .min(10_000);
    let limit = idle / 2;
    let trial = Trial::with(|limits| {
        limits.connections = limit;
        limits.threads = 64;
        // None of them makes room by itself while the test runs.
        limits.idle_time = Duration::from_secs(3_600);
        limits.idle_time_when_busy = Duration::from_secs(3_600);
    });
    let mut kept = Vec::new();
    for number in 0..idle {
        kept.push(trial.connect());
        if number % (idle / 20) == 0 {
            let answer = trial.say(format!("GET /{number} HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
            assert!(answer.ends_with(&format!("/{number} []")), "{answer}");
        }
    }
    let open = trial.counts.open.load(Ordering::SeqCst);
    assert!(open <= limit, "{open} of {limit}");
    // Those that were quiet for longest had to go, the newest are there.
    let newest = kept.last_mut().unwrap();
    newest
        .write_all(format!("GET /newest HTTP/1.1\r\n{CLOSE}\r\n").as_bytes())
        .unwrap();
    assert!(read_all(newest).ends_with("/newest []"));
}

/// Whether the server has neither said anything to this client nor let it go.
fn waits(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn clients_that_send_or_take_slowly_hold_no_thread() {
    let trial = Trial::with(|limits| {
        limits.connections = 100;
        limits.threads = 2;
        (limits.head_time, limits.body_time) = (LONG, LONG);
        (limits.body_time_when_busy, limits.write_time) = (LONG, LONG);
    });
    let begin = |bytes: &[u8]| {
        let mut stream = trial.connect();
        stream.write_all(bytes).unwrap();
        stream
    };
    let mut slow = Vec::new();
    for _ in 0..10 {
        slow.push(begin(b"GET / HTTP/1.1\r\nHost"));
        slow.push(begin(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel",
        ));
        slow.push(begin(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        ));
    }
    let mut refused: Vec<TcpStream> = (0..10).map(|_| begin(b"nonsense\r\n\r\n")).collect();
    let mut readers: Vec<TcpStream> = (0..5)
        .map(|_| begin(format!("GET /large HTTP/1.1\r\n{CLOSE}\r\n").as_bytes()))
        .collect();
    support::wait_for("the large answers", || {
        (trial.handled() == readers.len()).then_some(())
    });
    for number in 0..20 {
        let answer = trial.say(format!("POST /{number} HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
        assert!(answer.ends_with(&format!("POST /{number} []")), "{answer}");
    }
    assert!(slow.iter().all(waits));
    // Who goes on is served.
    for stream in slow.iter_mut().skip(1).step_by(3) {
        stream.write_all(b"lo").unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
    for stream in &mut readers {
        let answer = read_all(stream);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert_eq!(body.len(), LARGE);
    }
    for stream in &mut refused {
        assert!(read_all(stream).starts_with("HTTP/1.1 400 "));
    }
}

#[test]
fn an_answer_that_nobody_takes_is_not_offered_for_ever() {
    let trial = Trial::with(|limits| limits.write_time = Duration::from_millis(200));
    let mut stream = trial.connect();
    stream
        .write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    support::wait_for("the end", || {
        let is_gone = trial.handled() == 1 && trial.counts.open.load(Ordering::SeqCst) == 0;
        is_gone.then_some(())
    });
    assert!(read_all(&mut stream).len() < LARGE);
}

#[test]
fn an_answer_that_is_taken_steadily_may_take_its_time() {
    let trial = Trial::with(|limits| limits.write_time = Duration::from_secs(2));
    let mut stream = trial.connect();
    stream
        .write_all(format!("GET /large HTTP/1.1\r\n{CLOSE}\r\n").as_bytes())
        .unwrap();
    // Longer than it might take nothing; each piece comes long before that.
    let mut buffer = vec![0; LARGE / 60];
    let mut taken = 0;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            read => taken += read,
        }
        if taken < LARGE {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    assert!(taken > LARGE, "{taken}");
}

#[test]
fn in_a_crowd_a_body_must_keep_moving_and_one_that_does_is_taken() {
    let trial = Trial::with(|limits| {
        limits.body_time = LONG;
        limits.body_time_when_busy = Duration::from_millis(500);
    });
    let mut crowd: Vec<TcpStream> = (0..6).map(|_| trial.connect()).collect();
    for stream in &mut crowd {
        stream
            .write_all(b"POST /long HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
            .unwrap();
    }
    let mut steady = trial.connect();
    steady
        .write_all(
            format!(
                "POST /long HTTP/1.1\r\n{CLOSE}Content-Length: 100000\r\n\r\n{}",
                "y".repeat(10_000)
            )
            .as_bytes(),
        )
        .unwrap();
    // 2 KB each 25 ms earn 2 s each, also on a machine that has much else to do; the first 10 KB come
    // with the head.
    for _ in 0..45 {
        std::thread::sleep(Duration::from_millis(25));
        steady.write_all(&[b'y'; 2000]).unwrap();
    }
    let answer = read_all(&mut steady);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    for mut stream in crowd {
        let answer = read_all(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}

#[test]
fn what_waits_takes_no_more_memory_than_it_may() {
    let trial = Trial::with(|limits| {
        limits.connections = 100;
        limits.waiting_bytes = 100_000;
        (limits.body_time, limits.body_time_when_busy) = (LONG, LONG);
    });
    let part = format!(
        "POST /long HTTP/1.1\r\n{CLOSE}Content-Length: 30001\r\n\r\n{}",
        "z".repeat(30_000)
    );
    let mut waiting: Vec<TcpStream> = (0..10).map(|_| trial.connect()).collect();
    for stream in &mut waiting {
        stream.write_all(part.as_bytes()).unwrap();
    }
    // Those that found no room are told, and the others are kept. Each waits with more than 30 KB
    // and less than 50, so two are kept, or three.
    support::wait_for("the refusals", || {
        (waiting.iter().filter(|stream| !waits(stream)).count() >= 7).then_some(())
    });
    let mut kept = 0;
    for mut stream in waiting {
        let _ = stream.write_all(b"z");
        let answer = read_all(&mut stream);
        if answer.starts_with("HTTP/1.1 200 OK") {
            kept += 1;
            continue;
        }
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nretry-after: "), "{answer}");
    }
    assert!((2..=3).contains(&kept), "{kept}");
    // What comes at once needs no room.
    let answer = trial.say(format!("{part}z").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn chunks_that_are_mostly_framing_or_never_begin_are_refused() {
    let trial = Trial::with(|limits| limits.body_time = LONG);
    let head = format!("POST / HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\n");
    let trailers = "X-Trailer: yes\r\n".repeat(10_000);
    for body in [
        format!("1;{}", "x".repeat(100_000)),
        format!("1\r\nx{}", "y".repeat(100_000)),
        format!("0\r\n{trailers}"),
        format!("0\r\n{}", "t".repeat(100_000)),
    ] {
        let answer = trial.say(format!("{head}{body}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(trial.handled(), 0);
}

#[test]
fn a_body_that_is_on_its_way_when_the_server_stops_is_answered_and_an_idle_client_let_go() {
    let mut trial = Trial::with(|limits| {
        (limits.body_time, limits.idle_time) = (LONG, LONG);
        limits.body_time_when_busy = LONG;
    });
    let mut idle = trial.connect();
    let mut stream = trial.connect();
    stream
        .write_all(format!("POST /p HTTP/1.1\r\n{CLOSE}Content-Length: 5\r\n\r\nhel").as_bytes())
        .unwrap();
    support::wait_for("both connections", || {
        (trial.counts.parked.load(Ordering::SeqCst) == 2).then_some(())
    });
    let listener = trial.listener.take().unwrap();
    let stopping = std::thread::spawn(move || listener.stop(LONG));
    assert_eq!(read_all(&mut idle), "");
    stream.write_all(b"lo").unwrap();
    assert!(read_all(&mut stream).ends_with("POST /p [hello]"));
    stopping.join().unwrap();
}

#[test]
fn a_large_answer_is_whole_over_tls_however_slowly_it_is_taken() {
    let directory = support::TempDir::new();
    let authority = Authority::new("A");
    let identity = authority.issue(&["localhost"], VALID);
    let files = TlsFiles {
        certificate: directory.path().join("cert"),
        key: directory.path().join("key"),
    };
    std::fs::write(&files.certificate, &identity.certificate_pem).unwrap();
    std::fs::write(&files.key, &identity.key_pem).unwrap();
    let (tls, _) = Tls::load(files).unwrap();
    let trial = Trial::over(Some(Arc::new(tls)), |limits| {
        limits.write_time = LONG;
        limits.threads = 1;
    });
    let certificate = ureq::tls::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::new_with_certs(&[certificate]))
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .timeout_global(Some(LONG))
        .build()
        .into();
    let url = format!("https://localhost:{}", trial.address.port());
    let mut large = agent.get(format!("{url}/large")).call().unwrap();
    // The only thread is free meanwhile.
    let other = agent.get(format!("{url}/other")).call().unwrap();
    assert_eq!(other.into_body().read_to_string().unwrap(), "GET /other []");
    let mut reader = large.body_mut().as_reader();
    let (mut buffer, mut total) = ([0; 64 * 1024], 0);
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => break,
            read => total += read,
        }
        if total % 10 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert_eq!(total, LARGE);
}

/// Answers later, from other threads and in another order than it was asked.
struct Slow;

impl Handler for Slow {
    fn body_rule(&self, _: &Method, _: &str) -> BodyRule {
        BodyRule { max: 100, keep: 10 }
    }

    fn handle(&self, request: Request) -> Response {
        Response::text(StatusCode::OK, request.path)
    }

    fn begin(&self, request: Request) -> Handling {
        if request.path.ends_with("lost") {
            return Handling::Later(Box::new(drop));
        }
        Handling::Later(Box::new(move |pending| {
            std::thread::spawn(move || {
                let pause = request.path.len() as u64 * 7 % 5;
                std::thread::sleep(Duration::from_millis(pause));
                pending.answer(Response::text(StatusCode::OK, request.path));
            });
        }))
    }
}

#[test]
fn answers_that_come_later_keep_the_order_and_none_is_forgotten() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let listener = Listener::start(socket, Setup::default(), Arc::new(Slow)).unwrap();
    std::thread::scope(|scope| {
        for client in 0..8 {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
                let paths: Vec<String> = (0..50)
                    .map(|number| format!("/{client}/{}", "x".repeat(number)))
                    .collect();
                // All at once, as pipelining allows.
                let asked: String = paths
                    .iter()
                    .enumerate()
                    .map(|(number, path)| {
                        let close = if number == 49 {
                            "Connection: close\r\n"
                        } else {
                            ""
                        };
                        format!("GET {path} HTTP/1.1\r\nHost: x\r\n{close}\r\n")
                    })
                    .collect();
                stream.write_all(asked.as_bytes()).unwrap();
                let answers = read_all(&mut stream);
                let told: Vec<&str> = answers
                    .split("HTTP/1.1 200 OK\r\n")
                    .skip(1)
                    .map(|answer| answer.rsplit("\r\n\r\n").next().unwrap())
                    .collect();
                assert_eq!(told, paths);
            });
        }
    });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream
        .write_all(format!("GET /lost HTTP/1.1\r\n{CLOSE}\r\n").as_bytes())
        .unwrap();
    let answer = read_all(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    listener.stop(Duration::from_secs(5));
}

/// Requests as a careless or hostile hand may change them. What comes back must be an answer to
/// what was sent before it, or an end, in time.
#[test]
fn no_change_to_a_request_brings_a_panic_a_hang_or_an_answer_to_another() {
    const SEEDS: [&str; 4] = [
        "GET /seed HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /seed HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        "POST /seed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "PUT /seed HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    ];
    const PIECES: [&str; 12] = [
        "\r\n",
        "\n",
        "\r",
        ":",
        " ",
        "\0",
        "0",
        "\r\n\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "HTTP/1.0",
        "\u{ff}",
    ];
    let trial = Trial::with(|limits| {
        limits.connections = 64;
        limits.head_time = Duration::from_millis(100);
        limits.body_time = Duration::from_millis(100);
    });
    std::thread::scope(|scope| {
        for worker in 0..16_u64 {
            let trial = &trial;
            scope.spawn(move || {
                // xorshift: the same changes each time, so that a failure can be repeated.
                let mut state = 0x9E37_79B9_7F4A_7C15 ^ (worker + 1);
                let mut random = move |below: usize| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state % below as u64) as usize
                };
                for _ in 0..150 {
                    let mut bytes = SEEDS[random(SEEDS.len())].as_bytes().to_vec();
                    for _ in 0..=random(3) {
                        let place = random(bytes.len().max(1)).min(bytes.len());
                        match random(4) {
                            0 if place < bytes.len() => bytes[place] = random(256) as u8,
                            1 => bytes.truncate(place),
                            2 => {
                                let piece = PIECES[random(PIECES.len())].bytes();
                                bytes.splice(place..place, piece);
                            }
                            _ => {
                                let copy = bytes[place..].to_vec();
                                bytes.extend(copy);
                            }
                        }
                    }
                    let mut stream = trial.connect();
                    let _ = stream.write_all(&bytes);
                    let _ = stream.shutdown(Shutdown::Write);
                    let answer = read_all(&mut stream);
                    assert!(
                        answer.is_empty() || answer.starts_with("HTTP/1."),
                        "{:?}\n{answer}",
                        String::from_utf8_lossy(&bytes)
                    );
                    // No more answers than heads.
                    let heads = bytes.windows(5).filter(|five| five == b"HTTP/").count();
                    let answers = answer.matches(" 200 OK\r\n").count();
                    assert!(
                        answers <= heads,
                        "{:?}\n{answer}",
                        String::from_utf8_lossy(&bytes)
                    );
                }
            });
        }
    });
    // It is as well as before.
    let answer = trial.say(format!("GET /after HTTP/1.1\r\n{CLOSE}\r\n").as_bytes());
    assert!(answer.ends_with("GET /after []"), "{answer}");
}
