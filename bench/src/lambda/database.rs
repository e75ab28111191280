//! Functions with a database: cold, warm, and thawed.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::function::Function;
use super::{Event, Source};
use crate::contest::{Contender, contest};
use crate::database::Database;
use crate::effort::Effort;
use crate::histogram::Histogram;
use crate::results::{Contest, Turn};

/// The README's program: one for every host, which finds out the kind of its database when it starts.
const EVERY_HOST: (&str, &str) = ("anyhost, for every host: AnyDb", "function-every-host-db");

/// On PostgreSQL: our function by its adapter alone, the README's program, and the peer as guides write it.
const ON_POSTGRES: [(&str, &str); 3] = [
    ("anyhost-lambda", "function-ours-db"),
    EVERY_HOST,
    ("lambda_http + axum + sqlx::PgPool", "function-peer-db"),
];

/// On SQLite: the README's program, and the peer.
const ON_SQLITE: [(&str, &str); 2] =
    [EVERY_HOST, ("lambda_http + axum + sqlx::SqlitePool", "function-peer-sqlite")];

/// Longer than the interval within which our pool uses a connection without a ping.
const FROZEN: Duration = Duration::from_millis(700);

/// Measures functions on PostgreSQL and on SQLite: from the start of the process to its first poll and to the answer to
/// its first query, a query of a warm process, and on PostgreSQL a query after a thaw, with the connection intact and
/// with the connection closed by the server during the freeze.
///
/// # Errors
/// If a database does not start.
pub fn contests(effort: Effort) -> Result<Vec<Contest>, String> {
    let database = Database::start()?;
    let postgres = Setup {
        prefix: "lambda/database/",
        kind: "PostgreSQL",
        functions: &ON_POSTGRES,
        url: database.url(),
    };
    let folder = tempfile::tempdir().map_err(|error| format!("a folder for SQLite: {error}"))?;
    let file = folder.path().join("notes.db");
    make_sqlite(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let sqlite = Setup {
        prefix: "lambda/database/sqlite-",
        kind: "SQLite",
        functions: &ON_SQLITE,
        url: format!("sqlite:{}", file.display()),
    };
    let mut contests: Vec<_> = postgres.contests(effort).into();
    contests.extend(thaws(&database, effort));
    contests.extend(sqlite.contests(effort));
    Ok(contests)
}

/// Functions on one database.
struct Setup<'a> {
    /// How the names of its contests begin.
    prefix: &'static str,
    kind: &'static str,
    functions: &'a [(&'static str, &'static str)],
    url: String,
}

impl Setup<'_> {
    fn contests(&self, effort: Effort) -> [Contest; 3] {
        let event = &Event::small(Source::Http).json();
        [
            self.start("first-poll", "first poll", effort, |function| function.first_poll()),
            self.start("cold", "answer to its first query", effort, |function| {
                function.first_answer(event)
            }),
            self.warm(event, effort),
        ]
    }

    fn start(
        &self,
        id: &str,
        until: &str,
        effort: Effort,
        step: impl Fn(&mut Function) -> Duration + Copy,
    ) -> Contest {
        let contenders = self.functions.iter().map(|(name, program)| {
            Contender::new(*name, move |time| {
                let mut memory = None;
                let turn = several(time, || {
                    let mut function = start(program, &self.url);
                    let took = step(&mut function);
                    memory = function.memory();
                    took
                });
                Turn { memory, ..turn }
            })
        });
        let title = format!("a process on {} from its start to its {until}", self.kind);
        contest(format!("{}{id}", self.prefix), title, effort, contenders.collect())
    }

    fn warm(&self, event: &str, effort: Effort) -> Contest {
        let contenders = self.functions.iter().map(|(name, program)| {
            let mut function = start(program, &self.url);
            Contender::new(*name, move |time| function.invoke(event, time))
        });
        let title = format!("a query of a warm function on {}, over loopback", self.kind);
        contest(format!("{}warm", self.prefix), title, effort, contenders.collect())
    }
}

/// Starts a function. Ours reads the URL from its environment, a peer gets it as its argument.
fn start(program: &str, url: &str) -> Function {
    if program.starts_with("function-peer") {
        Function::start_with(program, &[url], &[])
    } else {
        Function::start_with(program, &[], &[("DATABASE_URL", url)])
    }
}

fn thaws(database: &Database, effort: Effort) -> [Contest; 2] {
    let event = Event::small(Source::Http).json();
    let kinds = [
        ("thaw", "a query after a freeze, the connection as it was", false),
        ("thaw-ended", "a query after a freeze in which the server ended the connection", true),
    ];
    kinds.map(|(id, title, end)| {
        let contenders = ON_POSTGRES.map(|(name, program)| {
            let (mut function, event) = (start(program, &database.url()), &event);
            function.first_answer(event);
            Contender::new(name, move |time| {
                several(time, || {
                    function.thaw(FROZEN, event, || {
                        if end {
                            end_connections(database);
                        }
                    })
                })
            })
        });
        contest(format!("lambda/database/{id}"), title, effort, contenders.into())
    })
}

fn end_connections(database: &Database) {
    database.server().sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
}

/// Makes a database file with a thousand notes.
fn make_sqlite(file: &Path) -> Result<(), sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut connection = options.connect().await?;
        sqlx::raw_sql(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL); \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
             INSERT INTO notes SELECT i, 'Note ' || i FROM n",
        )
        .execute(&mut connection)
        .await?;
        connection.close().await
    })
}

/// Repeats a step at least once and until the time is over; counts only the durations that the step returns.
fn several(time: Duration, mut work: impl FnMut() -> Duration) -> Turn {
    let begun = Instant::now();
    let mut histogram = Histogram::default();
    let mut seconds = 0.0;
    while histogram.count() == 0 || begun.elapsed() < time {
        let took = work();
        seconds += took.as_secs_f64();
        histogram.add(took);
    }
    Turn { seconds, ..histogram.turn(begun.elapsed()) }
}
