//! `MAX_IN_FLIGHT`: what is printed is what was simulated.

use anyhost_planner::hosts::Size;
use anyhost_planner::simulation::{Cause, Configuration, Options, Outcome};
use anyhost_planner::workload::Workload;

use crate::answers::{Scenario, setting};
use crate::{computing, host, options, run_with, steady};

/// 200 ms of computing on one processor, ten times a second: twice what it can.
fn overloaded(max_in_flight: Option<usize>, exact_up_to: u64) -> Outcome {
    let workload = Workload { database: None, ..computing("200ms", 0.5) };
    let size = Size { cores: 1.0, memory_gb: 0.5, ..Size::default() };
    let set = Configuration { size, least: 1, most: 1, pool_size: None, max_in_flight };
    let options = Options { exact_up_to, ..options() };
    run_with(&host("heroku-standard"), &workload, &steady(10, 600), set, &options)
}

#[test]
fn a_process_turns_away_what_its_limit_does_not_let_in() {
    for exact_up_to in [0, u64::MAX] {
        // Five a second are answered. A request that is let in is the 20th at most: 20 × 200 ms = 4 s.
        let outcome = overloaded(Some(20), exact_up_to);
        let (mode, share) = (outcome.mode, outcome.refused_share());
        assert!((share - 0.5).abs() < 0.03, "{mode:?}: {share}");
        assert_eq!(outcome.refusals.by(Cause::InFlight), outcome.refused, "{mode:?}");
        let p99 = outcome.latency.p99;
        assert!((3.6..4.3).contains(&p99), "{mode:?}: {p99}");
        // The negative control: without a limit they wait for as long as the host lets them.
        let outcome = overloaded(None, exact_up_to);
        assert_eq!(outcome.refusals.by(Cause::InFlight), 0, "{mode:?}");
        assert!(outcome.latency.p99 > 20.0, "{mode:?}: {}", outcome.latency.p99);
    }
}

#[test]
fn the_printed_limit_is_the_simulated_one() {
    // 20.3 ms × 0.4 on the processor: 123 a second. For one second (the goal) there may be 123 inside.
    let answer = Scenario::new(&["heroku-basic"]).of("steady:mean=10,days=0.1");
    let printed = setting(&answer, "MAX_IN_FLIGHT=").expect("a line to set");
    let set = &answer.best().expect("one").run.as_ref().expect("it runs").configuration;
    assert_eq!(printed, set.max_in_flight.expect("it was simulated").to_string());
    assert!((120..=126).contains(&set.max_in_flight.expect("it was simulated")), "{printed}");
    // What is not simulated with a limit prints none: Lambda has no such variable.
    let answer = Scenario::new(&["lambda"]).of("steady:mean=10,days=0.1");
    assert_eq!(setting(&answer, "MAX_IN_FLIGHT="), None);
}

#[test]
fn a_limit_that_would_miss_the_goals_is_raised() {
    // A deploy without overlap takes 10 s, in which 400 of two million pile up: a limit of 123 would turn 277 of them away,
    // more than a tenth of the thousandth that is allowed; with 246 it is 154.
    let answer = Scenario::new(&["heroku-basic"]).of("steady:mean=40,days=0.6");
    let run = answer.best().expect("one").run.as_ref().expect("it runs");
    assert!(run.outcome.refused_share() <= 0.0002, "{}", run.outcome.refused_share());
    let most = run.configuration.max_in_flight.expect("it has a limit");
    assert!((240..=252).contains(&most), "{most}");
}
