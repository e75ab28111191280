//! An App that runs on a host of the test, until it is stopped.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use anyhost_core::adapter::{Exit, Factory, Failure, Handler, HostHandles as _};
use anyhost_core::{Host, Paradigm, Phase};
use anyhost_server::{Config, Drained, Server, bind_tcp};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::database::Database;
use crate::doors::{Direct, Function, Socket};
use crate::{Client, Door, DoorKind};

/// An App that is ready.
///
/// It is a [`Client`] of its host's first door: HTTP/1.1 on a long-running host, an HTTP API with payload format 2.0 on
/// a serverless one. If it is dropped without [`stop`](Self::stop), it ends without a drain.
#[must_use = "requests are sent through it"]
pub struct Running<H> {
    host: Host,
    app: Arc<H>,
    server: Option<HostServer>,
    turn: Arc<Mutex<()>>,
    client: Client,
    /// Kept as long as the App.
    _database: Option<Arc<Database>>,
}

/// The server of a long-running host.
struct HostServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    /// One task, which ends with this.
    task: JoinSet<Result<Drained, Failure>>,
}

impl<H: Handler> Running<H> {
    pub(crate) fn new(
        host: Host,
        app: H,
        database: Option<Arc<Database>>,
    ) -> Result<Self, Failure> {
        let app = Arc::new(app);
        let server = match host.paradigm() {
            Paradigm::LongRunning => Some(HostServer::start(&host, Arc::clone(&app))?),
            Paradigm::Serverless => None,
        };
        let turn = Arc::default();
        let first = match server {
            Some(_) => DoorKind::Http1,
            None => DoorKind::HttpV2,
        };
        let client = Client::new(open(first, &host, &app, server.as_ref(), &turn));
        Ok(Self { host, app, server, turn, client, _database: database })
    }

    /// The host, as the App was told of it.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The App itself.
    #[must_use]
    pub fn app(&self) -> &H {
        &self.app
    }

    /// The loopback address that a long-running host listens on: for a client of the test's own.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.address)
    }

    /// A client of another door to the same App.
    ///
    /// # Panics
    /// If hosts of this paradigm have no such door.
    #[must_use]
    pub fn through(&self, door: DoorKind) -> Client {
        Client::new(self.door(door))
    }

    /// A door to the same App, for a test that blocks. The runtime that the App was started on must have a thread to
    /// spare.
    ///
    /// # Panics
    /// If hosts of this paradigm have no such door.
    #[must_use]
    pub fn door(&self, door: DoorKind) -> Arc<dyn Door> {
        open(door, &self.host, &self.app, self.server.as_ref(), &self.turn)
    }

    /// Freezes the process as a serverless host does between two requests: it waits until nothing runs, and then every
    /// clock of the connection strategy advances by this time. Nothing sleeps.
    ///
    /// The database knows nothing of it: what a server does in the meantime, such as ending connections, is the test's to do.
    ///
    /// # Panics
    /// On a long-running host, which is never frozen.
    pub async fn freeze(&self, time: Duration) {
        assert_eq!(
            self.host.paradigm(),
            Paradigm::Serverless,
            "a long-running host is never frozen; use TestHost::serverless()"
        );
        let _turn = self.turn.lock().await;
        self.host.lifecycle().wait_idle().await;
        self.host.databases().rest();
        self.host.epoch().freeze(time);
    }

    /// Stops the App as its host would: no new requests, those that run are finished, `App::stop`, connections closed;
    /// all of it within the grace. Returns what was not over by then.
    pub async fn stop(mut self) -> StopReport {
        let (unfinished, stopped) = match self.server.take() {
            Some(mut server) => {
                let _ = server.stop.send(());
                match server.task.join_next().await.expect("it runs one task") {
                    Ok(Ok(drained)) => (drained.aborted, drained.stopped),
                    Ok(Err(failure)) => panic!("the server failed: {failure}"),
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                }
            }
            None => self.stop_function().await,
        };
        // The pools are closed already: this only reads how many connections are left.
        let left = self.host.databases().close(Duration::ZERO).await;
        let held = left.into_iter().filter(|pool| !pool.holders.is_empty());
        let held = held.map(|pool| HeldConnections {
            pool: pool.pool,
            places: pool.holders.into_iter().map(|(place, _)| place).collect(),
        });
        StopReport { unfinished, stopped, held: held.collect() }
    }

    async fn stop_function(&self) -> (usize, bool) {
        let grace = self.host.grace();
        let lifecycle = self.host.lifecycle();
        self.host.advance(Phase::Draining);
        let unfinished = match timeout(grace / 2, lifecycle.wait_idle()).await {
            Ok(()) => 0,
            Err(_) => lifecycle.in_flight(),
        };
        let stopped = timeout(grace / 4, self.app.stop()).await.is_ok();
        self.host.databases().close(grace / 4).await;
        self.host.advance(Phase::Stopped);
        (unfinished, stopped)
    }
}

impl HostServer {
    fn start<H: Handler>(host: &Host, app: Arc<H>) -> Result<Self, Failure> {
        let config = Config::default().with(host.settings())?;
        let listener = bind_tcp(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.tcp_address().expect("a TCP socket that is bound has an address");
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(host.clone(), config).listen(listener);
        let stopped = async {
            // A test that is over without a stop drops the other half.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let mut task = JoinSet::new();
        task.spawn(async move { server.serve(Factory::started(app), stopped).await });
        Ok(Self { address, stop, task })
    }
}

/// # Panics
/// If hosts of this paradigm have no such door.
fn open<H: Handler>(
    door: DoorKind,
    host: &Host,
    app: &Arc<H>,
    server: Option<&HostServer>,
    turn: &Arc<Mutex<()>>,
) -> Arc<dyn Door> {
    let (app, runtime) = (Arc::clone(app), Handle::current());
    let host = host.clone();
    match (door, door.source(), server) {
        (DoorKind::Direct, ..) => Arc::new(Direct { app, host, runtime }),
        (_, Some(source), None) => {
            Arc::new(Function { app, host, runtime, turn: Arc::clone(turn), source })
        }
        (_, None, Some(server)) => {
            let http2 = door == DoorKind::Http2;
            Arc::new(Socket { address: server.address, runtime, http2 })
        }
        (_, Some(_), Some(_)) => {
            panic!("the door {door} leads to functions; start the App on TestHost::serverless()")
        }
        (_, None, None) => {
            panic!("the door {door} leads to servers; start the App on TestHost::long_running()")
        }
    }
}

impl<H> Deref for Running<H> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl<H> fmt::Debug for Running<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The work that a stop found unfinished at the end of the grace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "an unfinished request and a leak stand in it"]
pub struct StopReport {
    /// Requests that were cut off, and work of [`Context::wait_until`](anyhost_core::Context::wait_until).
    pub unfinished: usize,
    /// Whether `App::stop` returned.
    pub stopped: bool,
    /// Database connections that are still in use: leaks, if no request was cut off.
    pub held: Vec<HeldConnections>,
}

/// Connections of a pool that were not given back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldConnections {
    /// The name of the pool: the server's address and the database.
    pub pool: String,
    /// The places in the code that took them, one for each connection.
    pub places: Vec<String>,
}

impl StopReport {
    /// The exit code that the process would end with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.stopped { Exit::Done } else { Exit::Aborted }
    }

    /// Fails the test unless every request had its answer, `App::stop` returned and every connection was given back.
    #[track_caller]
    pub fn assert_clean(&self) {
        let clean = self.unfinished == 0 && self.stopped && self.held.is_empty();
        assert!(clean, "the App did not stop cleanly: {self}");
    }
}

impl fmt::Display for StopReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unfinished, stopped, held } = self;
        let stop = if *stopped { "returned" } else { "did not return" };
        write!(f, "{unfinished} requests unfinished, `App::stop` {stop}")?;
        if held.is_empty() {
            f.write_str(", no connection in use")?;
        }
        for HeldConnections { pool, places } in held {
            write!(
                f,
                "; {pool}: {} connections in use, taken at {}",
                places.len(),
                places.join(", ")
            )?;
        }
        Ok(())
    }
}
