//! A forward proxy as Squid and tinyproxy are by default: it takes requests that name the whole
//! address, and CONNECT to port 443 only. It leads every name to where the test wants it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Where a host and port lead to; `None` is refused.
type Lead = dyn Fn(&str) -> Option<String> + Send + Sync;

struct Shared {
    lead: Box<Lead>,
    /// Whether CONNECT leads to other ports than 443 too.
    connects_anywhere: bool,
    /// What `Proxy-Authorization` must say, where anything.
    wants: Option<String>,
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
        Self::start(Box::new(lead), false, None)
    }

    /// The same, and CONNECT leads to every port.
    pub fn anywhere(lead: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::start(Box::new(lead), true, None)
    }

    /// The same as [`Proxy::new`] for those who say this in `Proxy-Authorization`.
    pub fn wanting(
        wants: &str,
        lead: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Box::new(lead), false, Some(wants.to_owned()))
    }

    fn start(lead: Box<Lead>, connects_anywhere: bool, wants: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            lead,
            connects_anywhere,
            wants,
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
    let mut reader = BufReader::new(client);
    loop {
        let (head, body) = read_message(&mut reader)?;
        shared.heads.lock().unwrap().push(head.clone());
        let refused = |status: &str| {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            (&*client).write_all(head.as_bytes()).ok()
        };
        let named = field(&head, "Proxy-Authorization");
        if shared.wants.is_some() && named != shared.wants.as_deref() {
            refused("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"a\"")?;
            continue;
        }
        let mut words = head.split(' ');
        let (method, whereto) = (words.next()?, words.next()?);
        if method == "CONNECT" {
            let allowed = shared.connects_anywhere || whereto.ends_with(":443");
            let server = allowed.then(|| (shared.lead)(whereto)).flatten();
            let Some(server) = server else {
                return refused("403 Forbidden");
            };
            // Nothing follows the head before the answer, so nothing is left in the buffer.
            return tunnel(client, &server, shared);
        }
        let Some((host, path)) = whereto
            .strip_prefix("http://")
            .and_then(|rest| rest.split_at_checked(rest.find('/')?))
        else {
            return refused("400 Bad Request");
        };
        let target = match host.rsplit_once(':') {
            Some(_) => host.to_owned(),
            None => format!("{host}:80"),
        };
        let Some(server) = (shared.lead)(&target) else {
            return refused("403 Forbidden");
        };
        let fields = head.split_once("\r\n")?.1.lines();
        let fields = fields.filter(|line| !line.starts_with("Proxy-"));
        let request = std::iter::once(format!("{method} {path} HTTP/1.1"))
            .chain(fields.map(str::to_owned))
            .fold(String::new(), |head, line| head + &line + "\r\n");
        let mut server = TcpStream::connect(server).ok()?;
        server.write_all(request.as_bytes()).ok()?;
        server.write_all(&body).ok()?;
        let (head, body) = read_message(&mut BufReader::new(&server))?;
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(&body).ok()?;
    }
}

/// The head of a request or an answer and its body; none where there is none.
fn read_message(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|&read| read > 0)?;
    }
    let length = field(&head, "Content-Length").and_then(|value| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn tunnel(client: &TcpStream, server: &str, shared: &Shared) -> Option<()> {
    let mut writer = client;
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
