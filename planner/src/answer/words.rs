//! The answer, its reasons and its warnings in sentences. Each figure is taken from the run that it explains.

use super::flips::cheapest;
use super::{Candidate, Question, Run};
use crate::hosts::Host;
use crate::search::{Fault, Resource};
use crate::text::{capital, count, dollars, duration, percent, rate};
use crate::traffic::Statistics;

pub(super) fn sentence(best: Option<&Candidate>, candidates: &[Candidate]) -> String {
    if let Some((best, run)) = best.and_then(|best| Some((best, best.run.as_ref()?))) {
        let month = run.ranges.month.text(dollars);
        return format!("{}: {}, {month} a month.", capital(&best.paradigm), best.title);
    }
    match nearest(candidates.iter()) {
        Some((candidate, needed, month)) => format!(
            "No host reaches the goals with this database; with max_connections {needed} {} does, at {} a month.",
            candidate.title,
            dollars(month)
        ),
        None => "No host reaches the goals; what each misses is listed.".into(),
    }
}

/// The cheapest host that would do with more connections.
fn nearest<'a>(
    candidates: impl Iterator<Item = &'a Candidate>,
) -> Option<(&'a Candidate, usize, f64)> {
    let choices = candidates.filter(|candidate| !candidate.set_aside);
    let would = choices.filter_map(|candidate| match candidate.fault {
        Some(Fault::Connections { needed, month, .. }) => Some((candidate, needed, month)),
        _ => None,
    });
    would.min_by(|a, b| a.2.total_cmp(&b.2))
}

pub(super) fn reasons(
    question: &Question<'_>,
    statistics: &Statistics,
    best: Option<&Candidate>,
    candidates: &[Candidate],
) -> Vec<String> {
    let mut reasons = vec![shape(statistics)];
    let Some((best, run)) = best.and_then(|best| Some((best, best.run.as_ref()?))) else {
        return reasons;
    };
    reasons.push(why(best, run, statistics));
    let month = best.month();
    let others = candidates.iter().filter(|other| other.is_serverless() != best.is_serverless());
    let other = others.clone().filter(|other| other.is_eligible());
    match other.min_by(|a, b| a.month().total_cmp(&b.month())) {
        Some(other) => reasons.push(format!(
            "The cheapest {} host that reaches the goals is {}, at {} a month{}.",
            other.paradigm,
            other.title,
            dollars(other.month()),
            versus(other.month(), month)
        )),
        None if others.clone().next().is_some() => {
            let paradigm = if best.is_serverless() { "long-running" } else { "serverless" };
            reasons.push(match nearest(others) {
                Some((other, needed, cost)) => format!(
                    "No {paradigm} host reaches the goals with this database; with max_connections {needed} {} would, \
                     at {} a month.",
                    other.title,
                    dollars(cost)
                ),
                None => format!(
                    "No {paradigm} host reaches the goals, at any of the sizes that were tried."
                ),
            });
        }
        None => {}
    }
    reasons.extend(connections(question, best, run));
    if let Some((other, needed, cost)) = nearest(candidates.iter())
        && cost < month
    {
        reasons.push(format!(
            "With max_connections {needed} {} would do too, at {} a month.",
            other.title,
            dollars(cost)
        ));
    }
    let aside = candidates.iter().filter(|other| other.set_aside && other.fits());
    for other in aside.filter(|other| other.month() < month) {
        reasons.push(format!(
            "{} would cost {} a month, but its processes are taken back at any time, which is not simulated; \
             --host {} lets it be chosen.",
            other.title,
            dollars(other.month()),
            other.host
        ));
    }
    reasons
}

fn versus(other: f64, best: f64) -> String {
    match other / best.max(1e-9) {
        ratio if best < 0.005 || ratio > 99.0 => ", far more".into(),
        ratio => format!(", {ratio:.1} times as much"),
    }
}

fn shape(statistics: &Statistics) -> String {
    let Statistics { mean, peak, peak_to_mean, idle, steepest, .. } = statistics;
    let idle = match *idle {
        idle if idle >= 0.01 => format!(", {} of the intervals are empty", percent(idle)),
        _ => String::new(),
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
    let cold = percent(outcome.cold_starts as f64 / outcome.requests.max(1) as f64);
    if best.is_serverless() && run.least_instances == 0 {
        let idle = if busy < 1.0 {
            format!("; a process kept for them would idle {} of its time", percent(1.0 - busy))
        } else {
            String::new()
        };
        return format!(
            "{} requests are inside at once on average{idle}; {cold} of the requests wait for a start.",
            count(busy)
        );
    }
    let full = run.headroom.iter().map(|used| (used.utilisation, used.resource));
    let full = full.max_by(|a, b| a.0.total_cmp(&b.0));
    let full = full.map_or(String::new(), |(used, resource)| match resource {
        Resource::Credits => {
            format!("; {} of the processor time that is theirs is used", percent(used))
        }
        resource => format!("; in the busiest minute {} of {resource} are in use", percent(used)),
    });
    let instances = match (count(outcome.mean_instances).as_str(), outcome.peak_instances) {
        ("1", _) => "One instance answers".to_owned(),
        (mean, peak) if mean == peak.to_string() => format!("{mean} instances answer"),
        (mean, peak) => format!("{mean} instances on average, {peak} at most, answer"),
    };
    format!("{instances} {} requests at once on average{full}.", count(busy))
}

fn connections(question: &Question<'_>, best: &Candidate, run: &Run) -> Option<String> {
    let database = question.workload.database.as_ref()?;
    let least = run.least_max_connections.map_or(String::new(), |least| {
        match database.server_connections() {
            None if least < database.reserved + run.outcome.peak_connections as usize => {
                format!("; with smaller pools max_connections {least} is enough")
            }
            None => format!("; these settings need max_connections {least} at least"),
            Some(_) => format!("; the pooler must take {least} at least"),
        }
    });
    let peak = run.ranges.peak_connections.text(count);
    Some(format!(
        "{} holds {peak} database connection{} at most, of {}{least}.",
        best.short,
        if peak == "1" { "" } else { "s" },
        database.limit(),
    ))
}

pub(super) fn warnings(
    question: &Question<'_>,
    candidates: &[Candidate],
    best: Option<&Candidate>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let span = question.demand.traffic.span();
    if span < 86_400.0 * 0.9 {
        warnings.push(format!(
            "{} of traffic stand for a month: costs are {} times what was simulated.",
            duration(span),
            count(crate::bill::MONTH / span)
        ));
    }
    let Some((best, run)) = best.and_then(|best| Some((best, best.run.as_ref()?))) else {
        return warnings;
    };
    let assumed = run.bill.lines.iter().filter(|line| line.assumed && line.month != 0.0);
    let assumed = assumed.map(|line| line.assumed_price()).collect::<Vec<_>>();
    if !assumed.is_empty() {
        warnings.push(format!(
            "Assumed, not read from a price list: {}. Check before you rely on the order of the hosts.",
            assumed.join(", ")
        ));
    }
    let missing = question.bill.lines.iter().filter(|line| line.is_shared());
    let priced = question.catalog.host(&best.host).map_or(&[][..], |host| &host.bill);
    let missing = missing.filter(|line| !priced.iter().any(|item| item.line == **line));
    let missing = missing.map(|line| line.name()).collect::<Vec<_>>();
    if !missing.is_empty() {
        warnings.push(format!(
            "{} has no price of {} here, other hosts do: their bills are longer by these lines.",
            best.title,
            missing.join(", ")
        ));
    }
    if run.most_instances == 1 && !best.is_serverless() {
        let redundant = candidates.iter().filter(|other| {
            let run = other.run.as_ref();
            other.is_eligible() && run.is_some_and(|run| run.most_instances > 1)
        });
        let redundant = redundant.min_by(|a, b| a.month().total_cmp(&b.month()));
        let other = redundant.map_or(String::new(), |other| {
            format!("; {} has no such point, at {} a month", other.title, dollars(other.month()))
        });
        warnings.push(format!("One process: its failure is an outage{other} (--redundant)."));
    }
    if !best.note.is_empty() {
        warnings.push(best.note.clone());
    }
    warnings
}

/// What bursts inside an interval would change.
pub(super) fn bursts(
    question: &Question<'_>,
    hosts: &[&Host],
    best: Option<&Candidate>,
) -> Option<String> {
    let traffic = &question.demand.traffic;
    let burstiness = traffic.burstiness();
    if question.demand.pattern.is_some() || !traffic.is_coarse() || burstiness < 0.002 {
        return None;
    }
    let interval = duration(traffic.interval().as_secs_f64());
    let seed = question.options.seed;
    let bursty = traffic.with_bursts(burstiness, seed);
    let begin = format!(
        "An interval is {interval} long and requests inside it are taken as evenly spread; if they come in bursts as they do \
         between intervals ({} at the peak instead of {})",
        rate(bursty.peak()),
        rate(traffic.peak())
    );
    let best = best?;
    let run = best.run.as_ref()?;
    let host = hosts.iter().find(|host| host.name == best.host)?;
    let case = question.case(&bursty, seed);
    let trial = case.run(host, &run.configuration).ok()?;
    let outcome = &trial.outcome;
    let effect = format!(
        "p99 is {} instead of {}, {} instead of {} connections, {} turned away",
        duration(outcome.latency.p99),
        duration(run.outcome.latency.p99),
        outcome.peak_connections,
        run.outcome.peak_connections,
        percent(outcome.refused_share())
    );
    Some(match case.fault(host, &trial) {
        None => format!("{begin}, {} still reaches the goals: {effect}.", best.title),
        Some(_) => {
            let other = cheapest(question, hosts, question.workload, &bursty);
            let other = other.and_then(|(name, month)| {
                let host = hosts.iter().find(|host| host.name == name)?;
                let month = dollars(month);
                Some(match name == best.host {
                    true => format!("with larger ones it reaches them, about {month} a month"),
                    false => format!("then take {}, about {month} a month", host.title),
                })
            });
            let other = other.unwrap_or("then no host reaches them".into());
            format!(
                "{begin}, {} with these settings misses the goals ({effect}); {other}.",
                best.title
            )
        }
    })
}
