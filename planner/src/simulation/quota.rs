//! A share of a processor as Linux enforces it: full speed until the quota of the period is used up, then nothing until
//! the next period (CFS bandwidth control).

use super::parts::Parts;
use crate::Random;
use crate::workload::Distribution;

/// Utilisations at which waits are tabulated, as shares of the quota.
const LOADS: [f64; 11] = [0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97];

/// Requests simulated for one row of a table.
const REQUESTS: usize = 12_000;

/// Quantiles kept of one row.
const QUANTILES: usize = 400;

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

    fn share(self) -> f64 {
        self.run / self.period
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
        let demand = parts.times_of(service.sample(&mut random)).processor;
        fresh(parts.quota, demand, &mut random)
    };
    (0..many).map(|_| one()).sum::<f64>() / f64::from(many)
}

/// Seconds for `demand` seconds of processor that begin at a random moment of a fresh period.
pub(crate) fn fresh(quota: Option<Quota>, demand: f64, random: &mut Random) -> f64 {
    let phase = quota.map_or(0.0, |quota| quota.period * random.uniform());
    Bucket::default().run(quota, phase, demand)
}

/// How much longer than its demand a request takes at one thread with a quota, by the thread's load: what it waits in
/// the queue and while it is throttled. Found by a small simulation, since no formula is known to us.
#[derive(Clone, Debug)]
pub(crate) struct WaitTable {
    rows: Vec<Vec<f64>>,
}

impl WaitTable {
    /// Arrivals are the sum of `stages` exponential times: 1 for random ones, more if a balancer deals in turn.
    pub(crate) fn new(quota: Quota, parts: &Parts, service: &Distribution, stages: usize) -> Self {
        let demand = (service.mean() * parts.processor).max(1e-9);
        let rows = LOADS.map(|load| {
            let apart = demand / (quota.share() * load);
            let mut random = Random::new(0x7761_6974);
            let (mut bucket, mut now, mut free) = (Bucket::default(), 0.0_f64, 0.0_f64);
            let mut waits = Vec::with_capacity(REQUESTS);
            for _ in 0..REQUESTS {
                let passed: f64 = (0..stages).map(|_| random.exponential()).sum();
                now += passed * apart / stages as f64;
                let begin = now.max(free);
                let demand = parts.times_of(service.sample(&mut random)).processor;
                free = begin + bucket.run(Some(quota), begin, demand);
                waits.push((free - now - demand).max(0.0));
            }
            waits.sort_by(f64::total_cmp);
            let at = |step: usize| waits[step * (REQUESTS - 1) / QUANTILES];
            (0..=QUANTILES).map(at).collect()
        });
        Self { rows: rows.into() }
    }

    /// One wait at a load, a share of the quota, in seconds.
    pub(crate) fn sample(&self, load: f64, random: &mut Random) -> f64 {
        let above = LOADS.iter().position(|known| *known >= load).unwrap_or(LOADS.len() - 1);
        let below = above.saturating_sub(1);
        let width = (LOADS[above] - LOADS[below]).max(1e-9);
        let share = ((load - LOADS[below]) / width).clamp(0.0, 1.0);
        let row = &self.rows[if random.uniform() < share { above } else { below }];
        let place = random.uniform() * QUANTILES as f64;
        let index = (place as usize).min(QUANTILES - 1);
        row[index] + (row[index + 1] - row[index]) * (place - index as f64)
    }

    /// The mean wait at a load, in seconds.
    pub(crate) fn mean(&self, load: f64) -> f64 {
        let above = LOADS.iter().position(|known| *known >= load).unwrap_or(LOADS.len() - 1);
        let row = &self.rows[above];
        row.iter().sum::<f64>() / row.len() as f64
    }
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
