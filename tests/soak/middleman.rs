//! What stands between clients and server: a relay that passes everything on, until it is told to
//! answer like a proxy without a server behind it, a portal, or nobody at all.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// What it answers in the server's place, and how people would call that; nothing is a reset.
const MOODS: [(&str, &str); 6] = [
    (
        "a proxy that knows no server",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n404 page not found\n",
    ),
    (
        "a sign-in page elsewhere",
        "HTTP/1.1 302 Found\r\nLocation: http://login.invalid/\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a proxy that wants a password",
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a portal that greets",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<h1>Welcome back</h1>",
    ),
    (
        "a proxy that finds everything too large",
        "HTTP/1.1 413 Too Large\r\nServer: nginx\r\nContent-Length: 13\r\n\r\n<html></html>",
    ),
    ("resets", ""),
];

/// Passes everything on.
const HONEST: usize = MOODS.len();

struct Shared {
    server: SocketAddr,
    mood: AtomicUsize,
    /// Whether the server gets what it answers in the place of.
    passes_on: AtomicBool,
    ended: AtomicBool,
}

impl Shared {
    /// What is to be answered now in the server's place, if anything.
    fn instead(&self) -> Option<&'static str> {
        let mood = MOODS.get(self.mood.load(Ordering::SeqCst))?;
        Some(mood.1)
    }
}

/// A relay on a port of its own, gone when it is dropped.
pub struct Middleman {
    pub url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Middleman {
    /// In front of the server at this URL.
    pub fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server: url.trim_start_matches("http://").parse().unwrap(),
            mood: AtomicUsize::new(HONEST),
            passes_on: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for client in listener.incoming() {
                    if shared.ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(client) = client else { continue };
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || relay(&client, &shared));
                }
            }
        });
        Self {
            url: format!("http://{address}"),
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// How many ways of being in the way there are.
    pub fn moods() -> usize {
        MOODS.len()
    }

    /// Answers in the server's place from now on, which gets the requests all the same where it
    /// `passes_on`; gives what that is called.
    pub fn get_in_the_way(&self, mood: usize, passes_on: bool) -> &'static str {
        self.shared.passes_on.store(passes_on, Ordering::SeqCst);
        self.shared.mood.store(mood, Ordering::SeqCst);
        MOODS[mood].0
    }

    /// Passes everything on again.
    pub fn step_aside(&self) {
        self.shared.mood.store(HONEST, Ordering::SeqCst);
    }
}

impl Drop for Middleman {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Passes on what one client says and what it is answered; an answer of its own ends the
/// connection.
fn relay(client: &TcpStream, shared: &Arc<Shared>) -> Option<()> {
    let Ok(server) = TcpStream::connect(shared.server) else {
        // As a proxy does whose server is away.
        let _ = (&*client).read(&mut [0; 4096]);
        let answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
        let _ = (&*client).write_all(answer);
        return client.shutdown(Shutdown::Both).ok();
    };
    let back = std::thread::spawn({
        let (shared, server) = (Arc::clone(shared), server.try_clone().ok()?);
        let client = client.try_clone().ok()?;
        move || {
            pass(&server, &client, || {
                shared.instead().map(|answer| (&client, answer, false))
            });
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    pass(client, &server, || {
        let passes_on = shared.passes_on.load(Ordering::SeqCst);
        shared.instead().map(|answer| (client, answer, passes_on))
    });
    let _ = server.shutdown(Shutdown::Write);
    let _ = back.join();
    client.shutdown(Shutdown::Both).ok()
}

/// Copies `from` one end `to` the other until either is gone, or until there is something to
/// answer the client instead.
fn pass<'a>(
    from: &TcpStream,
    mut to: &TcpStream,
    instead: impl Fn() -> Option<(&'a TcpStream, &'static str, bool)>,
) -> Option<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = (&*from).read(&mut buffer).ok().filter(|&read| read > 0)?;
        if let Some((mut client, answer, passes_on)) = instead() {
            if passes_on {
                let _ = to.write_all(&buffer[..read]);
            }
            let _ = client.write_all(answer.as_bytes());
            let _ = client.shutdown(Shutdown::Both);
            return None;
        }
        to.write_all(&buffer[..read]).ok()?;
    }
}
