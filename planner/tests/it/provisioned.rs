//! Provisioned concurrency: environments that wait for requests, at their price.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_planner::bill::{Bill, BillOptions};
use anyhost_planner::hosts::{BillLine, Size};
use anyhost_planner::simulation::{Configuration, Options, Outcome};
use anyhost_planner::theory::erlang_b;
use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::Workload;

use crate::answers::{Scenario, setting};
use crate::{host, options, run_with, waiting};

fn with(provisioned: usize, workload: &Workload, traffic: &Traffic, exact_up_to: u64) -> Outcome {
    let size = Size { cores: 0.3, memory_gb: 0.5, ..Size::default() };
    let set = Configuration::new(size, provisioned, 90);
    let options = Options { exact_up_to, ..options() };
    run_with(&host("lambda"), workload, traffic, set, &options)
}

/// One request each ten minutes of a day: an environment is kept for six.
fn rare() -> Traffic {
    let counts = (0..86_400).map(|second| u64::from(second % 600 == 0)).collect();
    Traffic::new("rare", Duration::from_secs(1), counts)
}

#[test]
fn a_provisioned_environment_answers_without_a_start_and_is_paid_all_the_time() {
    let workload = waiting("100ms", 0.5);
    for exact_up_to in [0, u64::MAX] {
        let cold = with(0, &workload, &rare(), exact_up_to);
        assert_eq!((cold.requests, cold.cold_starts), (144, 144), "{:?}", cold.mode);
        let warm = with(1, &workload, &rare(), exact_up_to);
        assert_eq!((warm.cold_starts, warm.peak_connections), (0, 1), "{:?}", warm.mode);
        assert!(warm.latency.max < 0.102, "{:?}: {}", warm.mode, warm.latency.max);
        // 0.5 GB × 730 h × 3,600 s × 3.3334e-6 = 4.38; the answers: 144 × 30.4 × 0.1 s × 0.5 GB × 7.7778e-6 = 0.0017.
        let size = Size { cores: 0.3, memory_gb: 0.5, ..Size::default() };
        let bill = |options: &BillOptions| {
            Bill::new(&host("lambda"), &size, &workload, &warm.usage, options)
        };
        let month = bill(&BillOptions::default()).month;
        let requests = 144.0 * 730.0 / 24.0 * 0.2e-6;
        assert!((month - 4.380 - 0.0017 - requests).abs() < 0.001, "{:?}: {month}", warm.mode);
        // There is no free tier beside it.
        let mut free = BillOptions::default();
        free.lines.insert(BillLine::FreeTier);
        assert_eq!(bill(&free).month, month);
    }
}

#[test]
fn what_finds_all_of_them_busy_is_answered_by_others() {
    // 20 a second × 100 ms are two at once: by Erlang B two provisioned ones turn away 40 %, which others answer.
    let traffic = Traffic::new("poisson", Duration::from_secs(5000), vec![100_000]);
    let blocked = erlang_b(2, 2.0);
    assert!((blocked - 0.4).abs() < 1e-9);
    for exact_up_to in [0, u64::MAX] {
        let outcome = with(2, &waiting("100ms", 0.5), &traffic, exact_up_to);
        let usage = outcome.usage;
        let share = usage.provisioned_function_seconds
            / (usage.provisioned_function_seconds + usage.function_seconds);
        assert!((share - (1.0 - blocked)).abs() < 0.02, "{:?}: {share}", outcome.mode);
        assert_eq!(outcome.refused, 0);
    }
}

#[test]
fn a_new_version_has_its_provisioned_environments_from_its_start() {
    let size = Size { cores: 0.3, memory_gb: 0.5, ..Size::default() };
    let set = Configuration::new(size, 1, 90);
    let options = Options { deploys_per_day: 24.0, ..Options::default() };
    let workload = waiting("100ms", 0.5);
    let traffic = rare();
    let outcome = run_with(&host("lambda"), &workload, &traffic, set, &options);
    assert_eq!((outcome.requests, outcome.cold_starts), (144, 0));
}

#[test]
fn the_search_provisions_what_the_goals_need() {
    // A cold start takes 120 ms at least and 215 in the middle, and each request of a rare traffic has one: a goal of
    // 200 ms needs an environment that waits. The default App answers in 100 ms at the 99th percentile.
    let pattern = "steady:mean=0.002,days=3";
    let mut scenario = Scenario::new(&["lambda"]);
    scenario.workload.service = "50ms".parse().expect("a duration");
    scenario.goals.p99 = 0.2;
    let answer = scenario.of(pattern);
    assert_eq!(answer.host.as_deref(), Some("lambda"), "{:?}", answer.candidates[0].misses);
    assert_eq!(setting(&answer, "provisioned concurrency: "), Some("1"));
    assert!((4.3..9.0).contains(&answer.best().expect("one").month()), "{}", answer.sentence);
    // The negative control: with the goal of a second none is needed.
    scenario.goals.p99 = 1.0;
    let answer = scenario.of(pattern);
    assert_eq!(setting(&answer, "provisioned concurrency: "), None);
    assert!(answer.best().expect("one").month() < 0.1);
    // The share of requests that may wait for a start is a goal of its own, on every host.
    scenario.goals.cold = 0.01;
    let answer = scenario.of(pattern);
    assert_eq!(setting(&answer, "provisioned concurrency: "), Some("1"));
    let run = answer.best().expect("one").run.as_ref().expect("it runs");
    assert!(run.outcome.cold_starts * 100 <= run.outcome.requests);
    let mut scenario = Scenario::new(&["cloud-run"]);
    scenario.goals.cold = 0.01;
    let answer = scenario.of(pattern);
    let best = answer.best().expect("a minimum of instances");
    assert_eq!(best.paradigm, Paradigm::LongRunning.to_string());
    assert!(best.run.as_ref().expect("it runs").least_instances >= 1);
}
