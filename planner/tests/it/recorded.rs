//! Recorded traffic: the answer differs, and the report says why.

use std::collections::HashSet;
use std::path::Path;

use anyhost_planner::comparison::Comparison;
use anyhost_planner::model::Catalog;
use anyhost_planner::simulation::{Options, Progress};
use anyhost_planner::traffic::{Gaps, Traffic};
use anyhost_planner::verdict::Goals;
use anyhost_planner::workload::Workload;

fn compare(trace: &str, options: &Options) -> Comparison {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(trace);
    let traffic = Traffic::read(&path, Gaps::Repeat).expect("a trace");
    let goals = Goals::default();
    let watch = |_: &_| Progress::default();
    Comparison::new(
        &Catalog::built_in(),
        &[],
        &Workload::default(),
        &traffic,
        options,
        &goals,
        watch,
    )
}

#[test]
fn the_answer_differs_and_says_why() {
    // The large ones in aggregate, which is what the program does with them too.
    let options = Options { exact_up_to: 100_000, ..Options::default() };
    let mut answers = HashSet::new();
    for (trace, host, because) in [
        (
            "azure2019_fn_sparse_9c80ba1d_minute.csv",
            "lambda",
            "84.2 % of the intervals without any",
        ),
        ("azure2019_fn_bursty_444104e8_minute.csv", "lambda", "101.0 times the mean"),
        ("appserver_2016-04_hourly.csv", "heroku-basic", "instances on average"),
        (
            "worldcup98_1998-07-07_2days_minute.csv",
            "kubernetes",
            "No serverless host reaches the goals",
        ),
    ] {
        let comparison = compare(trace, &options);
        assert_eq!(
            comparison.verdict.host.as_deref(),
            Some(host),
            "{trace}: {:#?}",
            comparison.verdict
        );
        let reasons = comparison.verdict.reasons.join(" ");
        assert!(reasons.contains(because), "{trace}: {reasons}");
        answers.insert(host);
    }
    assert!(answers.len() >= 3);
}

#[test]
fn the_database_keeps_lambda_from_a_flash_crowd_until_there_is_a_pooler() {
    let comparison = compare("worldcup98_1998-07-07_2days_minute.csv", &Options::default());
    let lambda = comparison.candidate("lambda").expect("known").result.as_ref().expect("runs");
    assert_eq!(lambda.outcome.peak_connections, 94);
    assert!(lambda.outcome.refused_share() > 0.1);
    assert!(lambda.bounded.as_ref().is_some_and(|reason| reason.contains("APP_INSTANCES")));
}
