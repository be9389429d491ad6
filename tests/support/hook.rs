//! A webhook target on loopback that keeps what it is sent and answers as told.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::stub::{Received, Reply, Stub};
use super::wait_for;

/// How the target behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers with this status.
    Status(u16),
    /// Reads the request and never answers.
    Hang,
}

/// The target.
pub struct Hook {
    pub url: String,
    stub: Stub,
    manner: Arc<Mutex<Manner>>,
}

/// A delivery as it arrived.
pub trait Delivered {
    fn json(&self) -> Value;
    fn event(&self) -> String;
}

impl Delivered for Received {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn event(&self) -> String {
        self.json()["event"].as_str().unwrap().to_owned()
    }
}

impl Hook {
    pub fn start() -> Self {
        let manner = Arc::new(Mutex::new(Manner::Status(200)));
        let stub = Stub::new({
            let manner = Arc::clone(&manner);
            move |_| match *manner.lock().unwrap() {
                Manner::Status(status) => Reply::text(status, "ok"),
                Manner::Hang => Reply::Silence,
            }
        });
        Self {
            url: format!("{}/hook", stub.url()),
            stub,
            manner,
        }
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn received(&self) -> Vec<Received> {
        self.stub.received()
    }

    /// Waits until there are at least `count` deliveries.
    pub fn wait(&self, count: usize) -> Vec<Received> {
        wait_for(&format!("{count} deliveries"), || {
            Some(self.received()).filter(|all| all.len() >= count)
        })
    }

    /// The events so far, in the order of their arrival.
    pub fn events(&self) -> Vec<String> {
        self.received().iter().map(Delivered::event).collect()
    }
}
