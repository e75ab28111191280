//! Pools of connections to one PostgreSQL server, all in this process and of the same size.

mod member;
mod pgbench;

use std::fmt;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::contest::{Contender, contest};
use crate::database::Database;
use crate::effort::Effort;
use crate::histogram::Histogram;
use crate::process;
use crate::results::{Contest, Turn};
pub(crate) use member::Member;
use pgbench::Pgbench;

/// What every task does, again and again.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Borrows a connection, asks it for one row and gives it back.
    Query,
    /// Borrows a connection and gives it back.
    Checkout,
}

/// How long a task waits that was refused.
const COME_BACK: Duration = Duration::from_millis(20);

/// The pools of a contest, all on one server or one proxy in front of it; the first is ours.
pub struct Pools {
    runtime: Runtime,
    url: String,
    size: usize,
    members: Vec<(&'static str, Member)>,
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.members.iter().map(|(name, _)| name).collect();
        f.debug_struct("Pools").field("size", &self.size).field("members", &names).finish()
    }
}

impl Pools {
    /// Opens them, each as large as ours is on this machine by its plan.
    ///
    /// # Errors
    /// If one cannot be opened.
    pub fn open(url: &str, effort: Effort) -> Result<Self, String> {
        Self::sized(url, None, effort)
    }

    /// Opens the pools, each with this many connections.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn sized(url: &str, size: Option<usize>, effort: Effort) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let (size, members) = runtime.block_on(async {
            let (ours, size) = Member::ours(url, size).await?;
            let mut members = vec![
                ("anyhost Db", ours),
                ("sqlx::Pool", Member::sqlx(url, size, true).await?),
                ("deadpool-postgres", Member::deadpool(url, size)?),
                ("deadpool over sqlx, never tested", Member::bare(url, size)?),
            ];
            if effort != Effort::Quick {
                let unchecked = Member::sqlx(url, size, false).await?;
                members.push(("sqlx::Pool, not tested before use", unchecked));
                members.push(("bb8 over sqlx", Member::bb8(url, size).await?));
            }
            Ok::<_, String>((size, members))
        })?;
        Ok(Self { runtime, url: url.to_owned(), size, members })
    }

    /// How many connections each has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Measures a warm query by this many tasks, and by pgbench with as many connections.
    #[must_use]
    pub fn queries(&self, tasks: usize, database: &Database, effort: Effort) -> Contest {
        let seen = || PoolReading { server_cpu: Some(database.cpu()), round_trips: None };
        let mut contenders = self.contenders(tasks, Work::Query, &seen);
        let mut pgbench = Pgbench::new(&self.url, tasks.min(self.size));
        contenders.push(Contender::new("pgbench -M prepared", move |time| pgbench.turn(time)));
        let id = match self.size {
            1 => format!("pool/of-one/{tasks}"),
            _ => format!("pool/{tasks}"),
        };
        contest(
            id,
            format!("warm query of one row, {tasks} tasks, {} connections", self.size),
            effort,
            contenders,
        )
    }

    /// A warm query over a network that takes its time; every round trip is counted.
    #[must_use]
    pub fn remote(
        &self,
        network: &str,
        tasks: usize,
        round_trips: &dyn Fn() -> u64,
        effort: Effort,
    ) -> Contest {
        let seen = || PoolReading { server_cpu: None, round_trips: Some(round_trips()) };
        contest(
            format!("remote/{network}/{tasks}"),
            format!(
                "warm query of one row, {network} away, {tasks} tasks, {} connections",
                self.size
            ),
            effort,
            self.contenders(tasks, Work::Query, &seen),
        )
    }

    /// A connection that is borrowed and given back, and nothing else.
    #[must_use]
    pub fn checkouts(&self, tasks: usize, effort: Effort) -> Contest {
        let seen = || PoolReading { server_cpu: None, round_trips: None };
        contest(
            format!("checkout/{tasks}"),
            format!(
                "borrowing a connection and giving it back, {tasks} tasks, {} connections",
                self.size
            ),
            effort,
            self.contenders(tasks, Work::Checkout, &seen),
        )
    }

    fn contenders<'a>(
        &'a self,
        tasks: usize,
        work: Work,
        seen: &'a dyn Fn() -> PoolReading,
    ) -> Vec<Contender<'a>> {
        self.members
            .iter()
            .map(|(name, member)| {
                Contender::new(*name, move |time| {
                    let before = seen();
                    let own = process::cpu(std::process::id());
                    let mut turn = self.runtime.block_on(turn(member, tasks, work, time));
                    let after = seen();
                    let since = |now: Option<f64>, then: Option<f64>| Some(now? - then?);
                    turn.cpu_seconds = since(process::cpu(std::process::id()), own);
                    turn.server_cpu_seconds = since(after.server_cpu, before.server_cpu);
                    turn.round_trips =
                        after.round_trips.zip(before.round_trips).map(|(now, then)| now - then);
                    turn
                })
            })
            .collect()
    }
}

/// What is read before and after a turn.
struct PoolReading {
    server_cpu: Option<f64>,
    round_trips: Option<u64>,
}

/// Measures one pool with this many tasks, for the curves.
///
/// # Errors
/// If the pool cannot be opened.
pub(crate) fn throughput(
    time: Duration,
    tasks: usize,
    database: &Database,
    open: impl Future<Output = Result<(Member, usize), String>>,
) -> Result<Turn, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let (member, _) = open.await?;
        // Opening 256 connections takes a second on two processors: a warm pool is measured, not one that grows.
        turn(&member, tasks, Work::Query, time * 2).await;
        let (own, server) = (process::cpu(std::process::id()), database.cpu());
        let mut turn = turn(&member, tasks, Work::Query, time).await;
        turn.cpu_seconds = process::cpu(std::process::id()).zip(own).map(|(now, then)| now - then);
        turn.server_cpu_seconds = Some(database.cpu() - server);
        member.close().await;
        Ok(turn)
    })
}

async fn turn(member: &Member, tasks: usize, work: Work, time: Duration) -> Turn {
    let begun = Instant::now();
    let until = begun + time;
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let member = member.clone();
            tokio::spawn(async move {
                let mut histogram = Histogram::default();
                let mut failed = 0;
                let mut now = Instant::now();
                loop {
                    let outcome = match work {
                        Work::Query => member.query().await,
                        Work::Checkout => member.checkout().await,
                    };
                    let then = std::mem::replace(&mut now, Instant::now());
                    match outcome {
                        Ok(()) => histogram.add(now - then),
                        Err(_) => {
                            failed += 1;
                            // A client that is refused comes back later.
                            tokio::time::sleep(COME_BACK).await;
                            now = Instant::now();
                        }
                    }
                    if matches!(work, Work::Checkout) {
                        // A checkout that waits for nothing would keep its thread for itself.
                        tokio::task::consume_budget().await;
                    }
                    // At the end, not at the beginning: even on a machine that has no time, each does one.
                    if now >= until {
                        break;
                    }
                }
                (histogram, failed)
            })
        })
        .collect();
    let mut all = Histogram::default();
    let mut failed = 0;
    for task in tasks {
        let (histogram, failures) = task.await.expect("a task does not panic");
        all.merge(&histogram);
        failed += failures;
    }
    Turn { failed, ..all.turn(begun.elapsed()) }
}
