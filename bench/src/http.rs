//! Whole servers, each in its own process, under load over loopback connections.

mod calls;
mod load;

use std::time::Duration;

use calls::Counting;
pub use load::{Request, drive};

use crate::contest::{Contender, contest};
use crate::effort::Effort;
use crate::process::Counters;
use crate::results::{Calls, Contest, Turn};
use crate::subjects::{Kind, Subject};

/// The servers of a contest, which all run during it; the ones not under load are idle.
#[derive(Debug)]
pub struct Servers(Vec<(Kind, Subject)>);

/// A kind of request that the clients send.
#[derive(Debug)]
pub struct Question {
    id: &'static str,
    title: &'static str,
    request: Request,
}

impl Servers {
    /// Starts one of each kind.
    ///
    /// # Errors
    /// If one does not start.
    pub fn start(database: &str) -> Result<Self, String> {
        Self::start_all(&[Kind::Ours, Kind::Actix, Kind::Axum], Some(database))
    }

    /// Starts an actix-web application on `anyhost-server`, and the same application on actix-web's own server.
    ///
    /// # Errors
    /// If one does not start.
    pub fn start_hosted() -> Result<Self, String> {
        Self::start_all(&[Kind::Hosted, Kind::Actix], None)
    }

    fn start_all(kinds: &[Kind], database: Option<&str>) -> Result<Self, String> {
        let started = kinds.iter().map(|kind| Ok((*kind, Subject::start(*kind, database)?)));
        started.collect::<Result<_, String>>().map(Self)
    }

    /// Sends the same requests to each server in turn, with this many clients.
    #[must_use]
    pub fn contest(&self, question: &Question, connections: usize, effort: Effort) -> Contest {
        let Question { id, title, request } = question;
        let contenders = self.0.iter().map(|(kind, subject)| {
            Contender::new(name(*kind, id), move |time| turn(subject, connections, request, time))
        });
        contest(
            format!("http/{id}/{connections}"),
            format!("{title}, {connections} connections"),
            effort,
            contenders.collect(),
        )
    }

    /// Counts the system calls of each server for the same requests, in one turn; empty if they cannot be counted.
    #[must_use]
    pub fn calls(&self, question: &Question, connections: usize, effort: Effort) -> Vec<Calls> {
        let Question { id, request, .. } = question;
        let counted = self.0.iter().filter_map(|(kind, subject)| {
            let mut calls = None;
            let begin = || Counting::begin(subject.pid());
            let end = |counting: Option<Counting>, _: &mut Turn| {
                calls = counting.and_then(Counting::end);
            };
            let turn = drive(subject.address(), connections, request, effort.turn(), begin, end);
            let (contest, contender) = (format!("http/{id}/{connections}"), name(*kind, id));
            Some(Calls { contest, contender, each: calls? as f64 / turn.done.max(1) as f64 })
        });
        counted.collect()
    }
}

/// The name of a server's stack, with its pool if the requests use the database.
fn name(kind: Kind, question: &str) -> String {
    let asks = ["note", "twenty", "list"].contains(&question);
    match (kind, asks) {
        (Kind::Actix, true) => "actix-web + deadpool-postgres".into(),
        (Kind::Axum, true) => "axum + sqlx::PgPool".into(),
        (kind, _) => kind.to_string(),
    }
}

fn turn(subject: &Subject, connections: usize, request: &Request, time: Duration) -> Turn {
    let begin = || (subject.cpu(), Counters::read(subject.pid()));
    let end = |(cpu, counters): (Option<f64>, Option<Counters>), turn: &mut Turn| {
        turn.cpu_seconds = subject.cpu().zip(cpu).map(|(now, begun)| now - begun);
        turn.counters = Counters::read(subject.pid()).zip(counters).map(|(now, begun)| now - begun);
        turn.memory = subject.memory();
    };
    drive(subject.address(), connections, request, time, begin, end)
}

/// A few bytes of text.
#[must_use]
pub fn hello() -> Question {
    Question { id: "hello", title: "a few bytes of text", request: Request::get("/hello") }
}

/// The same requests with heads that vary.
#[must_use]
pub fn hello_varied() -> Question {
    Question {
        id: "hello-varied",
        title: "a few bytes of text, another head each time",
        request: Request::varied("GET", "/hello", None, &[]),
    }
}

/// The same requests to actix-web applications.
#[must_use]
pub fn hello_hosted() -> Question {
    Question {
        id: "hello-hosted",
        title: "a few bytes of text from an actix-web application, another head each time",
        ..hello_varied()
    }
}

/// One query.
#[must_use]
pub fn note() -> Question {
    Question { id: "note", title: "one query, its row as JSON", request: Request::get("/note") }
}

/// A large body.
#[must_use]
pub fn upload() -> Question {
    let megabyte = vec![b'a'; 1 << 20];
    Question {
        id: "upload",
        title: "an upload of 1 MiB",
        request: Request::post("/upload", "application/octet-stream", &megabyte),
    }
}

/// Everything else.
#[must_use]
pub fn others() -> Vec<Question> {
    let message = serde_json::json!({ "text": "n".repeat(600), "numbers": vec![1234; 75] });
    let message = message.to_string();
    let megabyte = vec![b'a'; 1 << 20];
    vec![
        Question {
            id: "json",
            title: "1 KiB of JSON, parsed and sent back",
            request: Request::post("/json", "application/json", message.as_bytes()),
        },
        Question {
            id: "json-varied",
            title: "1 KiB of JSON, another head each time",
            request: Request::varied("POST", "/json", Some("application/json"), message.as_bytes()),
        },
        Question {
            id: "upload-varied",
            title: "an upload of 1 MiB, another head each time",
            request: Request::varied(
                "POST",
                "/upload",
                Some("application/octet-stream"),
                &megabyte,
            ),
        },
        Question {
            id: "twenty",
            title: "twenty queries one after the other",
            request: Request::get("/twenty"),
        },
        Question {
            id: "list",
            title: "one query, a hundred rows as JSON",
            request: Request::get("/list"),
        },
    ]
}
