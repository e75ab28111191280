//! Recorded traffic: the answer differs, and it says why.

use std::path::Path;

use anyhost_planner::answer::{Answer, Question};
use anyhost_planner::bill::BillOptions;
use anyhost_planner::hosts::Catalog;
use anyhost_planner::search::{Fault, Goals};
use anyhost_planner::simulation::{Options, Progress};
use anyhost_planner::sources::{SourceOptions, read};
use anyhost_planner::traffic::{Demand, Gaps};
use anyhost_planner::workload::Workload;

fn answer(trace: &str) -> Answer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(trace);
    let traffic = read(&path, &SourceOptions { gaps: Gaps::Repeat, ..SourceOptions::default() });
    let traffic = traffic.expect("a trace").traffic.expect("traffic");
    let demand = Demand::from(traffic);
    let workload = Workload::default();
    let question = Question {
        catalog: &Catalog::built_in(),
        names: &[],
        workload: &workload,
        demand: &demand,
        goals: Goals::for_service(workload.service.p99()),
        bill: &BillOptions::default(),
        options: Options { exact_up_to: 50_000, stretches: 10_000, ..Options::default() },
        flips: false,
    };
    Answer::new(&question, |_| Progress::default())
}

#[test]
fn one_function_of_many_users_is_cheapest_by_the_request() {
    for (trace, because) in [
        ("azure2019_fn_sparse_9c80ba1d_minute.csv", "84.2 % of the intervals are empty"),
        ("azure2019_fn_bursty_444104e8_minute.csv", "101.0 times the mean"),
    ] {
        let answer = answer(trace);
        assert_eq!(answer.host.as_deref(), Some("lambda"), "{trace}: {}", answer.sentence);
        assert!(answer.reasons.join(" ").contains(because), "{trace}: {:?}", answer.reasons);
    }
}

#[test]
fn an_application_server_is_cheapest_as_a_process() {
    let answer = answer("appserver_2016-04_hourly.csv");
    let best = answer.best().expect("one");
    assert!(!best.is_serverless() && best.month() < 30.0, "{}", answer.sentence);
}

#[test]
fn a_flash_crowd_asks_lambda_for_more_connections_than_there_are() {
    let answer = answer("worldcup98_1998-07-07_2days_minute.csv");
    let lambda = answer.candidate("lambda").expect("known");
    // 3,824 a second at ten for each environment are 383 environments, a little less if one request of a thousand may be
    // turned away in the record minutes.
    let Some(Fault::Connections { needed, given, .. }) = lambda.fault else {
        panic!("{:?}", lambda.misses)
    };
    assert!((340..480).contains(&needed) && given == 100, "{needed}");
    assert!(answer.best().is_some_and(|best| !best.is_serverless()), "{}", answer.sentence);
}
