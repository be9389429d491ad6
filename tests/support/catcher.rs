//! A ping target on a port of its own: answers as it is told, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use super::PATIENCE;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// What follows the public id: `/start`, `/0`.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    pub fn text(&self) -> String {
        super::text(&self.body)
    }
}

/// What the target does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200 and `OK`.
    Ok,
    /// Another status.
    Status(u16),
    /// 302 to somewhere else.
    Redirect,
    /// Reads the request and says nothing, for ever or until [`Catcher::release`], then 200.
    Hold,
    /// Resets the connection before it has read the request.
    Reset,
}

type Script = Box<dyn Fn(usize, &Request) -> Answer + Send + Sync>;

pub struct Catcher {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    script: Script,
    resets: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    released: bool,
}

impl Catcher {
    /// Answers every request with 200.
    pub fn new() -> Self {
        Self::answering(Answer::Ok)
    }

    /// Answers every request the same way.
    pub fn answering(answer: Answer) -> Self {
        Self::listen(answer == Answer::Reset, Box::new(move |_, _| answer))
    }

    /// Answers by the request and how many came before it.
    pub fn scripted(script: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(false, Box::new(script))
    }

    fn listen(resets: bool, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            script,
            resets,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let server = Arc::clone(&shared);
        // The thread and its port last until the test process ends.
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(&connection));
            }
        });
        Self { address, shared }
    }

    /// Where pings go.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Waits until `condition` holds of all requests so far, and gives them.
    pub fn wait_for(&self, what: &str, condition: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), PATIENCE, |state| {
                !condition(&state.requests)
            })
            .unwrap();
        assert!(
            !timeout.timed_out(),
            "{what}: not within {PATIENCE:?}; there were {:?}",
            state.requests
        );
        state.requests.clone()
    }

    /// Waits for a ping with this path (`/start`, `/0`) and gives it.
    pub fn wait_for_path(&self, path: &str) -> Request {
        let is_it = |request: &Request| request.path == path;
        let requests = self.wait_for(path, |requests| requests.iter().any(is_it));
        requests.into_iter().find(is_it).unwrap()
    }

    /// The one ping that is not a start; fails where there is none or more.
    pub fn end(&self) -> Request {
        let ends: Vec<Request> = self
            .requests()
            .into_iter()
            .filter(|request| request.path != "/start")
            .collect();
        let [end] = &ends[..] else {
            panic!("not one end but {ends:?}");
        };
        end.clone()
    }

    /// Answers what is held, now and from now on.
    pub fn release(&self) {
        self.shared.lock().released = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, connection: &TcpStream) {
        let mut reader = BufReader::new(connection);
        if self.resets {
            // Closed with something unread, a connection is reset (RFC 2525, section 2.17).
            let _ = reader.get_mut().peek(&mut [0]);
            return;
        }
        while let Some(request) = read_request(&mut reader) {
            let answer = {
                let mut state = self.lock();
                let answer = (self.script)(state.requests.len(), &request);
                state.requests.push(request);
                answer
            };
            self.changed.notify_all();
            let reply = match answer {
                Answer::Ok => reply(200, OURS),
                Answer::Status(status) => reply(status, OURS),
                Answer::Redirect => reply(302, "Location: http://127.0.0.1:1/\r\n"),
                Answer::Hold => {
                    let state = self.lock();
                    drop(self.changed.wait_while(state, |state| !state.released));
                    reply(200, OURS)
                }
                Answer::Reset => return,
            };
            let mut connection = connection;
            if connection.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// That it is a Pakyas server that speaks.
const OURS: &str = "Pakyas-Server: 0.1.0\r\n";

fn reply(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: 2\r\n\r\nOK")
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let received = super::stub::read_request(reader, 0)?;
    let path = received
        .path
        .split_once(super::PUBLIC_ID)
        .map_or(received.path.clone(), |(_, rest)| rest.to_owned());
    Some(Request {
        method: received.method,
        path,
        headers: received.headers.into_iter().collect(),
        body: received.body,
    })
}
