//! One HTTP server: an App behind bound sockets, from its start to the end of its drain.

use std::sync::Arc;

use anyhost_core::adapter::{Exit, Factory, Failure, Handler, HostHandles as _, Telemetry};
use anyhost_core::{App, ConfigError, Host, Phase};
use tokio::task::JoinSet;

use crate::accept::accept;
use crate::admin::Admin;
use crate::connection::Stage;
use crate::drain::{Drained, drain};
use crate::metrics::{Counts, metrics};
use crate::shared::Shared;
use crate::{AdminAddress, Config, Listener, MaxInFlight};

/// An HTTP server on bound sockets.
///
/// ```no_run
/// use anyhost_core::{App, Body, Error, Host, Paradigm, Request, Response, async_trait};
/// use anyhost_server::{Config, Server, bind_tcp};
///
/// struct Hello;
///
/// #[async_trait]
/// impl App for Hello {
///     async fn start(_host: &Host) -> Result<Self, Error> {
///         Ok(Hello)
///     }
///
///     async fn call(&self, _request: Request) -> Result<Response, Error> {
///         Ok(Response::new(Body::from("hello")))
///     }
/// }
///
/// # async fn run(stop: impl Future<Output = ()>) -> Result<(), Box<dyn std::error::Error>> {
/// let host = Host::builder(Paradigm::LongRunning, "test").build()?;
/// let drained = Server::new(host, Config::default())
///     .listen(bind_tcp("127.0.0.1:0".parse()?)?)
///     .run::<Hello>(stop)
///     .await?;
/// assert_eq!(drained.aborted, 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a server does nothing until it runs"]
pub struct Server {
    host: Host,
    config: Config,
    listeners: Vec<Listener>,
    telemetry: Option<Telemetry>,
}

impl Server {
    /// A server on a host, which listens nowhere yet.
    pub fn new(host: Host, config: Config) -> Self {
        Self { host, config, listeners: Vec::new(), telemetry: None }
    }

    /// Adds a bound socket.
    pub fn listen(mut self, listener: impl Into<Listener>) -> Self {
        self.listeners.push(listener.into());
        self
    }

    pub(crate) fn telemetry(mut self, telemetry: Option<Telemetry>) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Starts the App and answers requests until `stop` is ready, then drains.
    ///
    /// Connections are accepted at once: `/livez` answers while the App starts, and requests get 503
    /// until it has. Only a socket that was handed over is left alone until then: there connections wait in
    /// the kernel for the process that serves them next. Everything runs on the runtime that this is called on.
    ///
    /// # Errors
    /// [`Failure`] if the App does not start or the operating system gives no thread.
    pub async fn run<A: App>(self, stop: impl Future<Output = ()>) -> Result<Drained, Failure> {
        self.serve(Factory::<A>::app(), stop).await
    }

    /// Does what [`run`](Self::run) does, with the handler that a factory makes.
    ///
    /// # Errors
    /// [`Failure`] if the handler does not start or the operating system gives no thread.
    pub async fn serve<H: Handler>(
        self,
        factory: Factory<H>,
        stop: impl Future<Output = ()>,
    ) -> Result<Drained, Failure> {
        let Self { host, config, listeners, telemetry } = self;
        check_tls(&config, &listeners)?;
        // What runs in it ends with this function.
        let mut beside = JoinSet::new();
        if let Some(tls) = config.tls.clone() {
            beside.spawn(tls.follow());
        }
        let admin = config.admin.as_ref().map(AdminAddress::bind).transpose()?;
        let shared = Arc::new(Shared::<H>::new(host, config, telemetry));
        observe(&shared);
        // Operators are answered to the end.
        let admin = admin.map(|listener| Admin::start(listener, &shared));
        let _admin = admin.transpose().map_err(|error| {
            Failure::new(Exit::Bind, format!("cannot start the thread for operators: {error}"))
        })?;
        if shared.config.max_in_flight == MaxInFlight::Auto {
            let shared = Arc::clone(&shared);
            beside.spawn(async move {
                let total = |counts: &Counts| counts.requests.total();
                let answered = || shared.connections.counts().map(total).unwrap_or_default();
                shared.limit.adapt(answered).await;
            });
        }
        let mut acceptors = JoinSet::new();
        for listener in listeners {
            tracing::info!("listening on {listener}");
            acceptors.spawn(accept(listener, Arc::clone(&shared)));
        }
        let accepting = async {
            while let Some(outcome) = acceptors.join_next().await {
                if let Ok(Err(error)) = outcome {
                    tracing::error!("a socket stopped accepting: {error}");
                }
            }
        };
        tokio::pin!(stop);
        let started = tokio::select! {
            biased;
            started = anyhost_core::adapter::start(factory, &shared.host) => Some(started),
            () = &mut stop => None,
        };
        match started {
            Some(Ok(app)) => {
                shared.started(app);
                shared.host.advance(Phase::Ready);
                if let Some(kept) = shared.config.probes.kept() {
                    tracing::info!("{kept}");
                }
                tracing::info!("ready");
                stop.await;
            }
            Some(Err(failure)) => {
                shared.connections.advance(Stage::Aborted);
                return Err(failure);
            }
            // Told to stop before it had started: there is nothing to finish.
            None => {}
        }
        let drained = drain(&shared, accepting).await;
        if let Some(telemetry) = &shared.telemetry {
            telemetry.observe_last();
        }
        Ok(drained)
    }
}

/// Has the numbers of the server sent, if metrics are asked for. It keeps nothing of the server alive.
fn observe<A: Handler>(shared: &Arc<Shared<A>>) {
    if let Some(telemetry) = &shared.telemetry {
        let shared = Arc::downgrade(shared);
        telemetry
            .observe(move || shared.upgrade().map(|shared| metrics(&shared)).unwrap_or_default());
    }
}

/// # Errors
/// If there is a TLS listener without a certificate, or a certificate without a TLS listener.
fn check_tls(config: &Config, listeners: &[Listener]) -> Result<(), Failure> {
    let problem = match (&config.tls, listeners.iter().find(|listener| listener.speaks_tls())) {
        (None, Some(listener)) if !cfg!(feature = "tls") => {
            format!("{listener} needs it, and this program is built without the feature `tls`")
        }
        (None, Some(listener)) => format!("is not set, and {listener} needs it"),
        (Some(_), None) => "is set, and no listener speaks TLS".to_owned(),
        _ => return Ok(()),
    };
    Err(ConfigError::new("TLS_CERTIFICATE", problem).into())
}
