//! The HTTP server against more slow clients than it has threads: who asks properly is answered
//! meanwhile, and the others are let go at their deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support;
use crate::support::server::Server;
use crate::support::tls::{Authority, VALID};
use pakyas::server::http::{
    BodyRule, Counts, Handler, Limits, Listener, Request, Response, Setup, Tls, TlsFiles,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use ureq::http::{Method, StatusCode};

/// More than the kernel takes for a client that reads nothing, bytes.
const LARGE: usize = 1_000_000;

/// Long enough that a test which waits for it fails for another reason.
const LONG: Duration = Duration::from_secs(120);

/// A limit that ends nobody while a test runs: who is answered meanwhile did not wait for it.
const NEVER: Duration = Duration::from_secs(3_600);

const BODY: &[u8] = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";

/// Answers with very much below `/large`, else with little.
struct Answers;

impl Handler for Answers {
    fn body_rule(&self, _: &Method, _: &str) -> BodyRule {
        BodyRule {
            max: 100_000,
            keep: 10_000,
        }
    }

    fn handle(&self, request: Request) -> Response {
        match request.path.as_str() {
            "/large" => Response::text(StatusCode::OK, vec![b'x'; LARGE]),
            _ => Response::text(StatusCode::OK, "little"),
        }
    }
}

struct Trial {
    address: SocketAddr,
    counts: Arc<Counts>,
    /// Where clients are to speak TLS.
    client: Option<Arc<ClientConfig>>,
    _listener: Listener,
}

/// A connection, encrypted or not.
trait Speaks: Read + Write {}

impl<T: Read + Write> Speaks for T {}

impl Trial {
    fn new(encrypted: bool, limits: Limits) -> Self {
        let authority = Authority::new("A");
        let tls = encrypted.then(|| {
            let directory = support::TempDir::new();
            let identity = authority.issue(&["localhost"], VALID);
            let files = TlsFiles {
                certificate: directory.path().join("cert"),
                key: directory.path().join("key"),
            };
            std::fs::write(&files.certificate, &identity.certificate_pem).unwrap();
            std::fs::write(&files.key, &identity.key_pem).unwrap();
            Arc::new(Tls::load(files).unwrap().0)
        });
        let setup = Setup {
            limits,
            tls,
            ..Setup::default()
        };
        let counts = Arc::clone(&setup.counts);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            counts,
            client: encrypted.then(|| trusting(&authority)),
            _listener: Listener::start(listener, setup, Arc::new(Answers)).unwrap(),
        }
    }

    fn begin(&self, bytes: &[u8]) -> Box<dyn Speaks> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        let mut stream: Box<dyn Speaks> = match &self.client {
            None => Box::new(stream),
            Some(config) => {
                let name = "localhost".try_into().unwrap();
                let session = ClientConnection::new(Arc::clone(config), name).unwrap();
                Box::new(StreamOwned::new(session, stream))
            }
        };
        stream.write_all(bytes).unwrap();
        stream
    }

    /// A proper request is answered.
    fn asks(&self) {
        let mut stream = self.begin(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(read_all(&mut *stream).ends_with("little"));
    }

    fn is_open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    fn wait_until_all_are_gone(&self) {
        support::wait_for("the slow clients' end", || {
            (self.is_open() == 0).then_some(())
        });
    }
}

fn read_all(stream: &mut dyn Speaks) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];
        assert!(kinds.contains(&error.kind()), "{error}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a client that trusts this authority alone speaks.
fn trusting(authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Room for many connections and few threads.
fn limits() -> Limits {
    Limits {
        connections: 4000,
        threads: 4,
        ..Limits::default()
    }
}

/// As many as both ends of them have descriptors in this process.
fn many(wanted: usize) -> usize {
    let descriptors = pakyas::sys::raise_descriptor_limit().unwrap();
    // Two tests may be at it at once.
    usize::try_from(descriptors.saturating_sub(400) / 4)
        .unwrap()
        .min(wanted)
}

fn slow_bodies_are_borne_and_let_go(encrypted: bool, count: usize) {
    let within = |body_time| Limits {
        body_time,
        ..limits()
    };
    let trial = Trial::new(encrypted, within(NEVER));
    let mut slow: Vec<Box<dyn Speaks>> = (0..count).map(|_| trial.begin(BODY)).collect();
    for _ in 0..20 {
        for stream in &mut slow {
            stream.write_all(b".").unwrap();
        }
        trial.asks();
    }
    assert!(trial.is_open() >= count, "nobody was slow");
    drop((slow, trial));
    // Bytes that go on coming do not put the end off.
    let trial = Trial::new(encrypted, within(Duration::from_secs(1)));
    let mut slow: Vec<Box<dyn Speaks>> = (0..count).map(|_| trial.begin(BODY)).collect();
    support::wait_for("the slow clients' end", || {
        for stream in &mut slow {
            let _ = stream.write_all(b".");
        }
        (trial.is_open() == 0).then_some(())
    });
}

fn who_takes_no_answer_is_borne_and_let_go(encrypted: bool, count: usize) {
    let within = |write_time| Limits {
        write_time,
        waiting_bytes: 32 * 1024 * 1024,
        ..limits()
    };
    let ask = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
    let trial = Trial::new(encrypted, within(NEVER));
    let mut slow = Vec::new();
    for number in 0..count {
        slow.push(trial.begin(ask));
        if number % 100 == 0 {
            trial.asks();
        }
    }
    trial.asks();
    drop((slow, trial));
    let trial = Trial::new(encrypted, within(Duration::from_secs(1)));
    let mut slow: Vec<Box<dyn Speaks>> = (0..count).map(|_| trial.begin(ask)).collect();
    trial.wait_until_all_are_gone();
    // Nobody got all of it.
    for stream in &mut slow {
        assert!(read_all(&mut **stream).len() < LARGE);
    }
}

#[test]
fn fifteen_hundred_who_send_a_byte_now_and_then_hold_no_thread_and_are_let_go() {
    slow_bodies_are_borne_and_let_go(false, many(1500));
}

#[test]
fn who_sends_a_byte_now_and_then_over_tls_holds_no_thread_and_is_let_go() {
    slow_bodies_are_borne_and_let_go(true, 50);
}

#[test]
fn fifteen_hundred_who_take_no_answer_hold_no_thread_and_are_let_go() {
    who_takes_no_answer_is_borne_and_let_go(false, many(1500));
}

#[test]
fn who_takes_no_answer_over_tls_holds_no_thread_and_is_let_go() {
    who_takes_no_answer_is_borne_and_let_go(true, 50);
}

/// Whether the server has neither said anything to this client nor let it go.
fn waits(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// The real program against more slow clients than it has threads.
#[test]
fn fifteen_hundred_slow_clients_do_not_keep_a_ping_waiting() {
    let descriptors = pakyas::sys::raise_descriptor_limit().unwrap();
    let tens = usize::try_from(descriptors / 20).unwrap().min(150);
    let server = Server::start();
    let check = server.check("job", 3600, 300, &Value::Null);
    let path = format!("/{}", check["public_id"].as_str().unwrap());
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let begin = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let body = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    let mut bodies = Vec::new();
    let mut heads = Vec::new();
    for _ in 0..tens {
        bodies.extend((0..9).map(|_| begin(body.as_bytes())));
        heads.push(begin(b"GET / HTTP/1.1\r\nHo"));
    }
    let hogs: Vec<TcpStream> = (0..5)
        .map(|_| {
            let stream = begin(b"");
            stream.set_nonblocking(true).unwrap();
            let asked = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(200);
            // Until the server reads no more of it, as its answers are not taken.
            while (&stream).write_all(asked.as_bytes()).is_ok() {}
            stream
        })
        .collect();
    // The honest cousin of all these, on a link of 1 MB/s.
    let mut honest = begin(body.as_bytes());
    for _ in 0..50 {
        honest.write_all(&[b'o'; 2_000]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(server.ping(&check, "").status, 200);
    assert_eq!(server.show(&check)["status"], "up");
    let mut answer = [0; 15];
    honest.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    // All this while none of the others was let go.
    assert!(bodies.iter().all(waits));
    drop((bodies, heads, hogs));
}
