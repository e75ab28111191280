//! An App that does to a server what Apps do, good and bad, and a process around it: what the tests run.
//!
//! It reads its settings from stdin, `NAME=value` on a line, listens on a free port of this machine and
//! prints its address.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhost_core::adapter::{Exit, Failure, LogFormat, conclude};
use anyhost_core::db::Db;
use anyhost_core::{
    App, Body, BodyError, Context, Error, Host, Paradigm, Phase, Request, Response, Settings,
    async_trait,
};
use anyhost_server::{Config, Listener, Program, Running, bind_tcp};
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, HeaderValue, SET_COOKIE};
use http::{StatusCode, Version};
use sqlx::Sqlite;

/// The paths of requests whose future was dropped before it had an answer.
pub(crate) static CANCELLED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How often `stop` was called.
pub(crate) static STOPPED: AtomicUsize = AtomicUsize::new(0);

/// How often work that outlasts its response has ended.
pub(crate) static OUTLASTED: AtomicUsize = AtomicUsize::new(0);

/// The App, with a database if `DATABASE_URL` is set; its first path segment says what it does.
#[derive(Debug)]
pub(crate) struct Subject(Option<Db<Sqlite>>);

struct Unanswered(String);

impl Drop for Unanswered {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            CANCELLED.lock().expect("nobody panics with it").push(std::mem::take(&mut self.0));
        }
    }
}

#[async_trait]
impl App for Subject {
    async fn start(host: &Host) -> Result<Self, Error> {
        if let Some(wait) = host.settings().get::<Duration>("START_TAKES")? {
            tokio::time::sleep(wait).await;
        }
        if let Some(why) = host.settings().text("START_FAILS") {
            return Err(Error::internal(why.to_owned()));
        }
        let db = match host.settings().text("DATABASE_URL") {
            Some(_) => Some(Db::open(host).await?),
            None => None,
        };
        Ok(Self(db))
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        let path = request.uri().path().to_owned();
        let mut words = path.trim_start_matches('/').split('/');
        let word = words.next().unwrap_or_default();
        let number = words.next().and_then(|word| word.parse::<u64>().ok());
        match word {
            // Answers after so many milliseconds.
            "slow" => {
                let mut unanswered = Unanswered(path.clone());
                tokio::time::sleep(Duration::from_millis(number.unwrap_or(300))).await;
                unanswered.0.clear();
                Ok(Response::new(Body::from("slow")))
            }
            // Answers at once and goes on working for so many milliseconds.
            "outlast" => {
                let work = Duration::from_millis(number.unwrap_or(300));
                let context = Context::get(&request).expect("every request has a context");
                context.wait_until(async move {
                    tokio::time::sleep(work).await;
                    OUTLASTED.fetch_add(1, Ordering::SeqCst);
                });
                Ok(Response::new(Body::from("at once")))
            }
            // Says how many bytes came.
            "count" => {
                let mut chunks = http_body_util(request.into_body());
                let mut count = 0;
                while let Some(chunk) = chunks.next().await {
                    count += chunk?.len();
                }
                Ok(Response::new(Body::from(count.to_string())))
            }
            // Sends so many MiB.
            "send" => Ok(Response::new(zeros(number.unwrap_or(1) << 20))),
            // Has so many MiB in memory when it answers.
            "whole" => {
                let bytes = usize::try_from(number.unwrap_or(1)).unwrap_or(1) << 20;
                Ok(Response::new(Body::from(vec![b'0'; bytes])))
            }
            // Sends the body back while it comes.
            "back" => Ok(Response::new(request.into_body())),
            // Leaves the body where it is.
            "ignore" => Ok(Response::new(Body::from("ignored"))),
            // Announces ten bytes and sends so many.
            "ten" => {
                let body = zeros(number.unwrap_or(10));
                let mut response = Response::new(body);
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(10));
                Ok(response)
            }
            // Sends "part" and fails.
            "break" => {
                let parts = [Ok("part"), Err(BodyError::other("on purpose"))];
                Ok(Response::new(Body::stream(futures_util::stream::iter(parts))))
            }
            // Sends a dot every so many milliseconds, five times.
            "drip" => {
                let wait = Duration::from_millis(number.unwrap_or(100));
                let dots = futures_util::stream::unfold(0, move |sent| async move {
                    tokio::time::sleep(wait).await;
                    (sent < 5).then_some((Ok::<_, BodyError>("."), sent + 1))
                });
                Ok(Response::new(Body::stream(dots)))
            }
            // Asks the database.
            "query" => {
                let db = self.0.as_ref().ok_or_else(|| Error::internal("no DATABASE_URL"))?;
                let answer: String = sqlx::query_scalar("SELECT 'an answer'").fetch_one(db).await?;
                Ok(Response::new(Body::from(answer)))
            }
            "panic" => panic!("on purpose"),
            "status" => {
                let mut response = Response::new(Body::from("a body"));
                *response.status_mut() = StatusCode::from_u16(number.unwrap_or(200) as u16)?;
                Ok(response)
            }
            "cookies" => {
                let mut response = Response::new(Body::empty());
                for cookie in ["a=1", "b=2"] {
                    response.headers_mut().append(SET_COOKIE, HeaderValue::from_static(cookie));
                }
                Ok(response)
            }
            _ => Ok(Response::new(Body::from(describe(&request)))),
        }
    }

    async fn stop(&self) {
        STOPPED.fetch_add(1, Ordering::SeqCst);
    }
}

/// The request, a line for each thing; header values with what is not ASCII escaped.
fn describe(request: &Request) -> String {
    let context = Context::get(request).expect("a server gives every request a context");
    let version = match request.version() {
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        _ => "2",
    };
    let mut text = format!("{} {} {version}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\n", value.as_bytes().escape_ascii()));
    }
    text.push_str(&format!(
        "ip={:?} scheme={} host={:?} id={} trace={:?}\n",
        context.client_ip(),
        context.scheme().as_str(),
        context.host(),
        context.request_id(),
        context.trace_parent(),
    ));
    text
}

fn http_body_util(
    body: Body,
) -> impl futures_util::Stream<Item = Result<Bytes, BodyError>> + Unpin {
    Box::pin(futures_util::stream::unfold(body, |mut body| async move {
        let frame = std::future::poll_fn(|cx| {
            http_body::Body::poll_frame(std::pin::Pin::new(&mut body), cx)
        });
        let frame = frame.await?;
        Some((frame.map(|frame| frame.into_data().unwrap_or_default()), body))
    }))
}

fn zeros(length: u64) -> Body {
    const PIECE: u64 = 32 * 1024;
    let piece = Bytes::from(vec![b'0'; PIECE as usize]);
    Body::stream(futures_util::stream::unfold((piece, length), |(piece, left)| async move {
        let now = left.min(PIECE);
        (now > 0).then(|| (Ok::<_, BodyError>(piece.slice(..now as usize)), (piece, left - now)))
    }))
}

#[allow(dead_code, reason = "the tests take the App alone")]
fn main() -> ExitCode {
    conclude(outcome())
}

fn outcome() -> Result<Exit, Failure> {
    let lines = std::io::stdin().lines().map_while(Result::ok);
    let pairs =
        lines.filter_map(|line| line.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())));
    let settings = Settings::from_pairs(pairs);
    let config = Config::default().with(&settings)?;
    let logs = anyhost_server::logs(&settings, LogFormat::Json)?;
    let grace = settings.get("SHUTDOWN_GRACE")?.unwrap_or(Duration::from_secs(10));
    let host =
        Host::builder(Paradigm::LongRunning, "test").grace(grace).settings(settings).build()?;
    let bind = || {
        let listener = bind_tcp(([127, 0, 0, 1], 0).into())?;
        announce(&listener);
        Ok(vec![listener])
    };
    Program { host, config, logs }.run(
        anyhost_core::adapter::Factory::<Subject>::app(),
        Default::default(),
        bind,
        |running| Box::pin(beside(running)),
    )
}

fn announce(listener: &Listener) {
    let _ = writeln!(std::io::stdout(), "{listener}");
}

/// Says when the process has stopped, in its own time.
async fn beside(running: Running) {
    running.hangups.ignore();
    running.host.lifecycle().wait_for(Phase::Stopped).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let _ = writeln!(std::io::stdout(), "the adapter has heard of the stop");
}
