//! Which host to take for a traffic, why, and when the answer would be another.

use serde::Serialize;

use crate::break_even::Curves;
use crate::comparison::{Candidate, Run};
use crate::text::{count, dollars, duration, percent, rate};
use crate::traffic::Statistics;

/// What a host must reach to be taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goals {
    /// The largest 99th percentile of latency, in seconds.
    pub p99: f64,
    /// The largest share of requests that may be turned away.
    pub refused: f64,
}

impl Default for Goals {
    /// A second for 99 of 100 requests, and one of a thousand turned away.
    fn default() -> Self {
        Self { p99: 1.0, refused: 0.001 }
    }
}

/// Which host to take, why, and when the answer would be another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The cheapest host that reaches the goals; `None` where no one does.
    pub host: Option<String>,
    /// Its paradigm.
    pub paradigm: Option<String>,
    /// The answer in one sentence.
    pub answer: String,
    /// Why, a sentence each.
    pub reasons: Vec<String>,
    /// Hosts that miss a goal, with what they miss.
    pub missed: Vec<(String, String)>,
    /// Where the cheapest host changes, in words.
    pub flips: Vec<String>,
}

impl Verdict {
    pub(crate) fn new(
        candidates: &[Candidate],
        statistics: &Statistics,
        curves: &Curves,
        goals: &Goals,
    ) -> Self {
        let mut fit: Vec<(&Candidate, &Run)> = Vec::new();
        let mut missed = Vec::new();
        for candidate in candidates {
            match fault(candidate, goals) {
                None => fit.extend(candidate.result.as_ref().ok().map(|run| (candidate, run))),
                Some(fault) => missed.push((candidate.host.clone(), fault)),
            }
        }
        fit.sort_by(|a, b| a.1.cost.month.total_cmp(&b.1.cost.month));
        let flips = flips(curves, statistics);
        let Some(&(best, run)) = fit.first() else {
            return Self {
                host: None,
                paradigm: None,
                answer: "No host reaches the goals; what each misses is listed.".into(),
                reasons: reasons_for_none(candidates),
                missed,
                flips,
            };
        };
        let other = fit.iter().find(|(other, _)| other.is_serverless() != best.is_serverless());
        let mut reasons = vec![shape(statistics)];
        reasons.push(why(best, run, statistics));
        match other {
            Some((other, run)) => reasons.push(format!(
                "The best {} host that reaches the goals, {}, costs {} a month: {}.",
                other.paradigm,
                other.title,
                dollars(run.cost.month),
                versus(run.cost.month, best_cost(&fit))
            )),
            None => reasons.push(format!(
                "No {} host reaches the goals.",
                if best.is_serverless() { "long-running" } else { "serverless" }
            )),
        }
        reasons.push(connections(best, run));
        reasons.extend(pooler(candidates));
        Self {
            host: Some(best.host.clone()),
            paradigm: Some(best.paradigm.clone()),
            answer: format!(
                "{}: {}, {} a month.",
                capital(&best.paradigm),
                best.title,
                dollars(run.cost.month)
            ),
            reasons,
            missed,
            flips,
        }
    }
}

fn best_cost(fit: &[(&Candidate, &Run)]) -> f64 {
    fit.first().map_or(0.0, |(_, run)| run.cost.month)
}

fn versus(other: f64, best: f64) -> String {
    if best < 0.005 || other / best > 99.0 {
        return "far more".into();
    }
    format!("{:.1} times as much", other / best)
}

/// What a host misses, if anything.
fn fault(candidate: &Candidate, goals: &Goals) -> Option<String> {
    let run = match &candidate.result {
        Ok(run) => run,
        Err(reason) => return Some(reason.clone()),
    };
    let outcome = &run.outcome;
    let refused = outcome.refused_share();
    if refused > goals.refused {
        let many = run.most_instances;
        let process = if many == 1 { "process" } else { "processes" };
        let because = match &run.bounded {
            Some(_) => format!("the database has connections for {many} {process}"),
            None => format!("{many} {process} at most, and what the queues hold"),
        };
        return Some(format!("turns away {} of the requests: {because}", percent(refused)));
    }
    if outcome.latency.p99 > goals.p99 {
        return Some(format!(
            "p99 is {}, above {}",
            duration(outcome.latency.p99),
            duration(goals.p99)
        ));
    }
    None
}

fn reasons_for_none(candidates: &[Candidate]) -> Vec<String> {
    pooler(candidates).into_iter().collect()
}

/// What the database's limit does to the choice.
fn pooler(candidates: &[Candidate]) -> Option<String> {
    let bounded = candidates.iter().filter(|candidate| {
        let bound = |run: &Run| run.bounded.is_some() && run.outcome.refused_share() > 0.001;
        candidate.result.as_ref().is_ok_and(bound)
    });
    let names = bounded.map(|candidate| candidate.host.as_str()).collect::<Vec<_>>();
    (!names.is_empty()).then(|| {
        format!(
            "The database's connections keep {} from what the traffic asks for; a pooler before it (--pooler) or more \
             --max-connections may change the answer.",
            names.join(", ")
        )
    })
}

fn shape(statistics: &Statistics) -> String {
    let Statistics { mean, peak, peak_to_mean, idle, steepest, .. } = statistics;
    let idle = match *idle {
        idle if idle >= 0.01 => format!(", {} of the intervals without any", percent(idle)),
        _ => ", hardly ever none".into(),
    };
    format!(
        "The traffic is {} requests a second on average and {} at its peak ({peak_to_mean:.1} times the mean){idle}; \
         it rises by up to {} within a minute.",
        rate(*mean),
        rate(*peak),
        rate(*steepest),
    )
}

fn why(best: &Candidate, run: &Run, statistics: &Statistics) -> String {
    let outcome = &run.outcome;
    let busy = statistics.mean * outcome.latency.mean;
    if best.is_serverless() {
        let cold = outcome.cold_starts as f64 / outcome.requests.max(1) as f64;
        let because = if busy < 1.0 {
            format!(
                "{} requests are inside at once on average, so that a process kept for them would idle {} of its \
                 time; paid by the request, idling costs nothing.",
                count(busy),
                percent(1.0 - busy)
            )
        } else {
            format!(
                "{} requests are inside at once on average, and environments follow a rise at once, where instances \
                 take their time to start.",
                count(busy)
            )
        };
        let (many, share) = (count(outcome.cold_starts as f64), percent(cold));
        return format!("{because} {many} of the requests ({share}) wait for a start.");
    }
    format!(
        "{} instances on average ({} at most) answer many requests each, {} of them at once; what is paid does not grow \
         with every request.",
        count(outcome.mean_instances),
        outcome.peak_instances,
        count(busy),
    )
}

fn connections(best: &Candidate, run: &Run) -> String {
    let bounded = match &run.bounded {
        Some(_) => format!(
            "; the database has connections for {} processes, which is enough here",
            run.most_instances
        ),
        None => String::new(),
    };
    format!(
        "{} holds at most {} database connections ({} for each process){bounded}.",
        best.short, run.outcome.peak_connections, run.pool
    )
}

fn flips(curves: &Curves, statistics: &Statistics) -> Vec<String> {
    let flips = curves.flips.iter().map(|flip| {
        let factor = flip.load / statistics.mean.max(1e-12);
        let now = match factor {
            factor if factor >= 1.0 => format!("{} times this load", count(factor)),
            factor => format!("{} of this load", percent(factor)),
        };
        format!(
            "By price alone, at {} requests a second on average ({} a month, {now}) the cheapest changes from {} to {}, at {} a month.",
            rate(flip.load),
            count(flip.requests),
            flip.below,
            flip.above,
            dollars(flip.month)
        )
    });
    flips.collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
