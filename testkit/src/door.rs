//! A door: one way a request comes in to an App, as its client sees it.

use crate::{Request, Response};

/// One way for requests to reach an App. The author of an adapter implements it for a process of that adapter.
///
/// The methods block: call them from a thread of a test, or through [`Client`](crate::Client) from async code.
pub trait Door: Send + Sync {
    /// Sends a request and returns what the client gets.
    ///
    /// # Errors
    /// A sentence: what a client could not have understood, or why the App could not be reached.
    fn send(&self, request: &Request) -> Result<Response, String>;

    /// Writes these bytes as they are on one connection, and returns all responses on it.
    ///
    /// # Errors
    /// As `send`; and always if the door has no wire, which is [`Capability::Wire`](crate::Capability::Wire).
    fn exchange(&self, _bytes: &[u8]) -> Result<Vec<Response>, String> {
        Err("this door has no wire".into())
    }

    /// Writes these bytes and then ends the client's half of the connection, and returns what came back.
    ///
    /// # Errors
    /// As `exchange`.
    fn exchange_cut(&self, _bytes: &[u8]) -> Result<Vec<Response>, String> {
        Err("this door has no wire".into())
    }

    /// The facts about every request through this door.
    fn facts(&self) -> Facts;

    /// What the process behind the door has logged, for the message of a test that fails.
    fn log(&self) -> String {
        String::new()
    }
}

/// Facts about every request through a door, independent of what the client wrote.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The client's address.
    pub client_ip: Option<&'static str>,
    /// The scheme that the client used.
    pub scheme: &'static str,
    /// The host that the client asks for, if its request names none.
    pub host: &'static str,
    /// The names of the headers that the platform's front end adds.
    pub adds: &'static [&'static str],
}
