//! A request whose answer comes later, from whichever thread has it.

use std::sync::Arc;

use super::Response;
use super::connection::{Connection, Open, Then};
use super::listener::Shared;

/// A request whose answer is still to come: no thread waits for it. Dropped without an answer,
/// it is answered with 503.
pub struct Pending(Option<Box<Waiting>>);

struct Waiting {
    connection: Connection,
    open: Open,
    shared: Arc<Shared>,
}

impl Pending {
    pub(super) fn new(connection: Connection, open: Open, shared: Arc<Shared>) -> Self {
        Self(Some(Box::new(Waiting {
            connection,
            open,
            shared,
        })))
    }

    /// Whether its client has broken off the connection, and so will hear no answer. One that
    /// only has nothing more to say is still there.
    pub fn is_given_up(&self) -> bool {
        let waiting = self.0.as_ref();
        waiting.is_some_and(|waiting| waiting.connection.transport.is_broken_off())
    }

    /// Sends the answer; never waits.
    pub fn answer(mut self, response: Response) {
        self.close(response);
    }

    fn close(&mut self, response: Response) {
        let Some(waiting) = self.0.take() else {
            return;
        };
        let Waiting {
            mut connection,
            open,
            shared,
        } = *waiting;
        match connection.close_exchange(open, response, &shared) {
            Then::Next => shared.let_go_on(connection),
            Then::Park => shared.park(connection),
            Then::Close | Then::Handle(_) => {}
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.close(Response::unavailable());
        }
    }
}
