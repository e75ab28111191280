//! Bills: what a region, a line that is switched on and a pooler change.

use std::time::Duration;

use anyhost_planner::answer::Answer;
use anyhost_planner::bill::{Bill, BillOptions};
use anyhost_planner::hosts::{BillLine, Catalog, Size};
use anyhost_planner::simulation::{Configuration, Options, Usage};
use anyhost_planner::traffic::Traffic;
use anyhost_planner::workload::{Database, Workload};

use crate::answers::Scenario;
use crate::{host, options, run_with, waiting};

#[test]
fn regions_and_lines_change_the_bill_as_their_prices_do() {
    let mut scenario = Scenario::new(&["fargate"]);
    let here = scenario.of("steady:mean=10,days=0.05");
    let line = |answer: &Answer, what: &str| {
        let run = answer.candidates[0].run.clone().expect("it runs");
        let lines = run.bill.lines.iter().filter(|line| line.what == what);
        lines.map(|line| line.month).sum::<f64>()
    };
    // Two tasks of 0.25 vCPU for 730 hours at 0.03238, but for deploys.
    let wanted = 2.0 * 0.25 * 730.0 * 0.03238;
    assert!((line(&here, "vcpu") / wanted - 1.0).abs() < 0.1, "{}", line(&here, "vcpu"));
    assert!((line(&here, "ipv4") / 7.3 - 1.0).abs() < 0.1);
    assert_eq!((line(&here, "nat"), line(&here, "egress")), (0.0, 0.0));
    scenario.catalog = Catalog::read("ap-northeast-2", None).expect("a region");
    let there = scenario.of("steady:mean=10,days=0.05");
    assert!((line(&there, "vcpu") / line(&here, "vcpu") - 0.03725 / 0.03238).abs() < 0.01);
    scenario.bill.lines.extend([BillLine::Nat, BillLine::Egress]);
    scenario.bill.lines.remove(&BillLine::Ipv4);
    scenario.bill.response_bytes = 10_000.0;
    let all = scenario.of("steady:mean=10,days=0.05");
    assert_eq!((line(&all, "nat"), line(&all, "ipv4")), (43.0, 0.0));
    // 26.28 M responses of 10 kB are 262.8 GB.
    assert!(
        (line(&all, "egress") / (262.8 * 0.126) - 1.0).abs() < 0.02,
        "{}",
        line(&all, "egress")
    );
}

#[test]
fn a_pooler_is_paid_for() {
    let pooler = anyhost_core::db::Pooler::RdsProxy;
    let mut scenario = Scenario::new(&["lambda"]);
    scenario.workload.database = Some(Database { pooler, ..Database::default() });
    let answer = scenario.of("steady:mean=1,days=0.05");
    let run = answer.best().expect("one").run.as_ref().expect("it runs");
    let proxy = run.bill.lines.iter().find(|line| line.what == "proxy").expect("a line");
    // Two processors at 0.015 an hour.
    assert!((proxy.month - 21.9).abs() < 0.01 && proxy.assumed);
    assert!(answer.warnings.iter().any(|line| line.contains("Assumed") && line.contains("proxy")));
}

#[test]
fn rds_proxy_serves_only_hosts_inside_its_vpc() {
    let pooler = anyhost_core::db::Pooler::RdsProxy;
    let mut scenario = Scenario::new(&["heroku-basic", "render", "vm"]);
    scenario.workload.database = Some(Database { pooler, ..Database::default() });
    let answer = scenario.of("steady:mean=1,days=0.05");
    assert_eq!(answer.best().expect("one").host, "vm");
    for candidate in answer.candidates.iter().filter(|candidate| candidate.host != "vm") {
        let misses = candidate.misses.as_deref().unwrap_or_default();
        assert!(misses.contains("outside the database's VPC"), "{}: {misses}", candidate.host);
    }
    // The negative control: PgBouncer runs anywhere.
    let pooler = anyhost_core::db::Pooler::PgBouncer;
    scenario.workload.database = Some(Database { pooler, ..Database::default() });
    assert!(scenario.of("steady:mean=1,days=0.05").candidates.iter().all(|other| other.fits()));
}

#[test]
fn a_bill_without_a_line_that_was_asked_for_says_so() {
    let mut scenario = Scenario::new(&["heroku-basic", "lambda"]);
    scenario.bill.lines.insert(BillLine::Database);
    let answer = scenario.of("steady:mean=20,days=0.05");
    assert_eq!(answer.best().expect("one").host, "heroku-basic");
    assert!(answer.warnings.iter().any(|line| line.contains("no price of database")));
    scenario.bill.lines.remove(&BillLine::Database);
    let answer = scenario.of("steady:mean=20,days=0.05");
    assert!(!answer.warnings.iter().any(|line| line.contains("no price of")));
}

#[test]
fn a_minimum_of_instances_on_cloud_run_is_paid_while_it_is_idle() {
    // 1 vCPU and 0.5 GB at 2.5e-6 each: 3.75e-6 × 2,628,000 s = 9.86 a month beside what requests use.
    let workload = Workload { database: None, ..waiting("100ms", 0.5) };
    let traffic = Traffic::new("rare", Duration::from_secs(60), vec![1; 1440]);
    let cloud_run = host("cloud-run");
    for exact_up_to in [0, u64::MAX] {
        let month = |least: usize| {
            let size = Size { cores: 1.0, memory_gb: 0.5, ..Size::default() };
            let set = Configuration::new(size, least, 2);
            let options = Options { exact_up_to, ..options() };
            let outcome = run_with(&cloud_run, &workload, &traffic, set.clone(), &options);
            Bill::new(&cloud_run, &set.size, &workload, &outcome.usage, &BillOptions::default())
                .month
        };
        let more = month(1) - month(0);
        assert!((more / 9.86 - 1.0).abs() < 0.01, "{more}");
    }
}

#[test]
fn an_app_without_a_database_pays_for_none() {
    let usage = Usage { seconds: 730.0 * 3600.0, ..Usage::default() };
    let mut options = BillOptions::default();
    options.lines.insert(BillLine::Database);
    let with = Workload::default();
    let without = Workload { database: None, ..with.clone() };
    let month = |workload: &Workload| {
        Bill::new(&host("lambda"), &Size::default(), workload, &usage, &options).month
    };
    assert!((month(&with) - 23.36).abs() < 0.01 && month(&without) == 0.0);
}
