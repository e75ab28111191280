//! What a request does with its time: computing, with a connection, waiting for others.

use super::Cause;
use super::quota::Quota;
use super::setup::Setup;
use crate::hosts::{Fleet, Functions, Model};
use crate::workload::{ProcessorTime, Workload};

/// How the mean service time is spent, as shares of it, and how long a request may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parts {
    /// Requests that one instance can compute at once.
    pub(crate) servers: usize,
    /// The share of a processor that each of them has.
    pub(crate) share: f64,
    /// Its quota, if that share is less than a whole one.
    pub(crate) quota: Option<Quota>,
    /// On a processor at full speed.
    pub(crate) processor: f64,
    /// The share of that before the query; all of it without a query.
    pub(crate) before: f64,
    /// With a connection.
    pub(crate) database: f64,
    /// Waiting for others.
    pub(crate) elsewhere: f64,
    /// The mean service time, in seconds.
    pub(crate) service: f64,
    /// The squared coefficients of variation of the time on a processor, and of the rest.
    pub(crate) variability: (f64, f64),
    /// Whether it is the same for all requests.
    pub(crate) constant: bool,
    /// The longest that a request may take, in seconds.
    pub(crate) limit: f64,
    /// Whether the client gives up before the host does.
    pub(crate) client_first: bool,
}

/// The time of one request without any queue or throttling, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RequestTimes {
    /// On a processor at full speed, before the query and after it.
    pub(crate) before: f64,
    pub(crate) after: f64,
    /// With a connection.
    pub(crate) database: f64,
    /// Waiting for others.
    pub(crate) elsewhere: f64,
}

impl Parts {
    /// Returns the parts of a request's service time.
    pub(crate) fn times_of(&self, service: f64) -> RequestTimes {
        let Self { processor, database, elsewhere, .. } = *self;
        let (computing, database, elsewhere) = if self.constant {
            let computing = (processor * self.service).min(service);
            let rest = service - computing;
            let queried = if database > 0.0 { database / (database + elsewhere) } else { 0.0 };
            (computing, rest * queried, rest * (1.0 - queried))
        } else {
            (processor * service, database * service, elsewhere * service)
        };
        // A request without a query does not come back from one.
        let before = if database > 0.0 { computing * self.before } else { computing };
        RequestTimes { before, after: computing - before, database, elsewhere }
    }

    /// The most requests a second for which one instance has processors.
    pub(crate) fn can(&self) -> f64 {
        self.servers as f64 * self.share / (self.processor * self.service).max(1e-9)
    }

    /// The most requests a second for which it has processors up to their query, if none is answered.
    pub(crate) fn can_begin(&self) -> f64 {
        self.can() / self.before.max(1e-3)
    }

    /// Why a request took too long: its own time, in seconds without any queue, or what it waited for.
    pub(crate) fn late_cause(self, own: f64, waited_for: Cause) -> Cause {
        match (self.client_first, own > self.limit) {
            (true, _) => Cause::Client,
            (false, true) => Cause::TimeLimit,
            (false, false) => waited_for,
        }
    }
}

impl RequestTimes {
    /// On a processor at full speed.
    pub(crate) fn processor(self) -> f64 {
        self.before + self.after
    }
}

impl Setup<'_> {
    /// The means of the parts of a request on this size, in seconds.
    pub(crate) fn parts(&self) -> Parts {
        let Workload { service, database_share, processor_share, .. } = self.workload;
        // Without a database all that is not computing is waiting for others.
        let queries = self.pool.is_some() && *database_share > 0.0;
        let constant = self.workload.processor_time == ProcessorTime::Constant;
        let variability = service.variability();
        let cores = self.configuration.size.cores;
        let (servers, period, limit) = match &self.host.model {
            // One request at a time computes on one thread.
            Model::Functions(Functions { parameters }) => {
                (1, &parameters.quota_period_seconds, parameters.request_limit_seconds.value)
            }
            Model::Fleet(Fleet { parameters, .. }) => (
                cores.ceil().max(1.0) as usize,
                &parameters.quota_period_seconds,
                parameters.request_limit_seconds.value,
            ),
        };
        let share = (cores / servers as f64).min(1.0);
        let period = period.as_ref().map_or(0.1, |period| period.value);
        let patience = self.workload.patience.unwrap_or(f64::INFINITY);
        Parts {
            servers,
            share,
            quota: Quota::new(share, period),
            processor: *processor_share,
            before: if queries { self.workload.processor_before } else { 1.0 },
            database: if queries { *database_share } else { 0.0 },
            elsewhere: if queries {
                (1.0 - processor_share - database_share).max(0.0)
            } else {
                1.0 - processor_share
            },
            service: service.mean(),
            // With a constant processor time only the rest varies: its variance in seconds is that of the whole.
            variability: if constant {
                (0.0, variability / (1.0 - processor_share).max(1e-6).powi(2))
            } else {
                (variability, variability)
            },
            constant,
            limit: limit.min(patience),
            client_first: patience < limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(constant: bool) -> Parts {
        Parts {
            servers: 1,
            share: 1.0,
            quota: None,
            processor: 0.25,
            before: 0.8,
            database: 0.5,
            elsewhere: 0.25,
            service: 0.04,
            variability: (1.0, 1.0),
            constant,
            limit: f64::INFINITY,
            client_first: false,
        }
    }

    #[test]
    fn a_long_request_computes_for_longer_or_waits_for_longer() {
        let near = |found: RequestTimes, wanted: [f64; 4]| {
            let found = [found.before, found.after, found.database, found.elsewhere];
            let close =
                found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-12);
            assert!(close, "{found:?} instead of {wanted:?}");
        };
        // The mean is the same: 10 ms, 20 ms, 10 ms of 40.
        for constant in [false, true] {
            near(parts(constant).times_of(0.04), [0.008, 0.002, 0.02, 0.01]);
        }
        // Of 100 ms a quarter, a half and a quarter; or 10 ms, and of the other 90 two thirds and one.
        near(parts(false).times_of(0.1), [0.02, 0.005, 0.05, 0.025]);
        near(parts(true).times_of(0.1), [0.008, 0.002, 0.06, 0.03]);
        // No request computes for longer than it takes.
        near(parts(true).times_of(0.004), [0.004, 0.0, 0.0, 0.0]);
    }
}
