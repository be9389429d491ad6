//! An HTTP proxy that knows CONNECT, and that leads every name to where the test wants it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Where a host and port lead to; `None` is refused.
type Lead = dyn Fn(&str) -> Option<String> + Send + Sync;

struct Shared {
    lead: Box<Lead>,
    heads: Mutex<Vec<String>>,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// A proxy on a free port of this machine, gone when it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// `lead` says, of `host:port`, which address that is, if any.
    pub fn new(lead: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            lead: Box::new(lead),
            heads: Mutex::default(),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for client in listener.incoming() {
                    if shared.ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(client) = client else { continue };
                    let mut open = shared.open.lock().unwrap();
                    open.push(client.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || {
                        serve(&client, &shared);
                        let _ = client.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self {
            port,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Its address, without a scheme.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The head of each request that came, as it came.
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn serve(client: &TcpStream, shared: &Shared) -> Option<()> {
    let mut writer = client;
    // Nothing follows the head before the answer, so nothing is left in the buffer.
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|&read| read > 0)?;
    }
    shared.heads.lock().unwrap().push(head.clone());
    let mut words = head.split(' ');
    let server = match (words.next()?, words.next()?) {
        ("CONNECT", whereto) => (shared.lead)(whereto),
        _ => None,
    };
    let Some(server) = server else {
        return writer.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").ok();
    };
    let server = TcpStream::connect(server).ok()?;
    writer.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
    let mut open = shared.open.lock().unwrap();
    open.push(server.try_clone().ok()?);
    drop(open);
    let (mut from, mut to) = (server.try_clone().ok()?, client.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut &*client, &mut &server);
    server.shutdown(Shutdown::Write).ok()
}
