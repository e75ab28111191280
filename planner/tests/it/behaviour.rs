//! Behaviours that were wrong once, each with the right value and where it is from.

use std::time::Duration;

use anyhost_core::db::Pooler;
use anyhost_planner::hosts::Size;
use anyhost_planner::simulation::{Cause, Configuration, Mode, Options, Outcome};
use anyhost_planner::traffic::{Pattern, Traffic};
use anyhost_planner::workload::{Database, Workload};

use crate::{computing, connections, host, options, run, run_with, steady, waiting};

/// Runs in both modes.
fn both(run: impl Fn(&Options)) {
    for exact_up_to in [0, u64::MAX] {
        run(&Options { exact_up_to, ..options() });
    }
}

/// One process with a pool that is not what is short.
fn one_process() -> Configuration {
    let size = Size { cores: 1.0, memory_gb: 0.5, ..Size::default() };
    Configuration { pool_size: Some(40), ..Configuration::new(size, 1, 1) }
}

fn on_one(workload: &Workload, traffic: &Traffic, options: &Options) -> Outcome {
    run_with(&host("heroku-standard"), workload, traffic, one_process(), options)
}

fn pooled(max_connections: usize) -> Database {
    Database { pooler: Pooler::PgBouncer, max_connections, ..Database::default() }
}

#[test]
fn a_pooler_lets_no_more_queries_run_than_the_server_has_connections() {
    // 14 − 3 reserved − 3 for people = 8 at once, 10 ms each: 800 a second of 1,000. What waits in pools at the end is small.
    let database = Some(pooled(14));
    let workload = Workload { database, database_share: 1.0, ..waiting("10ms", 0.5) };
    both(|options| {
        let outcome = on_one(&workload, &steady(1000, 60), options);
        let share = outcome.served as f64 / outcome.requests as f64;
        assert!((share - 0.8).abs() < 0.05, "{:?}: {share}", outcome.mode);
        assert!(matches!(outcome.main_cause(), Some(Cause::Pool | Cause::Server)));
    });
    // The negative control: with room nothing is turned away.
    let workload = Workload { database: Some(pooled(100)), ..workload };
    both(|options| {
        let outcome = on_one(&workload, &steady(1000, 60), options);
        assert_eq!(outcome.refused, 0, "{:?}", outcome.mode);
    });
    // Functions wait for the server too: two at once, 100 ms each, are 20 a second of 30.
    let database = Some(Database { pooler_size: Some(2), ..pooled(100) });
    let workload = Workload { database, database_share: 1.0, ..waiting("100ms", 0.5) };
    let outcome = run(&host("lambda"), &workload, &steady(30, 300), &options());
    let per_second = outcome.served as f64 / 300.0;
    assert!(outcome.refused > 0 && per_second < 28.5, "{per_second}");
}

#[test]
fn processors_of_the_database_bound_what_it_answers() {
    // Two processors, a query computes for half of its 20 ms: 2 / 10 ms = 200 a second of 300.
    let database = Some(Database { cpus: Some(2), ..Database::default() });
    let workload = Workload { database, database_share: 1.0, ..waiting("20ms", 0.5) };
    both(|options| {
        let outcome = on_one(&workload, &steady(300, 60), options);
        let share = outcome.served as f64 / outcome.requests as f64;
        assert!((share - 2.0 / 3.0).abs() < 0.1, "{:?}: {share}", outcome.mode);
    });
}

#[test]
fn a_slow_scaler_is_not_blamed_on_the_database() {
    // The spike is over before Fargate's 180 s of datapoints and 30 s of start have passed.
    let pattern = "spikes:mean=15,peak=300,every=6h,length=7m,days=0.3";
    let traffic = pattern.parse::<Pattern>().expect("a pattern").traffic(1);
    let workload = Workload { service: "80ms".parse().expect("a duration"), ..Workload::default() };
    both(|options| {
        let outcome = run(&host("fargate"), &workload, &traffic, options);
        assert!(outcome.refused_share() > 0.05);
        assert_eq!(outcome.main_cause(), Some(Cause::Scaler), "{:?}", outcome.mode);
        assert!(outcome.peak_connections < 94);
    });
}

#[test]
fn ten_requests_a_second_for_each_environment_are_a_cause_of_their_own() {
    // 94 environments take 940 a second, though 1000/s × 10 ms keep only ten of them busy.
    let workload = waiting("10ms", 0.5);
    let size = Size { cores: 0.3, memory_gb: 0.5, ..Size::default() };
    let set = Configuration::new(size, 0, 94);
    both(|options| {
        let outcome = run_with(&host("lambda"), &workload, &steady(1000, 60), set.clone(), options);
        assert_eq!(outcome.main_cause(), Some(Cause::RequestRate), "{:?}", outcome.mode);
        assert!((outcome.refused_share() - 0.06).abs() < 0.01);
    });
}

#[test]
fn a_function_with_more_than_a_processor_is_as_fast_as_with_one() {
    // 200 ms of computing on one thread take 200 ms from 1,769 MB on.
    let traffic = steady(2, 3600);
    for memory in [1769.0, 1770.0, 2048.0, 3538.0, 3539.0] {
        let workload = computing("200ms", memory / 1024.0);
        both(|options| {
            let outcome = run(&host("lambda"), &workload, &traffic, options);
            let p50 = outcome.latency.p50;
            assert!((p50 - 0.2).abs() < 0.002, "{memory} MB, {:?}: {p50}", outcome.mode);
            let seconds = outcome.usage.function_seconds / outcome.requests as f64;
            assert!((seconds - 0.2).abs() < 0.002, "{memory} MB, {:?}: {seconds}", outcome.mode);
        });
    }
}

#[test]
fn a_share_of_a_processor_is_a_quota() {
    // The default App at 512 MB: 0.289 of a processor, 5.8 ms of each 20 ms. Half of the requests compute for less than
    // 5.7 ms, so that most of them are never throttled: the median stays near the service time's own, 14.3 ms.
    let traffic = "steady:mean=5,days=0.2".parse::<Pattern>().expect("a pattern").traffic(1);
    both(|options| {
        let outcome = run(&host("lambda"), &Workload::default(), &traffic, options);
        let p50 = outcome.latency.p50;
        assert!((0.0143..0.022).contains(&p50), "{:?}: {p50}", outcome.mode);
    });
    // 250 ms of computing on a quarter of a processor, 25 ms of each 100 ms: the first 25 in what is left of a period, 225 in
    // the next nine, of which the last takes 25 ms: 0.825 s and up to 0.1 s.
    let outcome = run(&host("fargate"), &computing("250ms", 0.5), &steady(1, 1), &options());
    assert!((0.82..0.95).contains(&outcome.latency.p50), "{}", outcome.latency.p50);
}

#[test]
fn a_request_beyond_the_hosts_limit_fails() {
    let limits = [
        ("heroku-basic", 35, true),
        ("lambda-http-api", 35, true),
        ("lambda", 35, false),
        ("lambda", 1000, true),
        ("cloud-run", 1000, false),
        ("fargate", 35, false),
    ];
    for (name, seconds, fails) in limits {
        let mut counts = vec![0; 7200];
        counts[0] = 5;
        let traffic = Traffic::new("five", Duration::from_secs(1), counts);
        let workload = waiting(&format!("{seconds}s"), 0.5);
        both(|options| {
            let outcome = run(&host(name), &workload, &traffic, options);
            let mode = outcome.mode;
            assert_eq!(outcome.refused, if fails { 5 } else { 0 }, "{name}, {seconds} s, {mode:?}");
            if fails {
                assert_eq!(outcome.main_cause(), Some(Cause::TimeLimit));
            }
        });
    }
    // The client's own patience, before the host's.
    let workload = Workload { patience: Some(10.0), ..waiting("12s", 0.5) };
    let outcome = run(&host("lambda"), &workload, &steady(1, 5), &options());
    assert_eq!(outcome.main_cause(), Some(Cause::Client));
}

#[test]
fn idle_environments_go_without_a_request_that_notices() {
    // 50 of them work for 2 s and are kept for 360 s more; one comes after an hour: 50 × 362 / 3601 = 5.03 on average.
    let mut counts = vec![0; 3601];
    (counts[0], counts[3600]) = (50, 1);
    let traffic = Traffic::new("a batch", Duration::from_secs(1), counts);
    let workload = Workload { database_share: 0.5, ..waiting("2s", 0.5) };
    both(|options| {
        let outcome = run(&host("lambda"), &workload, &traffic, options);
        let mean = outcome.mean_instances;
        assert!((mean / 5.03 - 1.0).abs() < 0.03, "{:?}: {mean}", outcome.mode);
        assert_eq!(outcome.peak_connections, 50);
        // Half an hour later nobody holds a connection.
        let later = outcome.course.iter().find(|point| point.at > 1800.0).expect("a point");
        assert_eq!((later.instances, later.connections), (0, 0), "{:?}", outcome.mode);
    });
}

#[test]
fn an_app_without_a_database_is_bound_by_no_connections() {
    let workload = Workload { database: None, ..waiting("20ms", 0.5) };
    let outcome = run(&host("lambda"), &workload, &steady(1500, 20), &options());
    assert_eq!((outcome.refused, outcome.peak_connections), (0, 0));
    // The negative control: with a database of 100 connections 94 environments take 940 a second.
    let with = Workload { database: connections(100), ..workload };
    let outcome = run(&host("lambda"), &with, &steady(1500, 20), &options());
    assert!((outcome.refused_share() - 560.0 / 1500.0).abs() < 0.02);
}

#[test]
fn managed_instances_start_with_the_plan_of_their_adapter() {
    // AWS_LAMBDA_MAX_CONCURRENCY is 8 for each vCPU: 8 connections, and a wait of 29 s.
    let host = host("lambda-managed");
    let guess =
        Configuration::guess(&host, &Workload::default(), &steady(1, 60), None).expect("a size");
    let pool = guess.deployment(&host).pool(&Database::default()).expect("it fits");
    assert_eq!((pool.size, pool.acquire), (8, 29.0));
    assert!(pool.explanation.contains("per environment"), "{}", pool.explanation);
}

#[test]
fn a_deploy_without_overlap_is_an_interruption() {
    // One deploy a day in the middle of the day; a dyno is back after 10 s, and requests wait for it.
    let traffic = steady(1, 86_400);
    let with = Options { deploys_per_day: 1.0, exact_up_to: u64::MAX, ..Options::default() };
    let outcome = run(&host("heroku-basic"), &waiting("10ms", 0.5), &traffic, &with);
    assert_eq!((outcome.mode, outcome.refused), (Mode::Exact, 0));
    assert!(outcome.latency.max > 8.0 && outcome.latency.max < 11.0, "{}", outcome.latency.max);
    let outcome = run(&host("heroku-standard"), &waiting("10ms", 0.5), &traffic, &with);
    assert!(outcome.latency.max < 1.0);
}

#[test]
fn requests_that_wait_too_long_for_a_processor_are_not_blamed_on_the_hosts_time_limit() {
    // 200 ms of computing at 20/s are four processors; the dyno has one. No request takes 30 s by itself.
    let workload = computing("200ms", 0.5);
    both(|options| {
        let outcome = run(&host("heroku-basic"), &workload, &steady(20, 600), options);
        assert!(outcome.refused_share() > 0.5, "{:?}", outcome.mode);
        assert_eq!(outcome.main_cause(), Some(Cause::Instances), "{:?}", outcome.mode);
        assert_eq!(outcome.refusals.by(Cause::TimeLimit), 0, "{:?}", outcome.mode);
    });
}

#[test]
fn an_instance_is_added_for_a_minute_of_use_and_not_for_a_second() {
    // Cloud Run averages over a minute. One request in ten seconds computes for 4 s of its 400: 0.4 of a processor, and 40
    // are inside of 80 that one instance takes; a single second has a whole processor in use.
    let counts = (0..14_400).map(|second| u64::from(second % 10 == 0)).collect();
    let traffic = Traffic::new("long", Duration::from_secs(1), counts);
    let workload = Workload { processor_share: 0.01, ..waiting("400s", 0.5) };
    let size = Size { cores: 1.0, memory_gb: 0.5, ..Size::default() };
    let set = Configuration::new(size, 0, 40);
    let options = Options { exact_up_to: u64::MAX, ..options() };
    let outcome = run_with(&host("cloud-run"), &workload, &traffic, set, &options);
    assert!((0.9..1.6).contains(&outcome.mean_instances), "{}", outcome.mean_instances);
    assert_eq!(outcome.refused, 0);
}

#[test]
fn a_request_that_has_its_place_waits_for_a_processor_as_long_as_it_may_take() {
    // Cloud Run takes three at once on one instance, 12 s of computing each: the last is answered after 36 s. Its ten
    // seconds of patience are for requests without a place.
    let traffic = Traffic::new("three", Duration::from_secs(1), [vec![3], vec![0; 99]].concat());
    let size = Size { cores: 1.0, memory_gb: 0.5, ..Size::default() };
    let set = Configuration::new(size, 1, 1);
    let workload = Workload { database: None, ..computing("12s", 0.5) };
    let outcome = run_with(&host("cloud-run"), &workload, &traffic, set, &options());
    assert_eq!((outcome.served, outcome.refused), (3, 0));
    assert!((35.0..37.5).contains(&outcome.latency.max), "{}", outcome.latency.max);
}
