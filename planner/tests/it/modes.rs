//! The aggregate mode against the exact one.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_planner::hosts::Catalog;
use anyhost_planner::simulation::{Mode, Options};
use anyhost_planner::traffic::{Pattern, Traffic};
use anyhost_planner::workload::Workload;

use crate::{month, run, waiting};

#[test]
fn both_modes_find_the_same() {
    let catalog = Catalog::built_in();
    for pattern in [
        "steady:mean=20,days=0.25",
        "daily:mean=8,days=1",
        "spikes:mean=1,peak=60,every=2h,length=5m,days=1",
        "growth:mean=2,factor=10,days=1",
    ] {
        let traffic = pattern.parse::<Pattern>().expect("a pattern").traffic(2);
        for host in catalog.hosts() {
            let [exact, aggregate] = [u64::MAX, 0].map(|exact_up_to| {
                let options = Options { exact_up_to, ..Options::default() };
                run(host, &Workload::default(), &traffic, &options)
            });
            assert_eq!((exact.mode, aggregate.mode), (Mode::Exact, Mode::Aggregate));
            assert_eq!(exact.requests, aggregate.requests);
            let near = |what: &str, exact: f64, aggregate: f64, share: f64, least: f64| {
                let error = (aggregate - exact).abs();
                let name = &host.name;
                assert!(
                    error <= exact * share + least,
                    "{pattern} on {name}: {what} {aggregate} in aggregate, {exact} exactly"
                );
            };
            let workload = Workload::default();
            let cost = |outcome| month(host, &workload, &traffic, outcome);
            near("cost", cost(&exact), cost(&aggregate), 0.06, 0.02);
            near("mean instances", exact.mean_instances, aggregate.mean_instances, 0.25, 0.3);
            // In an overload waits depend on when exactly instances come: there only the size is the same.
            if exact.refused_share() > 0.001 || exact.latency.p99 > 1.0 {
                near("mean", exact.latency.mean, aggregate.latency.mean, 0.5, 0.0);
                near("p99", exact.latency.p99, aggregate.latency.p99, 0.6, 0.0);
            } else {
                near("p50", exact.latency.p50, aggregate.latency.p50, 0.15, 0.0);
                // If one request of a hundred waits for a start, the percentile is that wait or none of it.
                let cold = exact.cold_starts as f64 / exact.requests as f64;
                if !(0.005..0.02).contains(&cold) {
                    near("p99", exact.latency.p99, aggregate.latency.p99, 0.2, 0.0);
                }
                near("mean", exact.latency.mean, aggregate.latency.mean, 0.2, 0.0);
            }
            let peaks = |what, exact: u64, aggregate: u64, share| {
                near(what, exact as f64, aggregate as f64, share, 2.0);
            };
            peaks("peak instances", exact.peak_instances, aggregate.peak_instances, 0.2);
            // In aggregate all instances of a fleet have their busiest moment together: that errs on the high side.
            if host.paradigm == Paradigm::LongRunning {
                let (most, exactly) = (aggregate.peak_connections, exact.peak_connections);
                let name = &host.name;
                assert!(
                    most + 3 >= exactly,
                    "{pattern} on {name}: {most} connections in aggregate, {exactly} exactly"
                );
            }
            peaks("peak connections", exact.peak_connections, aggregate.peak_connections, 0.4);
            near("cold starts", exact.cold_starts as f64, aggregate.cold_starts as f64, 0.3, 20.0);
            // Near what an instance carries chance decides on a few: on Kubernetes 45 to 610 of 302,000, by the seed.
            let few = 1..exact.requests / 100;
            let seeds = if few.contains(&exact.refused) { 1..=5 } else { 1..=1 };
            let refused = |exact_up_to| {
                let refused = |seed| {
                    let options = Options { seed, exact_up_to, ..Options::default() };
                    run(host, &workload, &traffic, &options).refused as f64
                };
                seeds.clone().map(refused).sum::<f64>() / seeds.clone().count() as f64
            };
            near("refused", refused(u64::MAX), refused(0), 0.3, 20.0);
        }
    }
}

/// Bursts of requests that last twelve times as long as an interval. 1,000 come within 10 s, each for 120 s: never more than
/// 1,000 are inside, where Little's law with the rate of those 10 s says 12,000.
#[test]
fn both_modes_count_the_requests_that_outlast_their_interval() {
    let catalog = Catalog::built_in();
    let counts = (0..360).map(|interval| if interval % 60 == 30 { 1000 } else { 0 }).collect();
    let traffic = Traffic::new("bursts", Duration::from_secs(10), counts);
    for service in ["120s", "exp:120s"] {
        let workload = Workload { database: None, ..waiting(service, 0.5) };
        for name in ["cloud-run", "lambda"] {
            let host = catalog.host(name).expect("a host");
            let [exact, aggregate] = [u64::MAX, 0].map(|exact_up_to| {
                let options = Options { exact_up_to, deploys_per_day: 0.0, ..Options::default() };
                run(host, &workload, &traffic, &options)
            });
            let near = |what: &str, exact: f64, aggregate: f64| {
                println!("{service} on {name}: {what} {aggregate} in aggregate, {exact} exactly");
                assert!((aggregate / exact - 1.0).abs() <= 0.1);
            };
            near("peak", exact.peak_instances as f64, aggregate.peak_instances as f64);
            near("mean", exact.mean_instances, aggregate.mean_instances);
        }
    }
}
