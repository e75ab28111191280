//! A load: clients that send one request after the other until told to stop, and count every one that fails.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::process::PATIENCE;
use crate::wait::within;

/// How long a request may take before it counts as failed.
const LATE: Duration = PATIENCE;

/// Where a load goes.
#[derive(Clone, Debug)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// The clients of a load and how they behave.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Where they connect.
    pub address: Address,
    /// How many there are.
    pub count: usize,
    /// Whether each keeps its connection for its next request.
    pub keep_alive: bool,
    /// How often each sends a request; `None`: as soon as it has the last answer.
    pub every: Option<Duration>,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    sent: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Report>,
}

/// The results of a load.
#[derive(Debug, Default)]
pub struct Report {
    /// Requests that were sent, or would have been had the connection not failed.
    pub requests: u64,
    /// Requests without a whole answer of status 2xx, by what went wrong.
    pub failures: BTreeMap<String, u64>,
    /// From the first request to the last answer.
    pub took: Duration,
    latencies: Vec<Duration>,
}

impl Load {
    /// Starts the clients; each request is made from its number.
    #[must_use]
    pub fn start(
        clients: Clients,
        request: impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let request = Arc::new(request);
            runtime.expect("a runtime").block_on(async move {
                let begun = Instant::now();
                let all: Vec<_> = (0..clients.count)
                    .map(|_| {
                        let client = Client {
                            clients: clients.clone(),
                            sent: counter.clone(),
                            connection: None,
                        };
                        tokio::spawn(client.work(stopped.clone(), Arc::clone(&request)))
                    })
                    .collect();
                let mut report = Report::default();
                for client in all {
                    report.add(client.await.expect("a client does not panic"));
                }
                report.took = begun.elapsed();
                report.latencies.sort_unstable();
                report
            })
        });
        Self { sent, stop, thread }
    }

    /// How many requests have been sent.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until this many requests have been sent, since the beginning, for as long as there is progress.
    #[track_caller]
    pub fn wait_for(&self, requests: u64) {
        let mut sent = self.requests();
        while sent < requests {
            let more = || Some(self.requests()).filter(|now| *now > sent);
            sent = within(PATIENCE, "another request is sent", more);
        }
    }

    /// Tells the clients to stop and waits for their last answers.
    #[must_use]
    pub fn finish(self) -> Report {
        self.stop.send_replace(true);
        self.thread.join().expect("the clients do not panic")
    }
}

impl Report {
    /// Requests that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// The time within which this many percent of the answers came.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }

    fn add(&mut self, other: Self) {
        let Self { requests, failures, took: _, latencies } = other;
        self.requests += requests;
        self.latencies.extend(latencies);
        for (why, count) in failures {
            *self.failures.entry(why).or_default() += count;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{} requests in {seconds:.1} s ({:.0} a second), {} failed, half within {:.1} ms, 99 % within {:.1} ms",
            self.requests,
            self.requests as f64 / seconds,
            self.failed(),
            self.percentile(50).as_secs_f64() * 1e3,
            self.percentile(99).as_secs_f64() * 1e3,
        )?;
        for (why, count) in &self.failures {
            write!(f, "\n  {count} × {why}")?;
        }
        Ok(())
    }
}

type Connection = SendRequest<Full<Bytes>>;

struct Client {
    clients: Clients,
    sent: Arc<AtomicU64>,
    connection: Option<Connection>,
}

impl Client {
    async fn work(
        mut self,
        stop: watch::Receiver<bool>,
        request: Arc<impl Fn(u64) -> Request<Full<Bytes>>>,
    ) -> Report {
        let mut report = Report::default();
        let mut ticks = self.clients.every.map(interval);
        if let Some(ticks) = &mut ticks {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        }
        while !*stop.borrow() {
            // The time at which a request was due: one that waits for the one before it is late.
            let due = match &mut ticks {
                Some(ticks) => ticks.tick().await.into_std(),
                None => Instant::now(),
            };
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            report.requests += 1;
            let outcome = timeout(LATE, self.ask(request(number))).await;
            match outcome.unwrap_or_else(|_| Err(format!("no answer within {LATE:?}"))) {
                Ok(()) => report.latencies.push(due.elapsed()),
                Err(why) => {
                    self.connection = None;
                    *report.failures.entry(why).or_default() += 1;
                }
            }
        }
        report
    }

    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<(), String> {
        let mut connection = match self.connection.take() {
            // A server may close between two requests; a client that sees it opens another.
            Some(mut kept) => match kept.ready().await {
                Ok(()) => kept,
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let said = format!("{} {}", request.method(), request.uri().path());
        let said = said.trim_end_matches(|c: char| c.is_ascii_digit());
        let answer = connection.send_request(request).await;
        let answer = answer.map_err(|error| format!("{said}: {}", whole(&error)))?;
        let status = answer.status();
        let body = answer.into_body().collect().await;
        body.map_err(|error| format!("{said}: the answer broke off: {}", whole(&error)))?;
        if self.clients.keep_alive {
            self.connection = Some(connection);
        }
        if status.is_success() { Ok(()) } else { Err(said_no(said, status)) }
    }

    async fn connect(&self) -> Result<Connection, String> {
        let refused = |error: &dyn std::error::Error| format!("connect: {}", whole(error));
        let connection = match &self.clients.address {
            Address::Tcp(address) => {
                let socket = TcpStream::connect(address).await.map_err(|error| refused(&error))?;
                socket.set_nodelay(true).map_err(|error| refused(&error))?;
                let made = handshake(TokioIo::new(socket)).await;
                let (sender, driver) = made.map_err(|error| refused(&error))?;
                tokio::spawn(driver);
                sender
            }
            Address::Unix(path) => {
                let socket = UnixStream::connect(path).await.map_err(|error| refused(&error))?;
                let made = handshake(TokioIo::new(socket)).await;
                let (sender, driver) = made.map_err(|error| refused(&error))?;
                tokio::spawn(driver);
                sender
            }
        };
        Ok(connection)
    }
}

fn said_no(said: &str, status: StatusCode) -> String {
    format!("{said}: {status}")
}

/// An error with all its causes.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
