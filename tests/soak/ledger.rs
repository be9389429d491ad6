//! The webhook target: keeps which alerts it was told of, and sulks when it is told to.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::support::stub::read_request;

/// What was told of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub check: String,
    pub event: String,
    /// The delivery's bytes, which a repetition must have as well.
    body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    told: Mutex<HashMap<String, Told>>,
    wrong: Mutex<Vec<String>>,
    /// How many deliveries came, repetitions included.
    deliveries: AtomicUsize,
    /// Whether it hangs up without an answer, half of the time with what it was told written down.
    sulks: AtomicBool,
}

/// The target; it listens until the program ends.
pub struct Ledger {
    pub url: String,
    shared: Arc<Shared>,
}

impl Ledger {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming().flatten() {
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || serve(&stream, &shared));
                }
            }
        });
        Self { url, shared }
    }

    pub fn sulk(&self, sulks: bool) {
        self.shared.sulks.store(sulks, Ordering::SeqCst);
    }

    /// The alerts by their id.
    pub fn told(&self) -> HashMap<String, Told> {
        self.shared.told.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.shared.told.lock().unwrap().len()
    }

    pub fn deliveries(&self) -> usize {
        self.shared.deliveries.load(Ordering::SeqCst)
    }

    /// What was told once so and once otherwise.
    pub fn wrong(&self) -> Vec<String> {
        self.shared.wrong.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    // What a cut link has left behind holds no thread for ever.
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let request = read_request(&mut reader, 0)?;
        let delivery: Value = serde_json::from_slice(&request.body).ok()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = Told {
            check: text(&delivery["check"]["slug"]),
            event: text(&delivery["event"]),
            body: request.body,
        };
        let sulks = shared.sulks.load(Ordering::SeqCst);
        let number = shared.deliveries.fetch_add(1, Ordering::SeqCst);
        if sulks && number.is_multiple_of(2) {
            return None;
        }
        let id = text(&delivery["alert"]["id"]);
        let before = shared.told.lock().unwrap().insert(id.clone(), told.clone());
        if before.is_some_and(|before| before != told) {
            let wrong = format!("alert {id} was told once so and once otherwise");
            shared.wrong.lock().unwrap().push(wrong);
        }
        if sulks {
            return None;
        }
        writer
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .ok()?;
    }
}
