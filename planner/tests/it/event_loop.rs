//! A second simulation by another method, against the first: no event queue, but the recursion of each station's servers,
//! with random numbers of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use anyhost_planner::hosts::Size;
use anyhost_planner::simulation::{Configuration, Options};
use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::Workload;

use crate::{connections, host, options, run_with};

/// Numbers of a linear congruential generator (Knuth's constants), its upper bits.
struct Numbers(u64);

impl Numbers {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform().ln()
    }
}

/// Serves customers in the order in which they come: gives each one's end, or `None` where it waited too long.
fn station(servers: usize, patience: f64, customers: &[(f64, f64)]) -> Vec<Option<f64>> {
    // Microseconds order as integers.
    let mut free = (0..servers).map(|_| Reverse(0_u64)).collect::<BinaryHeap<_>>();
    let serve = |&(came, takes): &(f64, f64)| {
        let Reverse(next) = *free.peek().expect("there are servers");
        let begin = came.max(next as f64 / 1e6);
        if begin - came > patience {
            return None;
        }
        free.pop();
        free.push(Reverse(((begin + takes) * 1e6) as u64));
        Some(begin + takes)
    };
    customers.iter().map(serve).collect()
}

/// Latencies of one process under random arrivals: computing on `cores`, then the database through a pool.
fn process(rate: f64, mean: f64, shares: (f64, f64), cores: usize, pool: usize) -> (Vec<f64>, f64) {
    let mut numbers = Numbers(42);
    let (mut now, mut requests) = (0.0, Vec::new());
    while requests.len() < 200_000 {
        now += numbers.exponential(1.0 / rate);
        requests.push((now, numbers.exponential(mean)));
    }
    let computing = requests.iter().map(|(came, time)| (*came, time * shares.0));
    let computed = station(cores, f64::INFINITY, &computing.collect::<Vec<_>>());
    let mut queries = computed.into_iter().flatten().zip(&requests).collect::<Vec<_>>();
    queries.sort_by(|a, b| a.0.total_cmp(&b.0));
    let asked = queries.iter().map(|(at, (_, time))| (*at, time * shares.1)).collect::<Vec<_>>();
    let answered = station(pool, 2.0, &asked);
    let rest = 1.0 - shares.0 - shares.1;
    let latencies = queries.iter().zip(&answered);
    let latencies =
        latencies.filter_map(|((_, (came, time)), end)| Some((*end)? + time * rest - came));
    let mut latencies = latencies.collect::<Vec<_>>();
    let refused = 1.0 - latencies.len() as f64 / requests.len() as f64;
    latencies.sort_by(f64::total_cmp);
    (latencies, refused)
}

#[test]
fn two_simulations_of_one_process_agree_within_5_percent() {
    for (rate, mean, shares, pool) in [
        (55.0, 0.024, (0.4, 0.6), 3),
        (40.0, 0.020, (0.4, 0.6), 2),
        (5.0, 1.0, (0.02, 0.9), 8),
        // Too many: the pool turns some away after two seconds.
        (5.0, 1.0, (0.02, 0.9), 3),
    ] {
        let (latencies, refused) = process(rate, mean, shares, 1, pool);
        let requests = 200_000_u64;
        let seconds = (requests as f64 / rate).round() as u64;
        let traffic = Traffic::new("poisson", Duration::from_secs(seconds), vec![requests]);
        let workload = Workload {
            service: format!("exp:{}ms", mean * 1e3).parse().expect("a duration"),
            processor_share: shares.0,
            database_share: shares.1,
            database: connections(100),
            ..Workload::default()
        };
        let size = Size { cores: 1.0, memory_gb: 0.5, ..Size::default() };
        let set = Configuration { size, least: 1, most: 1, pool_size: Some(pool) };
        let options = Options { exact_up_to: u64::MAX, ..options() };
        let outcome = run_with(&host("heroku-basic"), &workload, &traffic, set, &options);
        for (what, share, found) in
            [("p50", 0.5, outcome.latency.p50), ("p99", 0.99, outcome.latency.p99)]
        {
            let wanted = latencies[(latencies.len() as f64 * share) as usize];
            let off = found / wanted - 1.0;
            println!(
                "{rate}/s, pool {pool}: {what} {found:.4} s, the other {wanted:.4} s, {:+.1} %",
                off * 100.0
            );
            assert!(off.abs() < 0.05, "{rate}/s, pool {pool}: {what} {found} for {wanted}");
        }
        assert!(
            (outcome.refused_share() - refused).abs() < 0.02,
            "{} for {refused}",
            outcome.refused_share()
        );
    }
}
