//! The traffics, and clients that send each request at its time, even if earlier ones are unanswered (open loop).

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use anyhost_planner::traffic::{Arrivals, Traffic};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use super::Figures;
use crate::contest::say;
use crate::database::Database;

/// The seed of the measured arrivals; the predicted ones have other seeds.
const SEED: u64 = 20_260_101;

/// How often the connections of the server are counted.
const LOOK: Duration = Duration::from_millis(10);

/// So many requests in each second.
pub(super) fn steady(rate: u64, seconds: u64) -> Traffic {
    traffic(&format!("{rate} a second"), seconds, |_| rate)
}

/// Two seconds of ten that are twice what five connections carry, for so many of all requests that the median waits too.
pub(super) fn bursts(seconds: u64) -> Traffic {
    traffic("10 a second, bursts of 200", seconds, |second| if second % 10 < 2 { 200 } else { 10 })
}

fn traffic(name: &str, seconds: u64, rate: impl Fn(u64) -> u64) -> Traffic {
    Traffic::new(name, Duration::from_secs(1), (0..seconds).map(rate).collect())
}

/// Why a request has no answer of the App.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The server refused it: 503.
    Refused,
    /// Anything else.
    Failed(String),
}

impl From<String> for Unanswered {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("503"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// The outcome of a traffic.
#[derive(Debug)]
pub(super) struct TrafficResult {
    latencies: Vec<Duration>,
    refused: u64,
    failed: u64,
    connections: usize,
}

impl TrafficResult {
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    pub(super) fn found(&self) -> Figures {
        let at = |share: f64| {
            let last = self.latencies.len().saturating_sub(1) as f64;
            // Between 0 and the last index.
            self.latencies.get((last * share).round() as usize).copied().unwrap_or_default()
        };
        let all = self.latencies.len() as u64 + self.refused + self.failed;
        Figures {
            p50: at(0.5),
            p99: at(0.99),
            connections: self.connections as f64,
            refused: self.refused as f64 / all.max(1) as f64,
        }
    }
}

/// Sends every request of a traffic at its time and waits for all answers.
pub(super) async fn send<F>(
    traffic: &Traffic,
    database: &Database,
    request: impl Fn() -> F,
) -> TrafficResult
where
    F: Future<Output = Result<(), Unanswered>> + Send + 'static,
{
    let most = Cell::new(0);
    let answers = async {
        let begun = Instant::now();
        let mut answers = JoinSet::new();
        for arrival in Arrivals::new(traffic, SEED) {
            let due = begun + Duration::from_secs_f64(arrival.seconds());
            sleep_until(due).await;
            let answer = request();
            // Measured from the time it was due: a client that is late does not make the App look faster.
            answers.spawn(async move { answer.await.map(|()| due.elapsed()) });
        }
        answers.join_all().await
    };
    let watch = async {
        let mut ticks = interval(LOOK);
        loop {
            ticks.tick().await;
            most.set(most.get().max(database.connections()));
        }
    };
    let answers = tokio::select! {
        answers = answers => answers,
        () = watch => Vec::new(),
    };
    let mut measured =
        TrafficResult { latencies: Vec::new(), refused: 0, failed: 0, connections: most.get() };
    for answer in answers {
        match answer {
            Ok(latency) => measured.latencies.push(latency),
            Err(Unanswered::Refused) => measured.refused += 1,
            Err(Unanswered::Failed(why)) => {
                if measured.failed == 0 {
                    say(&format!("  a request failed: {why}"));
                }
                measured.failed += 1;
            }
        }
    }
    measured.latencies.sort_unstable();
    measured
}
