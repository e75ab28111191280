//! What others have measured, against what the simulation does.

use std::time::Duration;

use anyhost_planner::traffic::Traffic;

use crate::{connections, host, options, run, waiting};

/// `faas_idle_recycle_2021`, AWS: idle minutes and the share of requests that were cold (mikhail.io, MIT).
const COLD_AFTER: [(usize, f64); 8] =
    [(1, 0.0), (3, 0.0), (4, 0.003), (5, 0.003), (7, 1.0), (8, 1.0), (10, 1.0), (30, 1.0)];

#[test]
fn environments_are_kept_as_long_as_measured() {
    for (minutes, measured) in COLD_AFTER {
        let mut counts = vec![0; (minutes * 60 + 1) * 50];
        (0..50).for_each(|index| counts[index * (minutes * 60 + 1)] = 1);
        let traffic = Traffic::new("apart", Duration::from_secs(1), counts);
        let outcome = run(&host("lambda"), &waiting("10ms", 0.5), &traffic, &options());
        // The first is always cold.
        let share = (outcome.cold_starts - 1) as f64 / 49.0;
        assert!(
            (share - measured).abs() < 0.01,
            "after {minutes} min: {share}, measured {measured}"
        );
    }
}

/// `faas_scaleup_2020_summary`, AWS, 1 s of sleep with cold starts: requests sent at once, instances that answered,
/// the median and the 99th percentile of the delay until they began, ms (Barcelona-Pons and García-López, Apache-2.0).
const AT_ONCE: [(u64, u64, f64, f64); 4] = [
    (10, 10, 283.0, 332.0),
    (50, 50, 262.0, 309.0),
    (100, 100, 149.0, 306.0),
    (200, 197, 91.0, 304.0),
];

#[test]
fn requests_that_come_at_once_get_an_environment_each() {
    for (sent, instances, p50, p99) in AT_ONCE {
        let mut workload = waiting("1s", 0.25);
        workload.database = connections(10_000);
        // A second request of the same instant cannot find the first one done: each takes a whole second.
        let traffic = Traffic::new("at once", Duration::from_secs(1), vec![sent, 0, 0]);
        let outcome = run(&host("lambda"), &workload, &traffic, &options());
        assert_eq!(outcome.starts, sent);
        assert!(outcome.starts.abs_diff(instances) <= 3);
        // The measured delay contains the network's, about 72 ms (the same series, warm); so does ours contain an
        // interpreter's start. Both are the same order, which is all that two different years can show.
        let median = (outcome.latency.p50 - 1.0) * 1e3;
        assert!(
            median > p50 * 0.5 && median < p99 * 1.5,
            "{sent}: {median} ms, measured {p50} to {p99}"
        );
    }
}
