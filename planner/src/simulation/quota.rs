//! A share of a processor as Linux enforces it: full speed until the quota of the period is used up, then nothing until
//! the next period (CFS bandwidth control).

use super::parts::{Parts, RequestTimes};
use crate::Random;
use crate::workload::Distribution;

/// The quota of one thread: so many seconds of processor in each period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quota {
    /// In seconds.
    period: f64,
    /// Seconds of processor in a period.
    run: f64,
}

impl Quota {
    /// The quota of a share of a processor; `None` for a whole one, which is never throttled.
    pub(crate) fn new(share: f64, period: f64) -> Option<Self> {
        (share < 1.0 - 1e-9 && period > 0.0).then_some(Self { period, run: share * period })
    }
}

/// What a thread has used of its quota in the current period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bucket {
    period: u64,
    used: f64,
}

impl Bucket {
    /// Computes for `demand` seconds from a moment on; returns the seconds until that is done.
    pub(crate) fn run(&mut self, quota: Option<Quota>, from: f64, demand: f64) -> f64 {
        let Some(Quota { period, run }) = quota else { return demand };
        let index = (from / period) as u64;
        if index != self.period {
            *self = Self { period: index, used: 0.0 };
        }
        let end = (index + 1) as f64 * period;
        let now = (run - self.used).max(0.0).min((end - from).max(0.0));
        if demand <= now {
            self.used += demand;
            return demand;
        }
        // The rest takes whole periods and a part of the last one.
        let rest = demand - now;
        let periods = ((rest / run).ceil() - 1.0).max(0.0);
        let last = rest - periods * run;
        *self = Self { period: index + 1 + periods as u64, used: last };
        (end - from) + periods * period + last
    }
}

/// The mean seconds that requests of this service time compute for, if they begin at a random moment of a fresh period.
pub(crate) fn mean_of_fresh(parts: &Parts, service: &Distribution) -> f64 {
    if parts.quota.is_none() {
        return service.mean() * parts.processor;
    }
    let mut random = Random::new(0x7175_6f74);
    let many = 4000;
    let mut one = || {
        let times = parts.times_of(service.sample(&mut random));
        fresh(parts.quota, times, &mut random)
    };
    (0..many).map(|_| one()).sum::<f64>() / f64::from(many)
}

/// Seconds for the computing of a request that begins at a random moment of a fresh period.
pub(crate) fn fresh(quota: Option<Quota>, times: RequestTimes, random: &mut Random) -> f64 {
    let phase = quota.map_or(0.0, |quota| quota.period * random.uniform());
    let mut bucket = Bucket::default();
    let before = bucket.run(quota, phase, times.before);
    before + bucket.run(quota, phase + before + times.database, times.after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_speed_until_the_quota_is_used_then_a_pause() {
        // 0.25 of a processor, 100 ms: 25 ms, then 75 ms of pause.
        let quota = Quota::new(0.25, 0.1);
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found}");
        near(Bucket::default().run(quota, 0.0, 0.020), 0.020);
        // 60 ms: 25 in the first period, 25 in the second, 10 in the third: 200 + 10.
        near(Bucket::default().run(quota, 0.0, 0.060), 0.210);
        // 10 ms before the period ends: 10 at once, then 25, then 15: 10 + 100 + 15.
        near(Bucket::default().run(quota, 0.090, 0.050), 0.125);
        // The second request of a period finds 5 ms left: 5 now, 80 − 25 … until 100, then 15.
        let mut bucket = Bucket::default();
        near(bucket.run(quota, 0.0, 0.020), 0.020);
        near(bucket.run(quota, 0.020, 0.020), 0.080 + 0.015);
        assert_eq!(Quota::new(1.0, 0.1), None);
    }

    #[test]
    fn a_busy_thread_gets_its_share_and_no_more() {
        let quota = Quota::new(0.29, 0.02);
        let mut bucket = Bucket::default();
        let mut now = 0.0;
        for _ in 0..10_000 {
            now += bucket.run(quota, now, 0.001);
        }
        assert!((10.0 / now / 0.29 - 1.0).abs() < 0.01, "10 s of work took {now} s");
    }
}
