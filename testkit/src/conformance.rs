//! The same requests through every door: their answers must agree.

use std::fmt;

use anyhost_core::adapter::{Factory, Handler, ServiceHandler};
use anyhost_core::{App, Error, Host};

use crate::{Difference, DoorKind, Ending, Request, Response, Running, TestHost};

/// Headers in which doors may differ: they describe the connection, the time or the transfer, not the App's answer.
const OF_THE_DOOR: [&str; 6] =
    ["connection", "content-length", "date", "keep-alive", "transfer-encoding", "x-request-id"];

/// Sends requests of an App through every door of this process, each to an App of its own, and compares the answers.
///
/// The requests run in their order, on a host that is new for each door: what the first writes, the second may read.
/// The answers must have the same status, headers and body as those of the direct door, except for
///
/// - `Connection`, `Content-Length`, `Date`, `Keep-Alive`, `Transfer-Encoding` and `X-Request-Id`, and the request's id in
///   the body of a problem,
/// - the host name that the door was called by, wherever it occurs,
/// - whether a header with several values is one line or several, and trailers,
/// - what the test has [excepted](Self::except), with a reason.
///
/// ```no_run
/// # async fn example<MyApp: anyhost_core::App>() {
/// use anyhost_test::{Conformance, get, post};
///
/// Conformance::new([get("/notes"), post("/notes", r#"{"title":"milk"}"#), get("/notes/1")])
///     .host(|host| host.sqlite().setting("PAGE_SIZE", 10))
///     .check::<MyApp>()
///     .await;
/// # }
/// ```
#[must_use = "nothing is sent until it is checked"]
pub struct Conformance {
    requests: Vec<Request>,
    doors: Vec<DoorKind>,
    host: Box<dyn Fn(TestHost) -> TestHost + Send + Sync>,
    excepted: Vec<(DoorKind, String)>,
}

impl Conformance {
    /// These requests, in this order.
    pub fn new(requests: impl IntoIterator<Item = Request>) -> Self {
        Self {
            requests: requests.into_iter().collect(),
            doors: DoorKind::ALL.to_vec(),
            host: Box::new(|host| host),
            excepted: Vec::new(),
        }
    }

    /// Describes the host of each door, which is new each time: its settings, a throwaway database.
    pub fn host(mut self, host: impl Fn(TestHost) -> TestHost + Send + Sync + 'static) -> Self {
        self.host = Box::new(host);
        self
    }

    /// Sends the requests through these doors alone. Defaults to all.
    pub fn doors(mut self, doors: impl IntoIterator<Item = DoorKind>) -> Self {
        self.doors = doors.into_iter().collect();
        self
    }

    /// Lets the answers to a target through a door differ, for a reason.
    ///
    /// # Panics
    /// If the reason is empty.
    pub fn except(mut self, door: DoorKind, target: &str, reason: &str) -> Self {
        assert!(!reason.is_empty(), "an exception for {target} through {door} has a reason");
        self.excepted.push((door, target.to_owned()));
        self
    }

    /// Fails the test if the answers of two doors differ, with the lines that do.
    ///
    /// # Panics
    /// If the App does not start, a door gives no answer, or answers differ.
    pub async fn check<A: App>(self) {
        assert_agree(&self.differences::<A>().await);
    }

    /// The differences between the direct door and each other.
    ///
    /// # Panics
    /// If the App does not start, or a door gives no answer.
    pub async fn differences<A: App>(self) -> Vec<Difference> {
        self.compare(async |host| host.start::<A>().await).await
    }

    /// Does what [`check`](Self::check) does for a `tower::Service`, such as an axum `Router`.
    ///
    /// # Panics
    /// As [`check`](Self::check).
    pub async fn check_service<F, S>(self, make: F)
    where
        F: AsyncFnOnce(&Host) -> Result<S, Error> + Clone + Send + 'static,
        ServiceHandler<S>: Handler,
    {
        let run = async |host: TestHost| match host.run(Factory::service(make.clone())).await {
            Ok(running) => running,
            Err(failure) => panic!("the service did not start: {failure}"),
        };
        assert_agree(&self.compare(run).await);
    }

    async fn compare<H: Handler>(
        self,
        start: impl AsyncFn(TestHost) -> Running<H>,
    ) -> Vec<Difference> {
        let expected = self.answers(DoorKind::Direct, &start).await;
        let mut differences = Vec::new();
        for door in self.doors.iter().copied().filter(|door| *door != DoorKind::Direct) {
            let found = self.answers(door, &start).await;
            let pairs = self.requests.iter().zip(expected.iter().zip(found));
            for (request, (expected, found)) in pairs {
                let excepted =
                    |(one, target): &(DoorKind, String)| *one == door && *target == request.target;
                if *expected != found && !self.excepted.iter().any(excepted) {
                    differences.push(Difference {
                        request: format!("{} {}", request.method, request.target),
                        one: (DoorKind::Direct.name().into(), expected.clone()),
                        other: (door.name().into(), found),
                    });
                }
            }
        }
        differences
    }

    /// Returns the App's answer through a door, on a new host, without the parts that belong to the door.
    async fn answers<H: Handler>(
        &self,
        door: DoorKind,
        start: &impl AsyncFn(TestHost) -> Running<H>,
    ) -> Vec<String> {
        let app = start((self.host)(TestHost::new(door.paradigm()))).await;
        let host = app.door(door).facts().host;
        let client = app.through(door);
        let mut answers = Vec::new();
        for request in &self.requests {
            answers.push(comparable(&client.send(request.clone()).await, host));
        }
        let _ = app.stop().await;
        answers
    }
}

impl fmt::Debug for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, doors, excepted, host: _ } = self;
        f.debug_struct("Conformance")
            .field("requests", requests)
            .field("doors", doors)
            .field("excepted", excepted)
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn assert_agree(differences: &[Difference]) {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(all.is_empty(), "{} answers differ:\n\n{}", all.len(), all.join("\n"));
}

/// A response as text, without the parts that belong to the door.
fn comparable(response: &Response, host: &str) -> String {
    let id = response.all("x-request-id").into_iter().next().unwrap_or_default();
    let same = |text: &str| {
        let text = text.replace(host, "{host}");
        if id.is_empty() { text } else { text.replace(&id, "{request id}") }
    };
    let mut names: Vec<String> =
        response.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    let mut text = format!("HTTP {}\n", response.status);
    for name in names.iter().filter(|name| !OF_THE_DOOR.contains(&name.as_str())) {
        // A cookie may hold a comma: its lines are never joined.
        let separator = if name == "set-cookie" { "\nset-cookie: " } else { ", " };
        text.push_str(&format!("{name}: {}\n", same(&response.all(name).join(separator))));
    }
    text.push_str(&format!("\n{}\n", same(&String::from_utf8_lossy(&response.body))));
    if response.ending == Ending::BrokenOff {
        text.push_str("(the body broke off)\n");
    }
    text
}

/// Checks that every door gives the same answers of an App to some requests: [`Conformance::check`] in one line.
///
/// ```no_run
/// # async fn example<MyApp: anyhost_core::App>() {
/// use anyhost_test::{conformance, get};
///
/// conformance!(MyApp, [get("/"), get("/missing")]).await;
/// # }
/// ```
#[macro_export]
macro_rules! conformance {
    ($app:ty, $requests:expr $(,)?) => {
        $crate::Conformance::new($requests).check::<$app>()
    };
}
