//! Machines that a proxy starts for requests and stops when they are not needed at the moment.

use std::time::Duration;

use anyhost_planner::simulation::{Configuration, Options, Outcome};
use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::Workload;

use crate::{host, month, options, run_with, steady, waiting};

fn on_fly(workload: &Workload, traffic: &Traffic, exact_up_to: u64) -> Outcome {
    let host = host("fly-autostop");
    let guess = Configuration::guess(&host, workload, traffic, None).expect("it has a size");
    let options = Options { exact_up_to, ..options() };
    run_with(&host, workload, traffic, guess, &options)
}

#[test]
fn an_idle_machine_is_stopped_and_started_by_the_next_request() {
    let mut counts = vec![0; 7200];
    (counts[0], counts[3600]) = (1, 1);
    let traffic = Traffic::new("two", Duration::from_secs(1), counts);
    let workload = Workload { database: None, ..waiting("100ms", 0.5) };
    for exact_up_to in [0, u64::MAX] {
        let outcome = on_fly(&workload, &traffic, exact_up_to);
        let mode = outcome.mode;
        assert_eq!((outcome.served, outcome.refused), (2, 0), "{mode:?}");
        // The second waits for a start of 2 s.
        assert_eq!(outcome.cold_starts, 1, "{mode:?}");
        assert!((2.0..2.3).contains(&outcome.latency.max), "{mode:?}: {}", outcome.latency.max);
        // Each is followed by a look within five minutes: two times 300 s of 7,200, at 3.19 a month.
        let share = outcome.mean_instances;
        assert!((share - 600.0 / 7200.0).abs() < 0.02, "{mode:?}: {share}");
        let cost = month(&host("fly-autostop"), &workload, &traffic, &outcome);
        assert!((cost - 3.19 * share).abs() < 0.01, "{mode:?}: {cost}");
    }
}

#[test]
fn a_machine_with_a_request_at_every_look_is_never_stopped() {
    // One a second, each is there for 10 s.
    let workload = Workload { database: None, ..waiting("10s", 0.5) };
    for exact_up_to in [0, u64::MAX] {
        let outcome = on_fly(&workload, &steady(1, 7200), exact_up_to);
        assert!((outcome.mean_instances - 1.0).abs() < 0.02, "{:?}", outcome.mode);
        assert_eq!(outcome.cold_starts, 0, "{:?}", outcome.mode);
    }
    // The negative control: requests that are there for a hundredth of the time are missed by most looks.
    let workload = Workload { database: None, ..waiting("10ms", 0.5) };
    let outcome = on_fly(&workload, &steady(1, 7200), u64::MAX);
    assert!(outcome.cold_starts > 10, "{}", outcome.cold_starts);
}
