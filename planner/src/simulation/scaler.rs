//! Decides how many instances there should be, the same in both modes.

use std::collections::VecDeque;

use super::Nanos;
use crate::hosts::Scaling;

/// What a scaler sees since it last decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    /// Instances that answer.
    pub(crate) ready: usize,
    /// Instances that answer or will.
    pub(crate) all: usize,
    /// Processors in use, on average.
    pub(crate) busy_cores: f64,
    /// Requests that were there, on average.
    pub(crate) in_flight: f64,
    /// Requests that wait for an instance now.
    pub(crate) pending: usize,
    /// Requests that are there now; `None` between two regular looks.
    pub(crate) present: Option<f64>,
}

/// Decides how many instances there should be.
#[derive(Debug)]
pub(crate) struct Scaler {
    rule: Rule,
    cores: f64,
    concurrency: f64,
    least: usize,
    most: usize,
    /// What it decides on: the use of processors over the time it needs to react.
    uses: VecDeque<f64>,
    /// What would have been enough, with the moment, within the time that it looks back before it removes.
    enough: VecDeque<(Nanos, usize)>,
}

#[derive(Debug)]
enum Rule {
    Fixed,
    Utilisation {
        target: f64,
        tolerance: f64,
        uses: usize,
        up_factor: f64,
        up_count: f64,
        look_back: f64,
    },
    Requests {
        target: f64,
        uses: usize,
        look_back: f64,
    },
    Autostop,
}

impl Scaler {
    pub(crate) fn new(
        scaling: &Scaling,
        cores: f64,
        concurrency: Option<usize>,
        least: usize,
        most: usize,
    ) -> Self {
        let rule = match scaling {
            Scaling::Fixed { .. } => Rule::Fixed,
            Scaling::Utilisation {
                utilisation,
                tolerance,
                period_seconds,
                react_seconds,
                up_factor,
                up_count,
                down_seconds,
            } => Rule::Utilisation {
                target: utilisation.value,
                tolerance: tolerance.value,
                uses: (react_seconds.value / period_seconds.value).round().max(1.0) as usize,
                up_factor: up_factor.value,
                up_count: up_count.value,
                look_back: down_seconds.value,
            },
            Scaling::Autostop { .. } => Rule::Autostop,
            // It decides each second.
            Scaling::Requests { utilisation, window_seconds, idle_seconds } => Rule::Requests {
                target: utilisation.value,
                uses: window_seconds.value.max(1.0) as usize,
                look_back: idle_seconds.value,
            },
        };
        let concurrency = concurrency.map_or(f64::INFINITY, |many| many as f64);
        Self {
            rule,
            cores,
            concurrency,
            least,
            most,
            uses: VecDeque::new(),
            enough: VecDeque::new(),
        }
    }

    /// How often it decides, in seconds.
    pub(crate) fn period(scaling: &Scaling) -> f64 {
        match scaling {
            Scaling::Fixed { .. } => 60.0,
            Scaling::Utilisation { period_seconds, .. } => period_seconds.value.max(1.0),
            // Starts do not wait for it: a request without a place asks at once.
            Scaling::Requests { .. } => 1.0,
            Scaling::Autostop { look_seconds, .. } => look_seconds.value.max(1.0),
        }
    }

    /// How many instances there should be.
    pub(crate) fn decide(&mut self, now: Nanos, seen: Observation) -> usize {
        let wanted = match self.rule {
            Rule::Fixed => return seen.all.clamp(self.least, self.most),
            Rule::Autostop => {
                let wanted = match seen.present {
                    Some(present) => {
                        let full = (present / self.concurrency) as usize;
                        let excess = if seen.all > 1 { seen.all > full + 1 } else { present < 0.5 };
                        seen.all - usize::from(excess && seen.all > 0)
                    }
                    None => seen.all.max((seen.in_flight / self.concurrency).ceil() as usize),
                };
                return wanted.clamp(self.least, self.most);
            }
            Rule::Utilisation { target, tolerance, uses, up_factor, up_count, .. } => {
                self.uses.push_back(seen.busy_cores);
                if self.uses.len() > uses {
                    self.uses.pop_front();
                }
                // A rise is acted on when it has lasted, so by the least of the time; a fall looks back further.
                let least = self.uses.iter().copied().fold(f64::INFINITY, f64::min);
                let used = least / (self.cores * seen.ready.max(1) as f64);
                let wanted = if (used / target - 1.0).abs() <= tolerance {
                    seen.ready
                } else {
                    (seen.ready as f64 * used / target).ceil() as usize
                };
                let all = seen.all as f64;
                wanted.min((all * up_factor).max(all + up_count).ceil() as usize)
            }
            Rule::Requests { target, uses, .. } => {
                // A request without a place asks between two looks, when the use is not known.
                if seen.present.is_some() {
                    self.uses.push_back(seen.busy_cores);
                    if self.uses.len() > uses {
                        self.uses.pop_front();
                    }
                }
                let mean = self.uses.iter().sum::<f64>() / self.uses.len().max(1) as f64;
                let by_use = mean / (self.cores * target);
                let places = (seen.in_flight + seen.pending as f64) / (self.concurrency * target);
                // One that is hardly used is still needed while there are requests at all.
                by_use.max(places).ceil() as usize
            }
        };
        let wanted = wanted.clamp(self.least, self.most);
        let (Rule::Utilisation { look_back, .. } | Rule::Requests { look_back, .. }) = self.rule
        else {
            return wanted;
        };
        while self.enough.front().is_some_and(|(at, _)| now.since(*at) > look_back) {
            self.enough.pop_front();
        }
        // Only what is larger than everything after it can be the largest later.
        while self.enough.back().is_some_and(|(_, many)| *many <= wanted) {
            self.enough.pop_back();
        }
        self.enough.push_back((now, wanted));
        let enough = self.enough.front().map_or(wanted, |(_, many)| *many);
        // Looking back never adds; it only keeps.
        wanted.max(enough.min(seen.all))
    }
}
