//! How many connections each process of a deployment holds: core's own plan, asked for the deployment at hand.

use anyhost_core::Paradigm;
use anyhost_core::db::{Error, Inputs, Plan};

use crate::workload::Database;

/// The plan that a deployment runs with, and how large it may be for it.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Core's plan for one process.
    pub plan: Plan,
    /// The most processes (environments) that run at once.
    pub instances: usize,
    /// Where more were wished for than the database takes: how many, and what core answered.
    pub refused: Option<(usize, String)>,
}

/// What core plans for `wished` processes, or for as many as the database takes.
///
/// # Errors
/// What core says where not even one process fits.
pub fn deploy(
    paradigm: Paradigm,
    cores: f64,
    wished: usize,
    overlap: f64,
    database: &Database,
) -> Result<Deployment, Error> {
    let plan = |instances| Plan::new(&inputs(paradigm, cores, instances, overlap, database));
    let reason = match plan(wished) {
        Ok(plan) => return Ok(Deployment { plan, instances: wished, refused: None }),
        Err(error) => error.to_string(),
    };
    // A plan that fits some number of instances fits any smaller one.
    let (mut fits, mut best) = (1, plan(1)?);
    let mut fails = wished;
    while fails - fits > 1 {
        let middle = fits + (fails - fits) / 2;
        match plan(middle) {
            Ok(plan) => (fits, best) = (middle, plan),
            Err(_) => fails = middle,
        }
    }
    Ok(Deployment { plan: best, instances: fits, refused: Some((wished, reason)) })
}

/// Core's inputs for a deployment.
#[must_use]
pub fn inputs(
    paradigm: Paradigm,
    cores: f64,
    instances: usize,
    overlap: f64,
    database: &Database,
) -> Inputs {
    Inputs {
        paradigm,
        kind: database.kind,
        // As core counts processors: whole ones, at least one.
        cpus: cores.ceil().max(1.0) as usize,
        concurrency: 1,
        instances: Some(instances),
        overlap: match paradigm {
            Paradigm::LongRunning => overlap,
            // Concurrency is limited per function, whatever its version.
            Paradigm::Serverless => 1.0,
        },
        max_connections: Some(database.limit()),
        reserved: database.reserved,
        account_limit: None,
        database_limit: None,
        taken: 0,
        pool_size: None,
        pooler: database.pooler,
        acquire_timeout: None,
        connect_timeout: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_as_large_as_core_allows_and_no_larger() {
        let database = Database::default();
        let small = deploy(Paradigm::LongRunning, 2.0, 3, 2.0, &database).expect("fits");
        assert_eq!((small.plan.size(), small.instances), (5, 3));
        let large = deploy(Paradigm::LongRunning, 2.0, 1000, 2.0, &database).expect("fits in part");
        assert_eq!((large.plan.size(), large.instances), (1, 47));
        let functions =
            deploy(Paradigm::Serverless, 0.3, 1000, 1.0, &database).expect("fits in part");
        assert_eq!(functions.instances, 94);
        let (wished, reason) = functions.refused.expect("core refused");
        assert!(
            wished == 1000 && reason.contains("1000 environments × 1 connection = 1000"),
            "{reason}"
        );
        for instances in [functions.instances, functions.instances + 1] {
            let plan = Plan::new(&inputs(Paradigm::Serverless, 0.3, instances, 1.0, &database));
            assert_eq!(plan.is_ok(), instances == 94);
        }
        let none = Database { max_connections: 4, ..database };
        assert!(deploy(Paradigm::Serverless, 1.0, 5, 1.0, &none).is_err());
    }
}
