//! Functions with a database: cold, warm, and thawed.

use std::time::{Duration, Instant};

use super::function::Function;
use super::{Event, Source};
use crate::contest::{Contender, contest};
use crate::database::Database;
use crate::effort::Effort;
use crate::histogram::Histogram;
use crate::results::{Contest, Turn};

/// Our function, which reads the URL from its environment; a peer gets it as its argument.
const OURS: &str = "function-ours-db";

/// The programs: our function, and the peer's as guides write it.
const FUNCTIONS: [(&str, &str); 2] =
    [("anyhost-lambda", OURS), ("lambda_http + axum + sqlx::PgPool", "function-peer-db")];

/// Longer than the interval within which our pool uses a connection without a ping.
const FROZEN: Duration = Duration::from_millis(700);

/// Measures a first query from the start of the process, a query of a warm process, and a query after a thaw: with the
/// connection intact, and with the connection closed by the server during the freeze.
///
/// # Errors
/// If the database does not start.
pub fn contests(effort: Effort) -> Result<Vec<Contest>, String> {
    let database = Database::start()?;
    let url = database.url();
    let event = Event::small(Source::Http).json();
    let start = |program| match program {
        OURS => Function::start_with(program, &[], &[("DATABASE_URL", &url)]),
        _ => Function::start_with(program, &[&url], &[]),
    };

    let contenders = FUNCTIONS.map(|(name, program)| {
        Contender::new(name, {
            let (start, event) = (&start, &event);
            move |time| several(time, || start(program).first_answer(event))
        })
    });
    let title = "a process from its start to the answer to its first query";
    let cold = contest("lambda/database/cold", title, effort, contenders.into());

    let contenders = FUNCTIONS.map(|(name, program)| {
        let (mut function, event) = (start(program), &event);
        Contender::new(name, move |time| function.invoke(event, time))
    });
    let title = "a query of a warm function, over loopback";
    let warm = contest("lambda/database/warm", title, effort, contenders.into());

    let thaws = [
        ("thaw", "a query after a freeze, the connection as it was", false),
        ("thaw-ended", "a query after a freeze in which the server ended the connection", true),
    ];
    let thaws = thaws.map(|(id, title, end)| {
        let contenders = FUNCTIONS.map(|(name, program)| {
            let (mut function, event, database) = (start(program), &event, &database);
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
    });
    Ok([cold, warm].into_iter().chain(thaws).collect())
}

fn end_connections(database: &Database) {
    database.server().sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
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
