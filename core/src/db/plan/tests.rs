//! The arithmetic of plans, and the sentences that explain it.

use super::sizes::MOST;
use super::*;

pub(in crate::db) const INPUTS: Inputs = Inputs {
    paradigm: Paradigm::LongRunning,
    kind: Kind::Postgres,
    cpus: 2,
    concurrency: 1,
    instances: None,
    overlap: 2.0,
    max_connections: Some(100),
    reserved: 3,
    account_limit: None,
    database_limit: None,
    taken: 0,
    pool_size: None,
    pooler: Pooler::None,
    acquire_timeout: None,
    connect_timeout: None,
};

#[track_caller]
fn size(inputs: &Inputs) -> usize {
    Plan::new(inputs).expect("fits").size()
}

#[track_caller]
fn refusal(inputs: &Inputs) -> String {
    Plan::new(inputs).expect_err("does not fit").to_string()
}

#[test]
fn a_long_running_process_takes_the_smaller_of_formula_and_share() {
    assert_eq!(size(&INPUTS), 5);
    assert_eq!(size(&Inputs { cpus: 32, ..INPUTS }), 47);
    assert_eq!(size(&Inputs { instances: Some(47), ..INPUTS }), 1);
    assert_eq!(size(&Inputs { overlap: 1.25, instances: Some(30), ..INPUTS }), 2);
}

#[test]
fn a_share_below_one_is_refused_with_the_numbers_and_two_ways_out() {
    assert_eq!(
        refusal(&Inputs { instances: Some(48), ..INPUTS }),
        "no connection is left for a process: (100 of the server − 3 reserved − 3 for administration) / \
         (48 instances × 2 in a deploy) = 0; run fewer instances (APP_INSTANCES) or put a pooler in front \
         of the server and set DATABASE_POOLER"
    );
}

#[test]
fn a_size_that_was_set_is_honoured_and_checked() {
    assert_eq!(size(&Inputs { pool_size: Some(40), ..INPUTS }), 40);
    let text = refusal(&Inputs { pool_size: Some(48), ..INPUTS });
    assert!(text.starts_with("48 connections per process were set, but only 47 fit"), "{text}");
}

#[test]
fn an_environment_holds_one_connection_and_the_function_is_checked() {
    let lambda = Inputs { paradigm: Paradigm::Serverless, overlap: 1.0, ..INPUTS };
    assert_eq!(size(&lambda), 1);
    assert_eq!(size(&Inputs { instances: Some(94), ..lambda }), 1);
    assert_eq!(size(&Inputs { concurrency: 8, ..lambda }), 8);
    assert_eq!(
        refusal(&Inputs { instances: Some(200), ..lambda }),
        "200 environments × 1 connection = 200, but the budget is 94 (100 of the server − 3 reserved − 3 for \
         administration); set the function's reserved concurrency (APP_INSTANCES) to 94 or put a pooler in \
         front of the server and set DATABASE_POOLER"
    );
}

#[test]
fn the_nearest_limit_counts_and_is_named() {
    let role = Inputs { account_limit: Some(3), ..INPUTS };
    let plan = Plan::new(&role).expect("fits");
    assert_eq!(plan.size(), 1);
    assert!(plan.explain().contains("(3 of the role's CONNECTION LIMIT) / "), "{plan}");
    let database = Inputs { database_limit: Some(8), account_limit: Some(50), ..INPUTS };
    assert!(refusal(&Inputs { pool_size: Some(5), ..database }).contains("only 4 fit"));
    let user = Inputs { kind: Kind::MySql, max_connections: None, ..role };
    assert!(refusal(&Inputs { instances: Some(2), ..user }).contains("MAX_USER_CONNECTIONS"));
    let lambda = Inputs { paradigm: Paradigm::Serverless, overlap: 1.0, ..role };
    assert!(refusal(&Inputs { instances: Some(4), ..lambda }).contains("budget is 3 (3 of"));
    assert_eq!(size(&Inputs { account_limit: Some(1000), ..INPUTS }), size(&INPUTS));
}

#[test]
fn databases_on_one_server_share_it_and_the_refusal_shows_the_sum() {
    let second = Inputs { cpus: 32, taken: 40, ..INPUTS };
    assert_eq!(size(&second), 7);
    assert_eq!(
        refusal(&Inputs { pool_size: Some(8), ..second }),
        "8 connections per process were set, but only 7 fit: (100 of the server − 3 reserved − 3 for \
         administration) / (1 instance × 2 in a deploy) = 47, less 40 of this process's other databases = 7; \
         set DATABASE_POOL_SIZE to 7 or less, or put a pooler in front of the server and set DATABASE_POOLER"
    );
    let lambda = Inputs {
        paradigm: Paradigm::Serverless,
        overlap: 1.0,
        taken: 1,
        instances: Some(50),
        ..INPUTS
    };
    assert!(
        refusal(&lambda).starts_with("50 environments × 2 connections = 100, but the budget is 94")
    );
    assert_eq!(size(&Inputs { instances: Some(47), ..lambda }), 1);
}

#[test]
fn no_input_is_too_large_or_too_small_for_the_arithmetic() {
    for number in [0, 1, usize::MAX] {
        for paradigm in [Paradigm::LongRunning, Paradigm::Serverless] {
            for overlap in [0.0, -1.0, f64::NAN, f64::INFINITY, 1.0] {
                let edges = Inputs { paradigm, overlap, ..INPUTS };
                for inputs in [
                    Inputs { cpus: number, ..edges },
                    Inputs { cpus: number, kind: Kind::Sqlite, ..edges },
                    Inputs { concurrency: number, ..edges },
                    Inputs { instances: Some(number), ..edges },
                    Inputs { max_connections: Some(number), ..edges },
                    Inputs { reserved: number, ..edges },
                    Inputs { account_limit: Some(number), ..edges },
                    Inputs { taken: number, ..edges },
                    Inputs { database_limit: Some(number), ..edges },
                    Inputs { pool_size: Some(number), ..edges },
                    Inputs { pool_size: Some(number), max_connections: None, ..edges },
                ] {
                    if let Ok(plan) = Plan::new(&inputs) {
                        assert!((1..=MOST).contains(&plan.size()), "{inputs:?}: {plan}");
                    }
                }
            }
        }
    }
}

#[test]
fn sqlite_has_no_server_to_share() {
    let plan =
        Plan::new(&Inputs { kind: Kind::Sqlite, max_connections: None, ..INPUTS }).expect("fits");
    assert_eq!(plan.size(), 3);
    assert_eq!(plan.keepalive_interval(), None);
    // A database in memory ends with its last connection.
    assert!(plan.max_lifetime() > Duration::from_secs(365 * 86_400));
}

#[test]
fn no_deployment_ever_plans_more_than_the_server_takes() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..100_000 {
        let serverless = random.bool();
        let inputs = Inputs {
            paradigm: if serverless { Paradigm::Serverless } else { Paradigm::LongRunning },
            kind: Kind::Postgres,
            cpus: random.usize(1..128),
            concurrency: random.usize(1..64),
            instances: Some(random.usize(1..2000)),
            overlap: 1.0 + random.f64() * 2.0,
            max_connections: Some(random.usize(0..5000)),
            reserved: random.usize(0..50),
            pool_size: random.bool().then(|| random.usize(1..200)),
            ..INPUTS
        };
        let (Ok(plan), Some(max), Some(instances)) =
            (Plan::new(&inputs), inputs.max_connections, inputs.instances)
        else {
            continue;
        };
        let processes = instances as f64 * inputs.overlap;
        let processes = if serverless { processes.ceil() } else { processes };
        let most = plan.size() as f64 * processes;
        assert!(plan.size() > 0);
        assert!(most <= (max - inputs.reserved) as f64, "{most} of {inputs:?}");
    }
}
