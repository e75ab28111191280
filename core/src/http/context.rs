//! The host's facts about one request that are not part of the message.
//!
//! Long because every fact has a documented getter and setter here.

mod id;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;

use super::fault::Fault;
use super::wire::{is_trace_id, is_trace_parent};
use super::{Caller, Current};
use crate::{Lifecycle, Phase, Request};
use id::Id;

/// The protocol the client spoke, as far as the host knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS, ended here or at a router in front of this process.
    Https,
}

impl Scheme {
    /// `"http"` or `"https"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The host's facts about one request, in the request's extensions and never in invented headers.
///
/// A clone shares its contents.
///
/// ```
/// use anyhost_core::{Body, Context, Request};
///
/// fn who(request: &Request) -> String {
///     match Context::get(request).and_then(|context| context.client_ip()) {
///         Some(address) => format!("called by {address}"),
///         None => "called by nobody we know".into(),
///     }
/// }
/// # assert_eq!(who(&Request::new(Body::empty())), "called by nobody we know");
/// ```
#[derive(Clone, Debug)]
pub struct Context(Arc<RequestFacts>);

#[derive(Clone, Debug, Default)]
struct RequestFacts {
    request_id: Id,
    deadline: Option<Instant>,
    client_ip: Option<IpAddr>,
    scheme: Scheme,
    host: Option<Box<str>>,
    mount: String,
    tenant_id: Option<String>,
    trace_parent: Option<String>,
    /// The trace that the client says it began, as it stands in the head: few requests ask for it. One that is not valid is
    /// none, and that of the platform counts.
    sent_trace_parent: Option<HeaderValue>,
    /// The trace that begins here if the client sent none; made when it is first asked for.
    begun: OnceLock<String>,
    event: Option<Bytes>,
    platform_trace: Option<String>,
    lifecycle: Option<Arc<Lifecycle>>,
    upgrades: bool,
    takes_trailers: bool,
    /// The cell for the App's route, if the host wants to know it. Clones share it.
    route: Option<Arc<OnceLock<Box<str>>>>,
    fault: Fault,
}

impl Context {
    /// A context of which only the request id is known.
    pub fn new(request_id: impl Into<String>) -> Self {
        Self(Arc::new(RequestFacts {
            request_id: Id::Given(request_id.into()),
            ..RequestFacts::default()
        }))
    }

    /// A context with a fresh request id: 128 random bits as 32 hexadecimal digits.
    #[must_use]
    pub fn fresh() -> Self {
        Self(Arc::new(RequestFacts { request_id: Id::fresh(), ..RequestFacts::default() }))
    }

    /// A context of which the life of the process is known, with this request id or a fresh one.
    #[must_use]
    pub fn in_lifecycle(lifecycle: Arc<Lifecycle>, request_id: Option<&str>) -> Self {
        let request_id = request_id.map_or_else(Id::fresh, |id| Id::Given(id.to_owned()));
        Self(Arc::new(RequestFacts {
            request_id,
            lifecycle: Some(lifecycle),
            ..RequestFacts::default()
        }))
    }

    /// A fresh request id, as [`fresh`](Self::fresh) has one.
    #[must_use]
    pub fn fresh_id() -> String {
        Id::fresh().as_str().to_owned()
    }

    /// The context of the request that the running code works for: inside [`App::call`](crate::App::call),
    /// in what it awaits, in the body of its response and in [`wait_until`](Self::wait_until). A task that
    /// is spawned by other means has none.
    #[must_use]
    pub fn current() -> Option<Self> {
        Current::get().context
    }

    /// Runs a future that works for this request: whatever it calls finds it with [`current`](Self::current).
    pub async fn within<F: Future>(self, future: F) -> F::Output {
        Current::get().with_context(self).scope(future).await
    }

    /// Runs a function that works for this request.
    pub fn within_call<T>(&self, call: impl FnOnce() -> T) -> T {
        Current::get().with_context(self.clone()).sync_scope(call)
    }

    /// The context of a request.
    #[must_use]
    pub fn get(request: &Request) -> Option<&Self> {
        request.extensions().get()
    }

    /// The id that names this request in every log line and in every problem.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.0.request_id.as_str()
    }

    /// The moment at which the host gives up on this request.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// The time left until the deadline.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The client's address: the peer's, or what a trusted router says. `None` on a Unix socket.
    #[must_use]
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.0.client_ip
    }

    /// The scheme the client used.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The host and port the client asked for. `None` if it named none.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.0.host.as_deref()
    }

    /// The prefix that a gateway put before the path and that the App does not see: a stage such as
    /// `/prod`, or nothing.
    #[must_use]
    pub fn mount(&self) -> &str {
        &self.0.mount
    }

    /// The tenant for whom the host keeps this process apart from others: Lambda's tenant isolation. `None`
    /// if the host does not separate tenants.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.0.tenant_id.as_deref()
    }

    /// The W3C `traceparent` under which this request runs, for what it asks others: the one that came with
    /// it, else one that is begun here.
    #[must_use]
    pub fn trace_parent(&self) -> &str {
        match self.continued_trace() {
            Some(parent) => parent,
            None => self.0.begun.get_or_init(|| {
                // An id of ours is random enough to be a trace's: then both have one name.
                let id = self.request_id();
                let fresh;
                let trace = if is_trace_id(id.as_bytes()) {
                    id
                } else {
                    fresh = Self::fresh_id();
                    &fresh
                };
                // Sampled: it stands in our log lines at least.
                format!("00-{trace}-{:016x}-01", fastrand::u64(1..))
            }),
        }
    }

    /// The id of the trace that this request is a part of: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        if !self.continues_trace() && is_trace_id(self.request_id().as_bytes()) {
            return self.request_id();
        }
        // A trace parent was checked when it was set; an invalid one of a platform has no id.
        self.trace_parent().get(3..35).unwrap_or_default()
    }

    /// Whether the trace began before this request.
    #[must_use]
    pub fn continues_trace(&self) -> bool {
        self.continued_trace().is_some()
    }

    fn continued_trace(&self) -> Option<&str> {
        let sent = self.0.sent_trace_parent.as_ref().and_then(|sent| sent.to_str().ok());
        sent.filter(|sent| is_trace_parent(sent)).or(self.0.trace_parent.as_deref())
    }

    /// The trace in the words of the platform, such as X-Ray's header, if it has one of its own.
    #[must_use]
    pub fn platform_trace(&self) -> Option<&str> {
        self.0.platform_trace.as_deref()
    }

    /// The event as the platform delivered it, as JSON, if the door is one of events.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        // Checked here and not on arrival: few requests ask, and an event may be megabytes.
        self.0.event.as_deref().and_then(|event| std::str::from_utf8(event).ok())
    }

    /// Whether this request may become a connection of another protocol, such as a WebSocket: its door has a
    /// connection, and the client asked for it.
    #[must_use]
    pub fn upgrades(&self) -> bool {
        self.0.upgrades
    }

    /// Tells the host which route of the App answers this request: the pattern, such as `/notes/{id}`, never the path.
    /// The first word counts. Metrics tell routes apart by it.
    ///
    /// A router's glue says it: axum's and actix-web's come with anyhost.
    pub fn set_route(&self, pattern: &str) {
        if let Some(route) = &self.0.route {
            // The first word stays.
            let _ = route.set(pattern.into());
        }
    }

    /// Whether the host wants to know the route and it is not set yet.
    #[must_use]
    pub fn wants_route(&self) -> bool {
        self.0.route.as_ref().is_some_and(|route| route.get().is_none())
    }

    /// The route that the App has said.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.0.route.as_ref()?.get().map(AsRef::as_ref)
    }

    /// Whether the client sent a request body that was too large, malformed or cut off, or stopped sending it.
    #[must_use]
    pub fn client_broke_off(&self) -> bool {
        self.0.fault.is_noted()
    }

    /// Whether the host said stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.phase() >= Phase::Draining)
    }

    /// Waits until the host says stop. An endless stream or a WebSocket ends itself then; the host cuts it off at
    /// the end of its grace. Never ready if no host is known.
    pub async fn draining(&self) {
        match &self.0.lifecycle {
            Some(lifecycle) => lifecycle.wait_for(Phase::Draining).await,
            None => std::future::pending().await,
        }
    }

    /// Starts work that goes on after the response has left: a notification, a refreshed cache.
    ///
    /// It counts as accepted work. A long-running host finishes it before it stops; a serverless one
    /// before it takes the next request, because it may be frozen in between, and at the latest at the
    /// deadline of this one.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn wait_until(&self, work: impl Future<Output = ()> + Send + 'static) {
        let accepted = self.0.lifecycle.as_ref().map(|lifecycle| lifecycle.track());
        tokio::spawn(self.clone().within(async move {
            work.await;
            drop(accepted);
        }));
    }

    /// Sets the life of the process, which work that outlasts the response becomes a part of.
    #[must_use]
    pub fn with_lifecycle(mut self, lifecycle: impl Into<Arc<Lifecycle>>) -> Self {
        self.known().lifecycle = Some(lifecycle.into());
        self
    }

    /// Says that this request may become a connection of another protocol.
    #[must_use]
    pub fn with_upgrades(mut self) -> Self {
        self.known().upgrades = true;
        self
    }

    /// Asks the App for the route that answers.
    #[must_use]
    pub fn noting_route(mut self) -> Self {
        self.known().route = Some(Arc::default());
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.known().deadline = Some(deadline);
        self
    }

    /// Sets the client's address.
    #[must_use]
    pub fn with_client_ip(mut self, address: Option<IpAddr>) -> Self {
        self.known().client_ip = address;
        self
    }

    /// Sets the scheme.
    #[must_use]
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.known().scheme = scheme;
        self
    }

    /// Sets the host and port the client asked for.
    #[must_use]
    pub fn with_host(mut self, host: Option<String>) -> Self {
        self.known().host = host.map(Box::from);
        self
    }

    /// Sets what the head of the request says, in one step: each change checks whether a clone shares the facts.
    pub(super) fn arrived(
        &mut self,
        Caller { address, scheme, host }: Caller,
        sent_trace_parent: Option<HeaderValue>,
        upgrades: bool,
        takes_trailers: bool,
    ) {
        let known = self.known();
        (known.client_ip, known.scheme, known.host) = (address, scheme, host);
        (known.upgrades, known.sent_trace_parent) = (upgrades, sent_trace_parent);
        known.takes_trailers = takes_trailers;
    }

    /// Sets the prefix before the path.
    #[must_use]
    pub fn with_mount(mut self, mount: impl Into<String>) -> Self {
        self.known().mount = mount.into();
        self
    }

    /// Sets the tenant.
    #[must_use]
    pub fn with_tenant_id(mut self, tenant_id: Option<String>) -> Self {
        self.known().tenant_id = tenant_id;
        self
    }

    /// Sets the trace parent that came with the request; it must be a valid one.
    #[must_use]
    pub fn with_trace_parent(mut self, trace_parent: Option<String>) -> Self {
        let known = self.known();
        (known.trace_parent, known.sent_trace_parent) = (trace_parent, None);
        self
    }

    /// Sets the trace id in the format of the platform, such as the one of `X-Amzn-Trace-Id`.
    #[must_use]
    pub fn with_platform_trace(mut self, trace: Option<String>) -> Self {
        self.known().platform_trace = trace;
        self
    }

    /// Sets the raw event.
    #[must_use]
    pub fn with_event(mut self, event: Bytes) -> Self {
        self.known().event = Some(event);
        self
    }

    /// Whether the client takes trailers after the body of the response.
    pub(crate) fn takes_trailers(&self) -> bool {
        self.0.takes_trailers
    }

    /// The client's fault in the request body, if there is one.
    pub(crate) fn fault(&self) -> &Fault {
        &self.0.fault
    }

    fn known(&mut self) -> &mut RequestFacts {
        Arc::make_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on_or_begins_here() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let goes_on = Context::new("r-1").with_trace_parent(Some(parent.into()));
        assert_eq!(goes_on.trace_parent(), parent);
        assert_eq!(goes_on.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");

        for id in [Context::fresh_id(), "r-1".into(), "0".repeat(32)] {
            let begins = Context::new(id.clone());
            let parent = begins.trace_parent().to_owned();
            assert_eq!(parent, begins.clone().trace_parent(), "it is one trace");
            let parts: Vec<&str> = parent.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2]);
            assert_eq!(parts[1], begins.trace_id());
            assert_eq!(parts[1] == id, is_trace_id(id.as_bytes()), "{id}");
        }
    }

    #[tokio::test]
    async fn the_current_request_is_known_to_what_works_for_it() {
        assert!(Context::current().is_none());
        let context = Context::new("r-1");
        let id = || Context::current().map(|context| context.request_id().to_owned());
        let (tell, told) = tokio::sync::oneshot::channel();
        let seen = move || (id(), Current::deadline());
        let soon = Instant::now() + Duration::from_secs(1);
        let call = async {
            assert_eq!(seen(), (Some("r-1".into()), Some(soon)));
            context.wait_until(async move { tell.send(seen()).expect("somebody waits") });
        };
        crate::within(soon, context.clone().within(call)).await;
        // The work may go on after the deadline of the request.
        assert_eq!(told.await.expect("told"), (Some("r-1".into()), None));
        assert!(Context::current().is_none());
    }

    #[tokio::test]
    async fn work_after_the_response_keeps_the_process_busy_until_it_ends() {
        let lifecycle = Lifecycle::default();
        let context = Context::new("r-1").with_lifecycle(lifecycle.clone());
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        context.wait_until(async { finished.await.expect("the sender is not dropped") });
        assert_eq!(lifecycle.in_flight(), 1);
        finish.send(()).expect("the work waits for it");
        lifecycle.wait_idle().await;
        assert_eq!(lifecycle.in_flight(), 0);
    }

    #[tokio::test]
    async fn work_that_panics_is_over() {
        let lifecycle = Lifecycle::default();
        Context::new("r-1")
            .with_lifecycle(lifecycle.clone())
            .wait_until(async { panic!("on purpose") });
        lifecycle.wait_idle().await;
    }
}
