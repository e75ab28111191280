//! The loads around this one at which another host becomes the cheapest that reaches the goals, found by simulation.

use serde::Serialize;

use super::{Candidate, Question, in_parallel};
use crate::hosts::Host;
use crate::search::{Case, search};
use crate::simulation::{Options, sizes};
use crate::text::{dollars, rate};
use crate::workload::Workload;

/// Loads that are looked at, as multiples of this one, until the answer changes.
const STEPS: [f64; 5] = [1.5, 2.25, 3.4, 5.0, 10.0];

/// How much longer and shorter the service time is taken, to see how uncertain a change is.
const SERVICE: [f64; 2] = [0.8, 1.2];

/// Where the answer changes: the nearest load below this one, and the nearest above.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flips {
    /// Below this load.
    pub below: Option<Change>,
    /// Above it.
    pub above: Option<Change>,
    /// Both in words.
    pub sentences: Vec<String>,
}

/// A load at which another host becomes the cheapest that reaches the goals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The host beyond it; `None` if no host reaches the goals there.
    pub host: Option<String>,
    /// Its title.
    pub title: String,
    /// The range of the load, in requests a second on average, for a service time a fifth longer to a fifth shorter.
    pub load: (f64, f64),
    /// What it costs there, in US dollars a month.
    pub month: f64,
}

pub(super) fn find(question: &Question<'_>, hosts: &[&Host], best: &Candidate) -> Flips {
    let looks = [false, true];
    let mut changes = in_parallel(&looks, |up| {
        let search = Search { question, hosts, best };
        search.change(*up)
    });
    let above = changes.pop().flatten();
    let below = changes.pop().flatten();
    let mut sentences = Vec::new();
    if let Some(change) = &below {
        sentences.push(sentence(
            change,
            &best.title,
            "Below",
            "is the cheapest that reaches the goals",
        ));
    }
    if let Some(change) = &above {
        sentences.push(sentence(change, &best.title, "Above", "is"));
    }
    Flips { below, above, sentences }
}

fn sentence(change: &Change, best: &str, word: &str, is: &str) -> String {
    let (low, high) = change.load;
    let load = match (rate(low), rate(high)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    };
    match &change.host {
        Some(_) => format!(
            "{word} {load} requests a second on average {} {is} (about {} a month), instead of {best}.",
            change.title,
            dollars(change.month)
        ),
        None => format!("{word} {load} requests a second on average no host reaches the goals."),
    }
}

struct Search<'a> {
    question: &'a Question<'a>,
    hosts: &'a [&'a Host],
    best: &'a Candidate,
}

impl Search<'_> {
    fn change(&self, up: bool) -> Option<Change> {
        let workload = self.question.workload;
        let (mut near, mut far) = (1.0, None);
        for step in STEPS {
            let factor = if up { step } else { 1.0 / step };
            let (host, month) = self.cheapest(factor, workload, self.hosts);
            if host != Some(self.best.host.as_str()) {
                far = Some((factor, host, month));
                break;
            }
            near = factor;
        }
        let (mut far, mut host, mut month) = far?;
        for _ in 0..3 {
            let middle = (near * far).sqrt();
            match self.cheapest(middle, workload, self.hosts) {
                (Some(found), _) if found == self.best.host => near = middle,
                (found, cost) => (far, host, month) = (middle, found, cost),
            }
        }
        let load =
            self.question.demand.traffic.requests() as f64 / self.question.demand.traffic.span();
        let mut ends = vec![near, far];
        // The same between these two alone, with other service times.
        let two = self
            .hosts
            .iter()
            .copied()
            .filter(|known| known.name == self.best.host || Some(known.name.as_str()) == host);
        let two = two.collect::<Vec<_>>();
        for service in SERVICE {
            let workload =
                Workload { service: workload.service.scaled(service), ..workload.clone() };
            ends.extend(self.crossing(&two, &workload, near, far, up));
        }
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min) * load;
        let high = ends.iter().copied().fold(0.0, f64::max) * load;
        let title = self.hosts.iter().find(|known| Some(known.name.as_str()) == host);
        Some(Change {
            host: host.map(str::to_owned),
            title: title.map_or(String::new(), |host| host.title.clone()),
            load: (low, high),
            month,
        })
    }

    /// The load at which the answer changes with another workload, near the one that is known.
    fn crossing(
        &self,
        hosts: &[&Host],
        workload: &Workload,
        near: f64,
        far: f64,
        up: bool,
    ) -> Option<f64> {
        let stays =
            |factor: f64| self.cheapest(factor, workload, hosts).0 == Some(self.best.host.as_str());
        let wide = if up { 2.0 } else { 0.5 };
        let (mut near, mut far) = (near / wide, far * wide);
        if !stays(near) {
            return Some(near);
        }
        if stays(far) {
            return Some(far);
        }
        for _ in 0..4 {
            let middle = (near * far).sqrt();
            if stays(middle) { near = middle } else { far = middle }
        }
        Some((near * far).sqrt())
    }

    /// The cheapest host that reaches the goals at a load, and its cost.
    fn cheapest(&self, factor: f64, workload: &Workload, hosts: &[&Host]) -> (Option<&str>, f64) {
        let traffic = self.question.demand.traffic.scaled(factor, self.question.options.seed);
        let Some((name, month)) = cheapest(self.question, hosts, workload, &traffic) else {
            return (None, f64::INFINITY);
        };
        let known = self.hosts.iter().find(|host| host.name == name);
        (known.map(|host| host.name.as_str()), month)
    }
}

/// The cheapest host that reaches the goals under another traffic, by a coarse search: hosts in the order of the least that
/// they can cost, until none can be cheaper.
pub(super) fn cheapest(
    question: &Question<'_>,
    hosts: &[&Host],
    workload: &Workload,
    traffic: &crate::traffic::Traffic,
) -> Option<(String, f64)> {
    let options = Options { exact_up_to: 20_000, stretches: 5_000, ..question.options.clone() };
    let case = Case {
        workload,
        traffic,
        goals: question.goals,
        bill: question.bill,
        options,
        coarse: true,
    };
    let floor = |host: &Host| {
        let all = sizes(host, workload).unwrap_or_default();
        all.iter().map(|size| case.floor(host, size)).fold(f64::INFINITY, f64::min)
    };
    let mut order = hosts.iter().map(|host| (floor(host), *host)).collect::<Vec<_>>();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut best: Option<(String, f64)> = None;
    for (floor, host) in order {
        let below = best.as_ref().map_or(f64::INFINITY, |(_, month)| *month);
        if floor >= below {
            break;
        }
        let Ok(found) = search(&case, host, below) else { continue };
        if found.fits() && found.trial.bill.month < below {
            best = Some((host.name.clone(), found.trial.bill.month));
        }
    }
    best
}
