//! Bursts of cold environments, and restarts of the server: how many requests fail, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::contest::say;
use crate::database::Database;
use crate::effort::Effort;
use crate::pool::Member;
use crate::results::Curve;

/// How long to wait for a burst: an environment that is not served by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an environment lives on with its connection after its one invocation.
const LIFE: Duration = Duration::from_millis(100);

/// The two sides.
const SIDES: [(&str, Side); 2] = [("anyhost Db", Side::Ours), ("sqlx::Pool", Side::Sqlx)];

#[derive(Clone, Copy, Debug)]
enum Side {
    Ours,
    Sqlx,
}

impl Side {
    /// The pool that a cold environment opens.
    async fn open(self, url: &str) -> Result<Member, String> {
        match self {
            Self::Ours => Member::serverless(url).await,
            Self::Sqlx => Member::sqlx(url, 10, true).await,
        }
    }
}

/// The curves.
///
/// # Errors
/// If something that is needed does not start.
pub fn curves(effort: Effort) -> Result<Vec<Curve>, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut curves = bursts(&runtime, effort)?;
    curves.extend(restart(&runtime, effort)?);
    Ok(curves)
}

/// The outcome of a burst.
#[derive(Debug, Default)]
struct Burst {
    served: AtomicU64,
    failed: AtomicU64,
}

fn bursts(runtime: &Runtime, effort: Effort) -> Result<Vec<Curve>, String> {
    let sizes: &[usize] = match effort {
        Effort::Full => &[1, 10, 50, 100, 200, 500, 1000],
        Effort::Smoke | Effort::Quick => &[1, 3],
    };
    let database = Database::with(&["max_connections=100"])?;
    let mut failed: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    let mut open = Vec::new();
    let mut took = Vec::new();
    for (name, side) in SIDES {
        let mut lines = (Vec::new(), Vec::new(), Vec::new());
        for &size in sizes {
            let begun = Instant::now();
            let burst = Arc::new(Burst::default());
            let most = burst_of(runtime, side, size, &database, &burst);
            let seconds = begun.elapsed().as_secs_f64();
            let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let lost = size as u64 - count(&burst.served);
            say(&format!(
                "storm: {size} environments, {name}: {} served, {lost} not, at most {most} processes of the server, {seconds:.1} s",
                count(&burst.served)
            ));
            let x = size as f64;
            lines.0.push((x, lost as f64 * 100.0 / x));
            lines.1.push((x, most as f64));
            lines.2.push((x, seconds * 1e3));
        }
        failed.push((name.to_owned(), lines.0));
        open.push((name.to_owned(), lines.1));
        took.push((name.to_owned(), lines.2));
    }
    let curve = |id: &str, title: &str, y: &str, lines| Curve {
        id: id.into(),
        title: title.into(),
        x: "cold environments at once".into(),
        y: y.into(),
        logarithmic: true,
        lines,
    };
    Ok(vec![
        curve(
            "storm-failed",
            "Cold environments at once on a server with 100 connections: not served within 10 s",
            "% of them",
            failed,
        ),
        curve(
            "storm-connections",
            "The same: processes of the server at once, at most, those that turn a client away among them",
            "processes",
            open,
        ),
        curve("storm-time", "The same: until the last one had ended", "ms", took),
    ])
}

/// Starts this many environments at once, waits until they end, and returns the highest number of server processes.
fn burst_of(
    runtime: &Runtime,
    side: Side,
    size: usize,
    database: &Database,
    burst: &Arc<Burst>,
) -> usize {
    let url: Arc<str> = database.url().into();
    let over = AtomicBool::new(false);
    let most = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                most.fetch_max(database.connections(), Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        runtime.block_on(async {
            let environments: Vec<_> = (0..size)
                .map(|_| {
                    let (url, burst) = (Arc::clone(&url), Arc::clone(burst));
                    tokio::spawn(async move {
                        let invocation = async {
                            let member = side.open(&url).await?;
                            member.query().await?;
                            Ok::<_, String>(member)
                        };
                        match tokio::time::timeout(PATIENCE, invocation).await {
                            Ok(Ok(member)) => {
                                burst.served.fetch_add(1, Ordering::Relaxed);
                                tokio::time::sleep(LIFE).await;
                                member.close().await;
                            }
                            Ok(Err(_)) | Err(_) => {
                                burst.failed.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    })
                })
                .collect();
            for environment in environments {
                let _ = environment.await;
            }
        });
        over.store(true, Ordering::Release);
    });
    most.into_inner()
}

/// Answers and failures in one interval.
#[derive(Debug, Default)]
struct Piece {
    answered: AtomicU64,
    failed: AtomicU64,
}

fn restart(runtime: &Runtime, effort: Effort) -> Result<Vec<Curve>, String> {
    const PIECE: Duration = Duration::from_millis(100);
    let (before, away, after) = match effort {
        Effort::Full => (2_000, 1_500, 4_500),
        Effort::Smoke | Effort::Quick => (100, 100, 800),
    };
    let database = Database::start()?;
    let url = database.url();
    let total = Duration::from_millis(before + away + after);
    let pieces = total.as_millis().div_ceil(PIECE.as_millis()) as usize;
    let mut answered = Vec::new();
    let mut failed = Vec::new();
    for (name, side) in SIDES {
        let seen: Arc<Vec<Piece>> = Arc::new((0..pieces).map(|_| Piece::default()).collect());
        let member = runtime.block_on(async {
            match side {
                Side::Ours => Member::ours(&url, None).await.map(|(member, _)| member),
                Side::Sqlx => Member::sqlx(&url, 10, true).await,
            }
        })?;
        let begun = Instant::now();
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (member, seen) = (member.clone(), Arc::clone(&seen));
                runtime.spawn(async move {
                    // A client sends twenty queries in a hundred milliseconds, not as many as it can.
                    let mut ticks = tokio::time::interval(Duration::from_millis(5));
                    while begun.elapsed() < total {
                        ticks.tick().await;
                        let asked = (begun.elapsed().as_millis() / PIECE.as_millis()) as usize;
                        let outcome = tokio::time::timeout(PATIENCE, member.query()).await;
                        let Some(piece) = seen.get(asked.min(seen.len() - 1)) else { return };
                        match outcome {
                            Ok(Ok(())) => piece.answered.fetch_add(1, Ordering::Relaxed),
                            _ => piece.failed.fetch_add(1, Ordering::Relaxed),
                        };
                    }
                })
            })
            .collect();
        let sleep = |millis| {
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(millis)).await });
        };
        sleep(before);
        database.server().crash();
        sleep(away);
        database.server().restart();
        runtime.block_on(async {
            for task in tasks {
                let _ = task.await;
            }
            member.close().await;
        });
        let line = |of: &dyn Fn(&Piece) -> u64| -> Vec<(f64, f64)> {
            let pieces = seen.iter().enumerate();
            pieces.map(|(at, piece)| (at as f64 / 10.0, of(piece) as f64 * 10.0)).collect()
        };
        let (good, bad) = (
            line(&|piece| piece.answered.load(Ordering::Relaxed)),
            line(&|piece| piece.failed.load(Ordering::Relaxed)),
        );
        let sum = |line: &[(f64, f64)]| line.iter().map(|(_, y)| y / 10.0).sum::<f64>();
        say(&format!("restart: {name}: {:.0} answered, {:.0} failed", sum(&good), sum(&bad)));
        answered.push((name.to_owned(), good));
        failed.push((name.to_owned(), bad));
    }
    let curve = |id: &str, title: &str, lines| Curve {
        id: id.into(),
        title: title.into(),
        x: "seconds; the server crashes at 2.0 and is started again at 3.5".into(),
        y: "queries a second, by when they were asked".into(),
        logarithmic: false,
        lines,
    };
    Ok(vec![
        curve("restart-answered", "A server that restarts: queries that were answered", answered),
        curve("restart-failed", "A server that restarts: queries that failed", failed),
    ])
}
