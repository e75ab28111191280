//! AWS Lambda's Runtime API and Extensions API for tests: real HTTP on a loopback port, driven by the test.
//!
//! It hands out the events a test gives it, records how each invocation was answered, and can be told to
//! fail in the ways the real one may. The rules it enforces are those of AWS's own emulator: an invocation
//! is answered once, an answer over 6 MiB is a 413, an init error comes before the first poll.

mod answer;
mod fault;
mod frozen;
mod serve;
mod state;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use answer::{Answer, Failure, Response};
pub use fault::{Endpoint, Fault};
pub use frozen::Freeze;
use state::State;

use crate::process::PATIENCE;

/// A Runtime API on a loopback port, in a thread of its own; gone when dropped.
///
/// It outlives the tokio runtime of the test that started it, so that many tests may share one.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl RuntimeApi {
    /// Starts it on a free port.
    #[must_use]
    pub fn start() -> Self {
        let listener =
            std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(State::new());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        std::thread::spawn({
            let state = Arc::clone(&state);
            move || serve::serve(listener, state, stopped)
        });
        Self { address, state, stop: Some(stop) }
    }

    /// Its address, in the form AWS gives it: `127.0.0.1:9001`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The environment that AWS gives a function.
    #[must_use]
    pub fn environment(&self, function: &str) -> Vec<(String, String)> {
        self.environment_at(function, self.address())
    }

    /// The same environment with the API as a URL with a path, as `cargo lambda watch` gives it.
    #[must_use]
    pub fn environment_with_path(&self, function: &str) -> Vec<(String, String)> {
        self.environment_at(function, format!("http://{}/.rt/{function}", self.address))
    }

    fn environment_at(&self, function: &str, api: String) -> Vec<(String, String)> {
        [
            ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/test"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
    }

    /// Hands one event to the function and waits for its answer.
    pub async fn invoke(&self, event: impl Into<Bytes>) -> Answer {
        self.send(event).answer().await
    }

    /// Hands one event to the function; the answer can be waited for later.
    pub fn send(&self, event: impl Into<Bytes>) -> Invocation {
        let (id, answer) = self.state.push(event.into());
        Invocation { id, answer, state: Arc::clone(&self.state) }
    }

    /// Sets the time an invocation has, from when it is handed out. Defaults to 20 seconds; `None` sends
    /// the number that `cargo lambda watch` sends, which is not a point in time.
    pub fn set_timeout(&self, timeout: Option<Duration>) {
        self.state.set_timeout(timeout);
    }

    /// Fails the next request to an endpoint; several faults are used up in order.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.state.fault(endpoint, fault);
    }

    /// The number of requests to an endpoint, including failed ones.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.state.requests(endpoint)
    }

    /// How many connections have been opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections()
    }

    /// Waits until an endpoint has had this many requests.
    pub async fn requested(&self, endpoint: Endpoint, times: usize) {
        let wanted = || self.state.requests(endpoint) >= times;
        self.wait(wanted, &format!("{times} requests to {endpoint:?}")).await;
    }

    /// Waits until the function polls: its start is over and nothing runs.
    pub async fn polled(&self) {
        self.wait(|| self.state.polling() > 0, "a poll for an event").await;
    }

    /// Waits until this many invocations have been handed out and not answered.
    pub async fn running(&self, invocations: usize) {
        let wanted = || self.state.running() == invocations;
        self.wait(wanted, &format!("{invocations} running invocations")).await;
    }

    /// Waits until this text has arrived of the body that is being posted.
    pub async fn arrived(&self, text: &str) {
        self.wait(|| self.state.has_arrived(text), &format!("{text:?} in a body")).await;
    }

    /// What was posted to `/runtime/init/error`, waited for.
    pub async fn init_error(&self) -> Failure {
        self.wait(|| self.state.init_error().is_some(), "an init error").await;
        self.state.init_error().expect("just waited for")
    }

    /// The names of the extensions that have registered.
    #[must_use]
    pub fn extensions(&self) -> Vec<String> {
        self.state.extensions()
    }

    async fn wait(&self, wanted: impl Fn() -> bool, what: &str) {
        let waited = tokio::time::timeout(PATIENCE, self.state.until(wanted)).await;
        assert!(waited.is_ok(), "waited in vain for {what}");
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
    }
}

/// An event that was handed out and is not answered yet.
#[derive(Debug)]
pub struct Invocation {
    id: String,
    answer: tokio::sync::oneshot::Receiver<Answer>,
    state: Arc<State>,
}

impl Invocation {
    /// The request id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the answer.
    pub async fn answer(mut self) -> Answer {
        match tokio::time::timeout(PATIENCE, &mut self.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => panic!("the Runtime API ended before the answer came"),
            Err(_) => panic!("no answer to invocation {} within {PATIENCE:?}", self.id),
        }
    }

    /// The answer, if it comes within this time.
    pub async fn answer_within(mut self, time: Duration) -> Option<Answer> {
        tokio::time::timeout(time, &mut self.answer).await.ok()?.ok()
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        self.state.forget(&self.id);
    }
}
