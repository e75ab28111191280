//! The state of the Runtime API: waiting events, running invocations, counts of requests.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::{Answer, Endpoint, Failure, Fault};

/// The state that requests to the API share with the test.
#[derive(Debug)]
pub(super) struct State {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    running: HashMap<String, oneshot::Sender<Answer>>,
    answered: HashMap<String, ()>,
    faults: HashMap<Endpoint, VecDeque<Fault>>,
    requests: HashMap<Endpoint, usize>,
    polling: usize,
    extensions: Vec<String>,
    init_error: Option<Failure>,
    timeout: Option<Duration>,
    invocations: u64,
    connections: usize,
    /// The bytes that have arrived of the current or last posted body.
    body: Vec<u8>,
}

/// An event that waits to be handed out.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) body: Bytes,
    answer: oneshot::Sender<Answer>,
}

/// Whether an answer is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acceptance {
    Yes,
    /// It was answered before.
    Twice,
    /// There is no such invocation.
    Unknown,
}

impl State {
    pub(super) fn new() -> Self {
        let inner = Inner { timeout: Some(Duration::from_secs(20)), ..Inner::default() };
        Self { inner: Mutex::new(inner), changed: watch::Sender::new(()) }
    }

    /// Adds a chunk of the body that is being posted; the first chunk begins a new body.
    pub(super) fn arrived(&self, data: &[u8], first: bool) {
        self.change(|inner| {
            if first {
                inner.body.clear();
            }
            inner.body.extend_from_slice(data);
        });
    }

    pub(super) fn has_arrived(&self, text: &str) -> bool {
        self.lock().body.windows(text.len()).any(|part| part == text.as_bytes())
    }

    pub(super) fn push(&self, body: Bytes) -> (String, oneshot::Receiver<Answer>) {
        let (answer, received) = oneshot::channel();
        let id = self.change(|inner| {
            inner.invocations += 1;
            let id = format!("8476a536-e9f4-11e8-9739-{:012x}", inner.invocations);
            inner.events.push_back(Event { id: id.clone(), body, answer });
            id
        });
        (id, received)
    }

    /// Waits for an event, and counts the waiting polls.
    pub(super) async fn next(&self) -> Event {
        let _polling = Polling::new(self);
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(event) = self.lock().events.pop_front() {
                return event;
            }
            // The sender lives in `self`.
            let _ = changes.changed().await;
        }
    }

    /// Records that an event has been handed out.
    pub(super) fn run(&self, id: String, answer: oneshot::Sender<Answer>) {
        self.change(|inner| inner.running.insert(id, answer));
    }

    pub(super) fn answer(&self, id: &str, answer: Answer) -> Acceptance {
        self.change(|inner| match inner.running.remove(id) {
            Some(waiting) => {
                inner.answered.insert(id.into(), ());
                // Fails if the test no longer waits.
                let _ = waiting.send(answer);
                Acceptance::Yes
            }
            None if inner.answered.contains_key(id) => Acceptance::Twice,
            None => Acceptance::Unknown,
        })
    }

    pub(super) fn is_running(&self, id: &str) -> bool {
        self.lock().running.contains_key(id)
    }

    /// Removes an invocation whose test no longer waits, if it was not handed out.
    pub(super) fn forget(&self, id: &str) {
        self.change(|inner| inner.events.retain(|event| event.id != id));
    }

    pub(super) fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.lock().faults.entry(endpoint).or_default().push_back(fault);
    }

    /// Counts a request and takes the fault that is meant for it.
    pub(super) fn requested(&self, endpoint: Endpoint) -> Option<Fault> {
        self.change(|inner| {
            *inner.requests.entry(endpoint).or_default() += 1;
            inner.faults.get_mut(&endpoint)?.pop_front()
        })
    }

    pub(super) fn requests(&self, endpoint: Endpoint) -> usize {
        self.lock().requests.get(&endpoint).copied().unwrap_or_default()
    }

    pub(super) fn connected(&self) {
        self.change(|inner| inner.connections += 1);
    }

    pub(super) fn connections(&self) -> usize {
        self.lock().connections
    }

    pub(super) fn polling(&self) -> usize {
        self.lock().polling
    }

    pub(super) fn running(&self) -> usize {
        self.lock().running.len()
    }

    pub(super) fn register(&self, name: String) -> usize {
        self.change(|inner| {
            inner.extensions.push(name);
            inner.extensions.len()
        })
    }

    pub(super) fn extensions(&self) -> Vec<String> {
        self.lock().extensions.clone()
    }

    /// Notes a failed init; an answer to a function that has polled already is `false`.
    pub(super) fn fail_init(&self, failed: Failure) -> bool {
        self.change(|inner| {
            let first = !inner.requests.contains_key(&Endpoint::Next);
            inner.init_error.get_or_insert(failed);
            first
        })
    }

    pub(super) fn init_error(&self) -> Option<Failure> {
        self.lock().init_error.clone()
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.lock().timeout
    }

    pub(super) fn set_timeout(&self, timeout: Option<Duration>) {
        self.lock().timeout = timeout;
    }

    /// Waits until a condition holds.
    pub(super) async fn until(&self, wanted: impl Fn() -> bool) {
        let mut changes = self.changed.subscribe();
        while !wanted() {
            // The sender lives in `self`.
            let _ = changes.changed().await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Event {
    pub(super) fn into_parts(self) -> (String, Bytes, oneshot::Sender<Answer>) {
        (self.id, self.body, self.answer)
    }
}

struct Polling<'a>(&'a State);

impl<'a> Polling<'a> {
    fn new(state: &'a State) -> Self {
        state.change(|inner| inner.polling += 1);
        Self(state)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.change(|inner| inner.polling -= 1);
    }
}
