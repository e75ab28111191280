//! Throughput by number of tasks, connections and replicas, with the processor time of each side.

use std::thread;
use std::time::Duration;

use crate::contest::say;
use crate::database::Database;
use crate::effort::Effort;
use crate::http::{Request, drive};
use crate::pool::{self, Member};
use crate::results::{Curve, Turn};
use crate::subjects::{Kind, Subject};

/// The curves.
///
/// # Errors
/// If something that is needed does not start.
pub fn curves(effort: Effort) -> Result<Vec<Curve>, String> {
    let database = Database::with(&["max_connections=300"])?;
    let url = database.url();
    let full = effort == Effort::Full;
    let (tasks, sizes, replicas): (&[usize], &[usize], &[usize]) = if full {
        (&[1, 2, 4, 8, 16, 64, 256, 1024, 4096], &[1, 2, 4, 8, 16, 64, 256], &[1, 2, 4, 8])
    } else {
        (&[1, 2], &[1, 2], &[1, 2])
    };
    let time = effort.turn() * 2;
    Ok(vec![
        along("growth-tasks", "Throughput over tasks, connections by plan", "tasks", tasks, |n| {
            Ok([
                pool::throughput(time, n, &database, Member::ours(&url, None))?,
                pool::throughput(time, n, &database, sized(&url, 5))?,
            ])
        })?,
        along(
            "growth-connections",
            "Throughput over connections, 256 tasks",
            "connections",
            sizes,
            |n| {
                Ok([
                    pool::throughput(time, 256, &database, Member::ours(&url, Some(n)))?,
                    pool::throughput(time, 256, &database, sized(&url, n))?,
                ])
            },
        )?,
        along(
            "growth-replicas",
            "One query per request over HTTP, 64 clients over replicas of one service",
            "replicas",
            replicas,
            |n| Ok([fleet(Kind::Ours, n, &url, time)?, fleet(Kind::Axum, n, &url, time)?]),
        )?,
    ])
}

async fn sized(url: &str, size: usize) -> Result<(Member, usize), String> {
    Ok((Member::sqlx(url, size, true).await?, size))
}

/// Both sides at each point, one after the other.
fn along(
    id: &str,
    title: &str,
    x: &str,
    points: &[usize],
    measure: impl Fn(usize) -> Result<[Turn; 2], String>,
) -> Result<Curve, String> {
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for &point in points {
        let turns = measure(point)?;
        let [our, their] = turns.each_ref().map(|turn| turn.done as f64 / turn.seconds);
        say(&format!(
            "{id}: {point} {x}: {our:.0}/s, sqlx::Pool {their:.0}/s; {} and {} failed; {}",
            turns[0].failed,
            turns[1].failed,
            who(&turns[0])
        ));
        ours.push((point as f64, our));
        theirs.push((point as f64, their));
    }
    Ok(Curve {
        id: id.into(),
        title: title.into(),
        x: x.into(),
        y: "a second".into(),
        logarithmic: true,
        lines: vec![("anyhost Db".into(), ours), ("sqlx::Pool".into(), theirs)],
    })
}

/// The processor time that each side used.
fn who(turn: &Turn) -> String {
    let each = |seconds: Option<f64>| {
        seconds
            .map_or("?".into(), |seconds| format!("{:.0}", seconds * 1e6 / turn.done.max(1) as f64))
    };
    format!(
        "processor time for each: {} µs here, {} µs in the server",
        each(turn.cpu_seconds),
        each(turn.server_cpu_seconds)
    )
}

/// Runs this many replicas of a service, with 64 clients spread over them.
fn fleet(kind: Kind, replicas: usize, url: &str, time: Duration) -> Result<Turn, String> {
    let subjects: Vec<Subject> =
        (0..replicas).map(|_| Subject::start(kind, Some(url))).collect::<Result<_, _>>()?;
    let turns: Vec<Turn> = thread::scope(|scope| {
        let clients: Vec<_> = subjects
            .iter()
            .map(|subject| {
                scope.spawn(|| {
                    let request = Request::get("/note");
                    let count = 64 / replicas;
                    drive(subject.address(), count, &request, time, || (), |(), _| ())
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("clients do not panic")).collect()
    });
    let seconds = turns.iter().map(|turn| turn.seconds).fold(0.0, f64::max);
    Ok(Turn { done: turns.iter().map(|turn| turn.done).sum(), seconds, ..Turn::default() })
}
