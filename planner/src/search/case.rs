//! What is searched for: an App, its traffic, the goals, and how to simulate and bill.

use super::fault::{Fault, Resource};
use super::goals::Goals;
use super::trial::Trial;
use crate::bill::{Bill, BillOptions};
use crate::hosts::{Fleet, Host, Model, Size};
use crate::simulation::{
    Cause, Configuration, Infeasible, Options, Outcome, Setup, Usage, simulate,
};
use crate::traffic::Traffic;
use crate::workload::{Database, Workload};

/// Requests that are simulated one by one during a search.
const SEARCH_EXACT: u64 = 60_000;

/// Stretches of the aggregate mode during a search.
const SEARCH_STRETCHES: u64 = 12_000;

/// An App under a traffic, with goals.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The App.
    pub workload: &'a Workload,
    /// The traffic.
    pub traffic: &'a Traffic,
    /// What must be reached.
    pub goals: Goals,
    /// What is on the bill.
    pub bill: &'a BillOptions,
    /// How to simulate.
    pub options: Options,
    /// Whether to simulate coarsely, as a search does.
    pub coarse: bool,
}

impl Case<'_> {
    /// The options of a run.
    fn run_options(&self) -> Options {
        if !self.coarse {
            return self.options.clone();
        }
        Options {
            exact_up_to: self.options.exact_up_to.min(SEARCH_EXACT),
            stretches: self.options.stretches.min(SEARCH_STRETCHES),
            progress: crate::simulation::Progress::default(),
            ..self.options.clone()
        }
    }

    /// Simulates a configuration.
    ///
    /// # Errors
    /// [`Infeasible`] if the App would not start with it.
    pub fn run(&self, host: &Host, configuration: &Configuration) -> Result<Trial, Infeasible> {
        let options = self.run_options();
        let configuration = configuration.clone();
        let setup = Setup::new(host, self.workload, self.traffic, configuration, &options)?;
        let outcome = simulate(&setup);
        let size = &setup.configuration.size;
        let bill = Bill::new(host, size, self.workload, &outcome.usage, self.bill);
        let headroom =
            super::trial::headroom(self, host, &setup.configuration, &setup.pool, &outcome);
        Ok(Trial { configuration: setup.configuration, pool: setup.pool, outcome, bill, headroom })
    }

    /// As [`Case::run`] with a database that has room for any number of connections.
    ///
    /// # Errors
    /// As [`Case::run`].
    pub fn run_with_room(
        &self,
        host: &Host,
        configuration: &Configuration,
    ) -> Result<Trial, Infeasible> {
        let room = 50_000;
        let database = self.workload.database.map(|database| Database {
            pooler_connections: room,
            // A pooler's server connections stay what they are.
            pooler_size: database.server_connections(),
            max_connections: room,
            ..database
        });
        let workload = Workload { database, ..self.workload.clone() };
        Case { workload: &workload, ..self.clone() }.run(host, configuration)
    }

    /// What a trial misses.
    #[must_use]
    pub fn fault(&self, host: &Host, trial: &Trial) -> Option<Fault> {
        let outcome = &trial.outcome;
        let share = outcome.refused_share();
        if share > self.goals.refused {
            let cause = outcome.main_cause().unwrap_or(Cause::Instances);
            let because = because(host, self.workload, trial, cause);
            return Some(Fault::Refused { share, allowed: self.goals.refused, cause, because });
        }
        if outcome.latency.p99 > self.goals.p99 {
            return Some(Fault::Slow { p99: outcome.latency.p99, allowed: self.goals.p99 });
        }
        let cold = outcome.cold_starts as f64 / outcome.requests.max(1) as f64;
        if cold > self.goals.cold {
            return Some(Fault::Cold { share: cold, allowed: self.goals.cold });
        }
        let allowed = self.goals.utilisation;
        let full = trial.headroom.iter().find(|used| used.utilisation > allowed + 1e-9);
        full.map(|used| Fault::Headroom {
            resource: used.resource,
            utilisation: used.utilisation,
            allowed,
        })
    }

    /// A cost that no configuration of a size is below.
    pub(crate) fn floor(&self, host: &Host, size: &Size) -> f64 {
        let seconds = self.traffic.span();
        let requests = self.traffic.requests() as f64;
        let service = self.workload.service.mean();
        let processor_seconds = requests * service * self.workload.processor_share;
        let instances = match &host.model {
            Model::Fleet(Fleet { parameters, .. }) => {
                (processor_seconds / seconds / size.cores).max(parameters.min_instances.value)
            }
            Model::Functions(_) => 0.0,
        };
        let usage = Usage {
            seconds,
            requests,
            // At most a fifth less: provisioned environments that are never idle cost a sixth less.
            function_seconds: requests * service * 0.8,
            instance_seconds: instances * seconds,
            active_seconds: processor_seconds / size.cores,
            // Instances of several sizes share nodes; their number is not known here.
            node_seconds: seconds,
            processor_seconds,
            cores: size.cores,
            memory_gb: size.memory_gb,
            ..Usage::default()
        };
        Bill::new(host, size, self.workload, &usage, self.bill).month * (1.0 - self.goals.refused)
    }

    /// Requests a second in the busiest minute.
    pub(crate) fn peak(&self) -> f64 {
        self.traffic.sustained_peak()
    }
}

/// What the requests that were turned away ran into, with the figures of the run.
fn because(host: &Host, workload: &Workload, trial: &Trial, cause: Cause) -> String {
    let Outcome { peak_instances, .. } = trial.outcome;
    let most = trial.configuration.most;
    let pool = trial.pool.as_ref().map_or(0, |pool| pool.size);
    match (cause, &host.model) {
        (Cause::Environments, _) => format!("all {most} environments that may run were busy"),
        (Cause::RequestRate, _) => format!(
            "AWS takes 10 requests a second for each environment that may run, {} for {most}",
            10 * most
        ),
        (Cause::Burst, _) => "more environments at once than AWS starts in ten seconds".into(),
        (Cause::Instances, _) if most == 1 => {
            "its one instance was busy, and its queue full".into()
        }
        (Cause::Instances, _) => format!("all {most} instances ran, and their queues were full"),
        (Cause::Scaler, Model::Fleet(fleet)) => format!(
            "new instances come too late ({peak_instances} of {most} ran; a request waits at most {})",
            crate::text::duration(fleet.parameters.patience_seconds.value)
        ),
        (Cause::Scaler, Model::Functions(_)) => "new environments come too late".into(),
        (Cause::InFlight, _) => format!(
            "a process lets in {} requests at once (MAX_IN_FLIGHT)",
            trial.configuration.max_in_flight.unwrap_or(usize::MAX)
        ),
        (Cause::Pool, _) => format!("all {pool} connections of a process were in use"),
        (Cause::Server, _) => server_was_in_use(workload, trial),
        (Cause::TimeLimit, Model::Fleet(fleet)) => format!(
            "the host ends a request after {}",
            crate::text::duration(fleet.parameters.request_limit_seconds.value)
        ),
        (Cause::TimeLimit, Model::Functions(functions)) => format!(
            "the host ends a request after {}",
            crate::text::duration(functions.parameters.request_limit_seconds.value)
        ),
        (Cause::Client, _) => "the client gave up before the answer".into(),
    }
}

/// Which of the two bounds of the server was reached: the one that more is in use of.
fn server_was_in_use(workload: &Workload, trial: &Trial) -> String {
    let used = |resource| {
        let found = trial.headroom.iter().find(|used| used.resource == resource);
        found.map_or(0.0, |used| used.utilisation)
    };
    let database = workload.database.as_ref();
    let cpus = database.and_then(|database| database.cpus);
    match (database.and_then(Database::server_connections), cpus) {
        (Some(many), _)
            if used(Resource::ServerConnections) >= used(Resource::DatabaseProcessors) =>
        {
            format!("all {many} server connections of the pooler were in use")
        }
        (_, Some(1)) => "the database's one processor was in use".into(),
        (_, Some(cpus)) => format!("all {cpus} processors of the database were in use"),
        (_, None) => "the server connections of the pooler were in use".into(),
    }
}
