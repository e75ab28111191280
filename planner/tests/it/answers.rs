//! Whole answers: the scenarios that people ask about, with the answer an expert would give and the reason.

use std::time::Duration;

use anyhost_planner::answer::{Answer, Question};
use anyhost_planner::bill::BillOptions;
use anyhost_planner::hosts::Catalog;
use anyhost_planner::search::{Fault, Goals, Resource};
use anyhost_planner::simulation::{Options, Progress};
use anyhost_planner::traffic::{Demand, Pattern, Traffic};
use anyhost_planner::workload::{Database, Workload};

use crate::{connections, host};

/// A question with quick simulations.
pub(crate) struct Scenario {
    pub(crate) catalog: Catalog,
    names: Vec<String>,
    pub(crate) workload: Workload,
    pub(crate) goals: Goals,
    pub(crate) bill: BillOptions,
    flips: bool,
}

impl Scenario {
    pub(crate) fn new(names: &[&str]) -> Self {
        Self {
            catalog: Catalog::built_in(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            workload: Workload::default(),
            goals: Goals::for_service(0.1),
            bill: BillOptions::default(),
            flips: false,
        }
    }

    pub(crate) fn of(&self, pattern: &str) -> Answer {
        let pattern = pattern.parse::<Pattern>().expect("a pattern");
        self.under(&Demand::drawn(pattern, 1))
    }

    fn under(&self, demand: &Demand) -> Answer {
        let question = Question {
            catalog: &self.catalog,
            names: &self.names,
            workload: &self.workload,
            demand,
            goals: self.goals,
            bill: &self.bill,
            options: Options { exact_up_to: 50_000, stretches: 20_000, ..Options::default() },
            flips: self.flips,
        };
        Answer::new(&question, |_| Progress::default())
    }
}

pub(crate) fn setting<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let run = answer.best()?.run.as_ref()?;
    run.settings.iter().find_map(|line| line.strip_prefix(name))
}

#[test]
fn slow_queries_want_a_larger_pool_and_not_another_host() {
    // 5 a second × 1 s with a connection are 5 in use (Little); at 70 % that is 8 at the least.
    let mut scenario = Scenario::new(&["heroku-basic", "lambda", "lambda-managed"]);
    scenario.workload.service = "lognormal:median=1s,p99=3s".parse().expect("a duration");
    (scenario.workload.database_share, scenario.workload.processor_share) = (0.9, 0.02);
    scenario.goals.p99 = 5.0;
    let answer = scenario.of("steady:mean=5,days=0.2");
    assert_eq!(answer.host.as_deref(), Some("heroku-basic"), "{}", answer.sentence);
    let best = answer.best().expect("one").run.as_ref().expect("it runs");
    assert!((7.0..7.1).contains(&best.bill.month), "{}", best.bill.month);
    assert!(best.outcome.refused_share() < 1e-4, "{}", best.outcome.refused);
    let pool = setting(&answer, "DATABASE_POOL_SIZE=").expect("a line to set");
    assert!((8..=11).contains(&pool.parse::<usize>().expect("a number")), "{pool}");
}

#[test]
fn a_processor_that_is_nearly_full_is_not_an_answer() {
    // 100 a second × 8 ms are 0.8 of a processor: above 70 %, and nothing would be left for a failure.
    let answer = Scenario::new(&["heroku-basic", "heroku-standard"]).of("steady:mean=100,days=0.1");
    assert_eq!(answer.host.as_deref(), Some("heroku-standard"), "{}", answer.sentence);
    assert_eq!(setting(&answer, "instances: "), Some("2 × Standard-1X"));
    let basic = answer.candidate("heroku-basic").expect("it was asked for");
    assert!(matches!(basic.fault, Some(Fault::Headroom { .. } | Fault::Refused { .. })));
    // 10 a second fit one, and the page says that one is none when it fails.
    let answer = Scenario::new(&["heroku-basic", "heroku-standard"]).of("steady:mean=10,days=0.1");
    assert_eq!(answer.host.as_deref(), Some("heroku-basic"));
    assert!(answer.warnings.iter().any(|line| line.contains("failure is an outage")));
    let mut redundant = Scenario::new(&["heroku-basic", "heroku-standard"]);
    redundant.goals.redundant = true;
    let answer = redundant.of("steady:mean=10,days=0.1");
    assert_eq!(answer.host.as_deref(), Some("heroku-standard"));
}

#[test]
fn the_least_number_of_connections_that_works_is_said() {
    // 0 to 1,000 a second: 10 for each environment need 100 and what chance adds, so a little more than 106 connections.
    let pattern = "flash:mean=1,peak=1000,at=30m,rise=10s,fall=10m,days=0.05";
    let answer = Scenario::new(&["lambda"]).of(pattern);
    assert_eq!(answer.host, None);
    let Some(Fault::Connections { needed, given, month }) =
        answer.candidate("lambda").expect("it was asked for").fault
    else {
        panic!("{:?}", answer.candidates[0].misses)
    };
    assert!((100..=160).contains(&needed) && given == 100 && month > 0.0, "{needed}");
    let mut scenario = Scenario::new(&["lambda"]);
    scenario.workload.database = connections(needed + 10);
    let answer = scenario.of(pattern);
    assert_eq!(answer.host.as_deref(), Some("lambda"), "{:?}", answer.candidates[0].misses);
}

#[test]
fn sizes_are_searched_and_not_taken_by_memory_alone() {
    // 200 ms of computing, 300 ms at most: half a vCPU takes 400 ms, a whole one 200.
    let mut scenario = Scenario::new(&["lambda"]);
    scenario.workload.service = "200ms".parse().expect("a duration");
    (scenario.workload.database_share, scenario.workload.processor_share) = (0.0, 1.0);
    scenario.goals.p99 = 0.35;
    let answer = scenario.of("steady:mean=20,days=0.1");
    let best = answer.best().expect("one").run.as_ref().expect("it runs");
    assert_eq!(setting(&answer, "memory: "), Some("1769 MB"), "{:?}", best.settings);
}

#[test]
fn a_job_of_half_a_minute_is_measured_by_its_own_length() {
    // Three times the service time is allowed if it is longer than a second.
    let mut scenario = Scenario::new(&["lambda", "cloud-run"]);
    scenario.workload.service = "30s".parse().expect("a duration");
    scenario.goals = Goals::for_service(30.0);
    let answer = scenario.of("spikes:mean=0,peak=0.02,every=1d,length=2m,days=3");
    assert!(answer.host.is_some(), "{:?}", answer.candidates[0].misses);
    assert!(answer.best().expect("one").month() < 1.0);
}

#[test]
fn a_flip_is_where_another_answer_is_found() {
    let mut scenario = Scenario::new(&["lambda", "heroku-basic"]);
    scenario.flips = true;
    let answer = scenario.of("steady:mean=2,days=0.1");
    assert_eq!(answer.host.as_deref(), Some("lambda"));
    let change = answer.flips.above.clone().expect("Basic is cheaper at a higher load");
    assert_eq!(change.host.as_deref(), Some("heroku-basic"));
    let (low, high) = change.load;
    assert!(low < high && high / low < 5.0, "{low} to {high}");
    scenario.flips = false;
    let at = |load: f64| scenario.of(&format!("steady:mean={load},days=0.1")).host;
    assert_eq!(at(low * 0.8).as_deref(), Some("lambda"));
    assert_eq!(at(high * 1.25).as_deref(), Some("heroku-basic"));
    // The same shape at another load has its flip at the same place.
    scenario.flips = true;
    let from_above = scenario.of("steady:mean=20,days=0.1").flips.below.expect("Lambda below");
    assert!(from_above.load.0 < high && from_above.load.1 > low, "{:?}", from_above.load);
    assert!(answer.flips.sentences.len() <= 2);
}

#[test]
fn bursts_inside_an_interval_are_a_range() {
    // Bursts by the second, told by the minute: the peak of a minute is far below that of a second.
    let even = Traffic::new("calls", Duration::from_secs(4096), vec![20_000]);
    let bursty = even.with_bursts(0.25, 5);
    let coarse = bursty.counts().chunks(64).map(|minute| minute.iter().sum()).collect();
    let interval = bursty.interval() * 64;
    let coarse = Traffic::new("calls by the minute", interval, coarse);
    assert!(coarse.peak() * 1.5 < bursty.peak());
    let scenario = Scenario::new(&["lambda"]);
    let answer = scenario.under(&coarse.into());
    let said = answer.warnings.iter().find(|line| line.contains("bursts")).expect("a warning");
    assert!(said.contains("p99 is") && said.contains("connections"), "{said}");
    // By the second there is nothing to guess, and a pattern has none.
    for answer in [scenario.under(&bursty.into()), scenario.of("steady:mean=5,days=1.1")] {
        assert!(!answer.warnings.iter().any(|line| line.contains("in bursts")));
    }
}

#[test]
fn the_app_starts_as_configured_with_the_least_max_connections_that_is_named() {
    let mut scenario = Scenario::new(&["lambda"]);
    let answer = scenario.of("spikes:mean=0.1,peak=200,every=6h,length=10m,days=0.5");
    let run = answer.best().expect("one").run.as_ref().expect("it runs");
    // Each environment holds one connection; three are reserved and three are left for people.
    assert_eq!(run.least_max_connections, Some(run.most_instances + 6));
    scenario.workload.database =
        Some(Database { max_connections: run.most_instances + 6, ..Database::default() });
    let again = scenario.of("spikes:mean=0.1,peak=200,every=6h,length=10m,days=0.5");
    assert!(again.best().is_some());
}

#[test]
fn the_bound_of_the_server_that_was_reached_is_named() {
    let pooler = anyhost_core::db::Pooler::PgBouncer;
    let reason = |database: Database| {
        let mut scenario = Scenario::new(&["heroku-standard"]);
        scenario.workload.database = Some(database);
        let answer = scenario.of("steady:mean=3000,days=0.02");
        answer.candidates[0].misses.clone().unwrap_or_default()
    };
    let said = reason(Database { pooler, max_connections: 20, ..Database::default() });
    assert!(said.contains("all 14 server connections of the pooler were in use"), "{said}");
    let said = reason(Database { cpus: Some(2), max_connections: 1000, ..Database::default() });
    assert!(said.contains("all 2 processors of the database were in use"), "{said}");
}

#[test]
fn every_reason_is_that_of_the_run() {
    let mut scenario =
        Scenario::new(&["lambda", "fargate", "kubernetes", "cloud-run", "heroku-basic"]);
    scenario.workload.service = "80ms".parse().expect("a duration");
    let answer = scenario.of("spikes:mean=15,peak=300,every=6h,length=7m,days=0.3");
    for candidate in &answer.candidates {
        if let Some(Fault::Refused { cause, .. }) = &candidate.fault {
            let run = candidate.run.as_ref().expect("it ran");
            assert_eq!(Some(*cause), run.outcome.main_cause(), "{}", candidate.host);
            assert!(run.outcome.refusals.by(*cause) > 0);
        }
    }
    assert!(host("lambda").unpriced.is_none());
}

#[test]
fn a_host_whose_processes_are_taken_back_is_chosen_only_by_name() {
    // How often AWS takes Spot tasks back is not published, so that nothing simulated speaks for their availability.
    let pattern = "steady:mean=5000,days=0.2";
    let mut scenario = Scenario::new(&[]);
    scenario.workload.database = connections(2000);
    scenario.flips = true;
    let answer = scenario.of(pattern);
    let spot = answer.candidate("fargate-spot").expect("it is listed");
    let best = answer.best().expect("one reaches the goals");
    assert!(spot.fits() && spot.month() < best.month(), "{}", answer.sentence);
    assert_ne!(best.host, "fargate-spot");
    let reason = answer.reasons.iter().find(|reason| reason.contains("Fargate Spot"));
    assert!(reason.expect("it is said").contains("--host fargate-spot"), "{:?}", answer.reasons);
    for change in [&answer.flips.below, &answer.flips.above].into_iter().flatten() {
        assert_ne!(change.host.as_deref(), Some("fargate-spot"));
    }
    // The negative control: asked for by name, it is the answer.
    let named = Scenario { names: vec!["fargate".into(), "fargate-spot".into()], ..scenario };
    assert_eq!(named.of(pattern).host.as_deref(), Some("fargate-spot"));
}

#[test]
fn a_peak_of_hours_needs_processors_and_not_only_their_mean() {
    // 100 a second on average × 8.1 ms are 0.81 processors, 19 of Fly's sixteenths at 70 %. Around the peak it is 1.46 for
    // hours, and a machine saves 500 s at most: more machines are needed.
    let mut scenario = Scenario::new(&["fly"]);
    scenario.workload.database = connections(500);
    let answer = scenario.of("daily:mean=100,swing=0.8,days=1");
    let run = answer.best().expect("one").run.as_ref().expect("it runs");
    assert!(run.most_instances >= 23, "{}", run.most_instances);
    let used = run.headroom.iter().find(|used| used.resource == Resource::Credits);
    assert!(used.is_some_and(|used| used.utilisation <= 0.7));
}
