//! The queueing theory that the aggregate mode stands on, and that the exact mode is tested against.

/// The chance that a request is turned away by `servers` without a queue, offered `load` (Erlang B).
#[must_use]
pub fn erlang_b(servers: usize, load: f64) -> f64 {
    let mut blocked = 1.0;
    for server in 1..=servers {
        blocked = load * blocked / (server as f64 + load * blocked);
    }
    blocked
}

/// The chance that a request waits for one of `servers`, offered `load` (Erlang C); 1 if it exceeds them.
#[must_use]
pub fn erlang_c(servers: usize, load: f64) -> f64 {
    let many = servers as f64;
    if load >= many {
        return 1.0;
    }
    let blocked = erlang_b(servers, load);
    many * blocked / (many - load * (1.0 - blocked))
}

/// The waiting at a station of servers with one queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    /// The chance of waiting at all.
    pub chance: f64,
    /// The mean wait of those that wait, in seconds; as good as exponential.
    pub mean: f64,
}

impl Waiting {
    /// M/M/c exactly; M/G/c and less random arrivals by Allen and Cunneen's factor, (ca² + cs²) / 2.
    ///
    /// `rate` is requests per second, `service` their mean time, `arrivals` and `services` the squared coefficients of
    /// variation. The load must be below the number of servers.
    #[must_use]
    pub fn at(servers: usize, rate: f64, service: f64, arrivals: f64, services: f64) -> Self {
        let load = rate * service;
        let chance = erlang_c(servers, load);
        let free = (servers as f64 - load).max(1e-9);
        Self { chance, mean: service / free * (arrivals + services) / 2.0 }
    }

    /// The mean wait of all requests, in seconds.
    #[must_use]
    pub fn overall(self) -> f64 {
        self.chance * self.mean
    }
}

/// The most that are busy at once within `seconds`, for a uniform number: requests come at `rate`, each takes `service`,
/// and none waits (M/G/∞).
///
/// The number of busy ones is Poisson; the level is passed in clumps of upcrossings at rate × P(level), which are
/// Poisson themselves for levels that are rarely passed (Aldous, Poisson Clumping Heuristic, B10).
#[must_use]
pub fn most_busy(rate: f64, service: f64, seconds: f64, uniform: f64) -> u64 {
    let load = rate * service;
    if rate <= 0.0 || service <= 0.0 {
        return 0;
    }
    let goal = -uniform.max(1e-12).ln();
    let mut level = (load - 6.0 * load.sqrt()).floor().max(0.0);
    let mut chance = poisson_probability(load, level);
    let mut within = chance;
    loop {
        // Near the mean upcrossings come in clumps of about a deviation; far above it, in ever smaller ones.
        let apart = (1.0 - load / (level + 1.0)).max(0.4 / (load + 1.0).sqrt());
        // P(most ≤ level) = P(begun at or below it) × P(no clump within the time).
        let surprise = rate * chance * apart * seconds - within.clamp(1e-300, 1.0).ln();
        if surprise <= goal {
            // A level is far below 2^53.
            return level as u64;
        }
        level += 1.0;
        chance *= load / level;
        within += chance;
    }
}

/// The share of the time that is billed if an instance is paid for while it has requests, in whole steps of time.
///
/// A billed stretch ends at the first step at which no request is there; with load a that is one step in e^a, and no
/// stretch is shorter than the busy period of M/G/∞, (e^a − 1) / rate, and half a step.
#[must_use]
pub fn billed_share(rate: f64, time: f64, step: f64) -> f64 {
    let load = rate * time;
    if rate <= 0.0 {
        return 0.0;
    }
    if load > 50.0 {
        return 1.0;
    }
    let busy = load.exp_m1() / rate + step / 2.0;
    let billed = busy.max(step * load.exp());
    billed / (billed + 1.0 / rate)
}

fn poisson_probability(mean: f64, level: f64) -> f64 {
    (level * mean.ln() - mean - log_factorial(level)).exp()
}

/// ln(n!), by Stirling's series beyond 20.
fn log_factorial(n: f64) -> f64 {
    if n <= 20.0 {
        return (2..=n as u64).map(|factor| (factor as f64).ln()).sum();
    }
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + 1.0 / (12.0 * n)
        - 1.0 / (360.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erlang_agrees_with_the_tables() {
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 5e-5, "{found}");
        near(erlang_b(1, 1.0), 0.5);
        near(erlang_b(10, 5.0), 0.018_385);
        near(erlang_c(1, 0.7), 0.7);
        near(erlang_c(2, 1.0), 1.0 / 3.0);
        near(erlang_c(10, 8.0), 0.409_18);
        near(erlang_c(3, 3.0), 1.0);
        near(Waiting::at(1, 0.5, 1.0, 1.0, 1.0).overall(), 1.0);
        near(Waiting::at(1, 0.5, 1.0, 1.0, 0.0).overall(), 0.5);
    }

    #[test]
    fn the_most_that_are_busy_are_those_of_a_simulation() {
        for (rate, service, seconds) in [
            (0.01, 0.02, 60.0),
            (1.0, 0.1, 60.0),
            (50.0, 0.1, 60.0),
            (5.0, 2.0, 10.0),
            (1000.0, 0.05, 1.0),
        ] {
            let mut random = crate::Random::new(9);
            let runs = 400;
            let (mut formula, mut counted) = (0.0, 0.0);
            for _ in 0..runs {
                formula += most_busy(rate, service, seconds, random.uniform()) as f64;
                counted += count_most_busy(rate, service, seconds, &mut random);
            }
            let (formula, counted) = (formula / f64::from(runs), counted / f64::from(runs));
            let error = (formula - counted).abs();
            assert!(
                error < 0.12 * counted + 0.15,
                "{rate}/s × {service} s: {formula} for {counted}"
            );
        }
    }

    /// The same by events: exponential service, from a stationary start.
    fn count_most_busy(rate: f64, service: f64, seconds: f64, random: &mut crate::Random) -> f64 {
        let mut busy = random.poisson(rate * service) as f64;
        let (mut most, mut now) = (busy, 0.0);
        loop {
            let all = rate + busy / service;
            now += random.exponential() / all;
            if now > seconds {
                return most;
            }
            busy += if random.uniform() * all < rate { 1.0 } else { -1.0 };
            most = most.max(busy);
        }
    }
}
