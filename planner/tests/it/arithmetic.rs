//! Costs, cold starts and limits that can be worked out by hand.

use std::time::Duration;

use anyhost_planner::bill::MONTH;
use anyhost_planner::hosts::Catalog;
use anyhost_planner::simulation::{Mode, Options};
use anyhost_planner::traffic::Traffic;

use crate::{connections, host, month, options, run, steady, waiting};

#[test]
fn functions_cost_at_a_break_even_what_the_other_host_costs() {
    // month / (0.20e-6 + GB × s × 1.33334e-5 [+ 1e-6 for the HTTP API]), in millions of requests.
    for (functions, wanted, memory_gb, service, millions) in [
        ("lambda", 7.0, 0.125, "20ms", 30.0),
        ("lambda", 7.0, 0.5, "100ms", 8.08),
        ("lambda", 27.0, 0.5, "100ms", 31.15),
        ("lambda-http-api", 7.0, 0.5, "100ms", 3.75),
        ("lambda-http-api", 27.0, 0.5, "100ms", 14.46),
    ] {
        // Whole requests a second for an hour; the rest is brought to the break-even by proportion.
        let rate = 10;
        let workload = waiting(service, memory_gb);
        let (host, traffic) = (host(functions), steady(rate, 3600));
        let outcome = run(&host, &workload, &traffic, &options());
        let found =
            month(&host, &workload, &traffic, &outcome) * millions * 1e6 / (rate as f64 * MONTH);
        assert!((found / wanted - 1.0).abs() < 0.01, "{functions}: {found} instead of {wanted}");
    }
}

#[test]
fn a_simulated_month_of_functions_costs_what_the_price_list_says() {
    // 10 a second for an hour, 20 ms, 128 MB; the init of cold starts is below the tolerance.
    let (workload, traffic) = (waiting("20ms", 0.125), steady(10, 3600));
    let outcome = run(&host("lambda"), &workload, &traffic, &options());
    let found = month(&host("lambda"), &workload, &traffic, &outcome);
    let wanted = 10.0 * MONTH * (0.20e-6 + 0.125 * 0.020 * 1.33334e-5);
    assert!((found / wanted - 1.0).abs() < 0.002, "{found} instead of {wanted}");
}

#[test]
fn three_managed_instances_cost_three_whole_machines() {
    let (workload, traffic) = (waiting("20ms", 1.0), steady(1, 3600));
    let outcome = run(&host("lambda-managed"), &workload, &traffic, &options());
    let found = month(&host("lambda-managed"), &workload, &traffic, &outcome);
    // The smallest instance is m7g.large, 0.0816 an hour, + 15 %; there are three: 205.5, and the requests.
    let wanted = 3.0 * 730.0 * 0.0816 * 1.15 + MONTH * 0.20e-6;
    assert!((found / wanted - 1.0).abs() < 0.001, "{found} instead of {wanted}");
    assert!((wanted - 206.0).abs() < 0.2);
}

#[test]
fn who_comes_after_the_keep_warm_time_starts_cold() {
    for (minutes, cold) in [(1, 1), (5, 1), (10, 20), (60, 20)] {
        let mut counts = vec![0; minutes * 60 * 20];
        (0..20).for_each(|index| counts[index * minutes * 60] = 1);
        let traffic = Traffic::new("every so often", Duration::from_secs(1), counts);
        for exact_up_to in [0, 1000] {
            let options = Options { exact_up_to, ..options() };
            let outcome = run(&host("lambda"), &waiting("20ms", 0.5), &traffic, &options);
            assert_eq!(outcome.cold_starts, cold, "every {minutes} min, {:?}", outcome.mode);
            assert_eq!(outcome.mode, if exact_up_to == 0 { Mode::Aggregate } else { Mode::Exact });
        }
    }
}

#[test]
fn a_burst_gets_a_thousand_environments_in_ten_seconds() {
    let text = include_str!("../../data/hosts.toml")
        .replace("max_environments = { value = 1000", "max_environments = { value = 100000");
    let wide = Catalog::parse("test", &text).expect("sound").host("lambda").expect("there").clone();
    let mut workload = waiting("60s", 0.5);
    workload.database = connections(1_000_000);
    let outcome = run(
        &wide,
        &workload,
        &Traffic::new("t", Duration::from_secs(1), vec![5000, 0]),
        &options(),
    );
    assert_eq!((outcome.cold_starts, outcome.refused), (1000, 4000));
    // With the account's own limit of 1,000 at once nothing else changes; with 94 connections 94 run.
    workload.database = connections(100);
    let outcome = run(
        &wide,
        &workload,
        &Traffic::new("t", Duration::from_secs(1), vec![5000, 0]),
        &options(),
    );
    assert_eq!((outcome.served, outcome.peak_connections), (94, 94));
}

#[test]
fn a_pool_that_is_too_small_turns_away_after_the_acquire_timeout() {
    // 47 connections at the most, one for each of 47 dynos, 1 s in the database each: 47 a second.
    let mut workload = waiting("1s", 0.5);
    workload.database_share = 1.0;
    for exact_up_to in [0, u64::MAX] {
        let options = Options { exact_up_to, max_instances: Some(1), ..options() };
        // One dyno of one processor plans 3 connections: 3 a second of 10 are served.
        let outcome = run(&host("heroku-basic"), &workload, &steady(10, 600), &options);
        let share = outcome.served as f64 / outcome.requests as f64;
        assert!((share - 0.3).abs() < 0.02, "{:?}: {share}", outcome.mode);
        assert!(outcome.latency.p99 < 3.1, "{:?}: {}", outcome.mode, outcome.latency.p99);
    }
}
