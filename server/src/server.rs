//! One HTTP server: an App behind bound sockets, from its start to the end of its drain.

use std::sync::Arc;

use anyhost_core::{App, ConfigError, Exit, Factory, Failure, Handler, Host, Phase};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::accept::accept;
use crate::admin::Admin;
use crate::drain::{Drained, drain};
use crate::pulse::Pulse;
use crate::shared::Shared;
use crate::traces::Traces;
use crate::worker::Workers;
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
    pulse: Pulse,
    traces: Option<Traces>,
}

impl Server {
    /// A server on a host, which listens nowhere yet.
    pub fn new(host: Host, config: Config) -> Self {
        Self { host, config, listeners: Vec::new(), pulse: Pulse::default(), traces: None }
    }

    /// What tells whether this server still works, from when it runs.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Adds a bound socket.
    pub fn listen(mut self, listener: impl Into<Listener>) -> Self {
        self.listeners.push(listener.into());
        self
    }

    pub(crate) fn traces(mut self, traces: Option<Traces>) -> Self {
        self.traces = traces;
        self
    }

    /// Starts the App and answers requests until `stop` is ready, then drains.
    ///
    /// Connections are accepted at once: `/livez` answers while the App starts, and requests get 503
    /// until it has. Only a socket that was handed over is left alone until then: there connections wait in
    /// the kernel for whoever serves them next. The App starts on the runtime that this is called on; what it opens there lives as
    /// long as that runtime, whatever becomes of the threads that serve connections. It must be a
    /// multi-threaded one, so that no busy thread stands in the way.
    ///
    /// # Errors
    /// [`Failure`] where the App does not start or the operating system gives no thread.
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
        let Self { host, config, listeners, pulse, traces } = self;
        check_tls(&config, &listeners)?;
        // What runs in it ends with this function.
        let mut beside = JoinSet::new();
        if let Some(tls) = config.tls.clone() {
            beside.spawn(tls.follow());
        }
        let admin = config.admin.as_ref().map(AdminAddress::bind).transpose()?;
        let life = host.life().clone();
        let shared = Arc::new(Shared::<H>::new(host, config).with_traces(traces));
        let no_thread = |error| {
            Failure::new(Exit::Bind, format!("cannot start a thread to serve connections: {error}"))
        };
        let workers = Workers::start(&shared).map_err(no_thread)?;
        // Operators are answered to the end.
        let admin = admin.map(|listener| Admin::start(listener, &shared, &workers));
        let _admin = admin.transpose().map_err(no_thread)?;
        if shared.config.max_in_flight == MaxInFlight::Auto {
            let (shared, workers) = (Arc::clone(&shared), Arc::clone(&workers));
            beside.spawn(async move {
                let look = || (workers.totals(), shared.host.life().in_flight());
                shared.limit.adapt(look).await;
            });
        }
        pulse.begin(&workers);
        let (closed, _) = watch::channel(false);
        let acceptors: Vec<_> = listeners
            .into_iter()
            .map(|listener| {
                tracing::info!("listening on {listener}");
                let workers = Arc::clone(&workers);
                tokio::spawn(accept(listener, workers, life.clone(), closed.subscribe()))
            })
            .collect();
        let accepting = async {
            for outcome in join_all(acceptors).await {
                if let Ok(Err(error)) = outcome {
                    tracing::error!("a socket stopped accepting: {error}");
                }
            }
        };
        tokio::pin!(stop);
        let started = tokio::select! {
            biased;
            started = anyhost_core::start(factory, &shared.host) => Some(started),
            () = &mut stop => None,
        };
        match started {
            Some(Ok(app)) => {
                shared.started(app);
                life.advance(Phase::Ready);
                tracing::info!("ready");
                stop.await;
            }
            Some(Err(failure)) => {
                closed.send_replace(true);
                workers.abort();
                return Err(failure);
            }
            // Told to stop before it had started: there is nothing to finish.
            None => {}
        }
        shared.drain();
        life.advance(Phase::Draining);
        tracing::info!("draining");
        Ok(drain(&shared, &workers, &closed, accepting).await)
    }
}

/// # Errors
/// Where there is a listener for TLS and no certificate, or a certificate that nobody would see.
fn check_tls(config: &Config, listeners: &[Listener]) -> Result<(), Failure> {
    let problem = match (&config.tls, listeners.iter().find(|listener| listener.speaks_tls())) {
        (None, Some(listener)) => format!("is not set, and {listener} needs it"),
        (Some(_), None) => "is set, and no listener speaks TLS".to_owned(),
        _ => return Ok(()),
    };
    Err(ConfigError::new("TLS_CERTIFICATE", problem).into())
}
