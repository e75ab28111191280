//! The ratios that this workspace promises to reach.

use std::fmt;

use crate::results::{Metric, Results, Spread};

/// The bound that a ratio must keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

/// How far a ratio may miss its bound before a run fails: a busy machine disturbs a short run that much.
const TOLERANCE: f64 = 0.1;

impl Bound {
    /// Returns whether a ratio keeps the bound.
    #[must_use]
    pub fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least,
            Self::AtMost(most) => ratio <= most,
        }
    }

    /// Returns whether a ratio keeps the bound, or misses it by no more than a tenth.
    #[must_use]
    pub fn tolerates(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least * (1.0 - TOLERANCE),
            Self::AtMost(most) => ratio <= most * (1.0 + TOLERANCE),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least} ×"),
            Self::AtMost(most) => write!(f, "≤ {most} ×"),
        }
    }
}

/// One promise: a contest, the peer, the metric and the bound of the ratio.
#[derive(Clone, Copy, Debug)]
pub struct Headline {
    /// The promise in words.
    pub what: &'static str,
    /// The contest by its name in the results.
    pub contest: &'static str,
    /// The name of the peer.
    pub peer: &'static str,
    /// The metric that is compared.
    pub metric: Metric,
    /// The bound for our value divided by the peer's.
    pub bound: Bound,
}

macro_rules! headlines {
    ($($what:literal, $contest:literal, $peer:literal, $metric:ident, $bound:ident $ratio:literal;)*) => {
        /// All promises, in the order of the page.
        pub const HEADLINES: &[Headline] = &[$(Headline {
            what: $what,
            contest: $contest,
            peer: $peer,
            metric: Metric::$metric,
            bound: Bound::$bound($ratio),
        }),*];
    };
}

headlines! {
    "warm query, 1 task", "pool/1", "sqlx::Pool", Throughput, AtLeast 1.9;
    "warm query, 16 tasks", "pool/16", "sqlx::Pool", Throughput, AtLeast 2.4;
    "warm query, 128 tasks", "pool/128", "sqlx::Pool", Throughput, AtLeast 2.4;
    "warm query, 1 task", "pool/1", "deadpool-postgres", Throughput, AtLeast 1.0;
    "warm query, 16 tasks", "pool/16", "deadpool-postgres", Throughput, AtLeast 1.0;
    "warm query, 128 tasks", "pool/128", "deadpool-postgres", Throughput, AtLeast 1.0;
    "warm query, 1 task", "pool/1", "pgbench -M prepared", Throughput, AtLeast 0.9;
    "warm query, 16 tasks", "pool/16", "pgbench -M prepared", Throughput, AtLeast 0.9;
    "warm query, 128 tasks", "pool/128", "pgbench -M prepared", Throughput, AtLeast 0.9;
    "one query per request over HTTP, 64 connections", "http/note/64", "axum + sqlx::PgPool", Throughput, AtLeast 1.5;
    "one query per request over HTTP, 512 connections", "http/note/512", "axum + sqlx::PgPool", Throughput, AtLeast 1.7;
    "hello over HTTP, CPU per request", "http/hello/64", "actix-web", Cpu, AtMost 1.05;
    "hello over HTTP with heads that vary, CPU per request", "http/hello-varied/64", "actix-web", Cpu, AtMost 1.05;
    "upload of 1 MiB, CPU per request", "http/upload/64", "axum", Cpu, AtMost 1.1;
    "hello of an actix-web application, CPU per request", "http/hello-hosted/64", "actix-web", Cpu, AtMost 1.35;
    "small REST event into a request", "event/rest/small", "lambda_http", Cpu, AtMost 0.5;
    "small HTTP event into a request", "event/http/small", "lambda_http", Cpu, AtMost 0.5;
    "small ALB event into a request", "event/alb/small", "lambda_http", Cpu, AtMost 0.5;
    "REST event of 1 MiB into a request", "event/rest/1mib", "lambda_http", Cpu, AtMost 0.5;
    "HTTP event of 1 MiB into a request", "event/http/1mib", "lambda_http", Cpu, AtMost 0.5;
    "ALB event of 1 MiB into a request", "event/alb/1mib", "lambda_http", Cpu, AtMost 0.5;
    "from spawn to the first poll", "lambda/first-poll", "lambda_http", Time, AtMost 1.2;
    "from spawn to the first poll, an actix-web application", "lambda/first-poll-hosted", "lambda_http + axum", Time, AtMost 1.3;
    "resident memory of a function", "lambda/invocation/http/small", "lambda_http", Memory, AtMost 1.3;
}

impl Headline {
    /// The ratio in a run; `None` if the run did not measure it.
    #[must_use]
    pub fn ratio(&self, results: &Results) -> Option<Spread> {
        let contest = results.contests.iter().find(|contest| contest.id == self.contest)?;
        contest.ratio(self.peer, self.metric)
    }
}

/// Returns a line with the result of each promise, and whether all are kept to within a tenth.
#[must_use]
pub fn verdict(results: &Results) -> (String, bool) {
    let mut text = String::new();
    let mut good = true;
    for headline in HEADLINES {
        let Headline { what, peer, bound, .. } = headline;
        let (said, held) = match headline.ratio(results) {
            Some(ratio) => {
                let word = match ratio.median {
                    median if bound.holds(median) => "reached",
                    median if bound.tolerates(median) => "nearly",
                    _ => "MISSED",
                };
                let Spread { min, median, max } = ratio;
                let said = format!("{median:>6.2} × ({min:.2}–{max:.2})  {word}");
                (said, bound.tolerates(median))
            }
            None => ("not measured".to_owned(), false),
        };
        good &= held;
        text.push_str(&format!("{what:<36} vs {peer:<22} {:<9} {said}\n", bound.to_string()));
    }
    (text, good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_beside_the_bound_is_tolerated() {
        for (bound, reached, near, missed) in
            [(Bound::AtLeast(2.0), 2.0, 1.81, 1.79), (Bound::AtMost(0.5), 0.5, 0.549, 0.551)]
        {
            assert!(bound.holds(reached) && !bound.holds(near));
            assert!(bound.tolerates(near) && !bound.tolerates(missed));
        }
    }
}
