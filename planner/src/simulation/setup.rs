//! A deployment of an App on a host: what is set, and what follows from it.
//! Long because a run's options, its configuration and what is derived from both are checked in one place.

use std::fmt;

use anyhost_core::Paradigm;
use anyhost_core::db::Pooler;

use super::Progress;
use super::occupancy::Occupancy;
use crate::connections::{Deployment, Pool};
use crate::hosts::{Fleet, Functions, Host, Model, Scaling, Size};
use crate::traffic::Traffic;
use crate::workload::Workload;

/// How to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed of the random numbers: the same seed gives the same result.
    pub seed: u64,
    /// The most requests that are simulated one by one.
    pub exact_up_to: u64,
    /// The most stretches of time that the aggregate mode looks at.
    pub stretches: u64,
    /// The most instances or environments, if it shall not be the host's own limit.
    pub max_instances: Option<usize>,
    /// New versions per day; while one comes, old and new processes overlap.
    pub deploys_per_day: f64,
    /// Where progress is reported.
    pub progress: Progress,
}

impl Default for Options {
    /// Seed 1, up to a million requests one by one, one deploy a day.
    fn default() -> Self {
        Self {
            seed: 1,
            exact_up_to: 1_000_000,
            stretches: 400_000,
            max_instances: None,
            deploys_per_day: 1.0,
            progress: Progress::default(),
        }
    }
}

/// Why an App cannot run on a host at all, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Infeasible(pub String);

impl fmt::Display for Infeasible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user sets on a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Processors and memory of one instance or environment.
    pub size: Size,
    /// Instances that always run; for functions the provisioned concurrency.
    pub least: usize,
    /// The most instances; for functions the reserved concurrency.
    pub most: usize,
    /// `DATABASE_POOL_SIZE`; `None`: core's own formula.
    pub pool_size: Option<usize>,
    /// `MAX_IN_FLIGHT`: requests at once in one process, beyond which it answers 503; `None`: as many as come.
    pub max_in_flight: Option<usize>,
}

impl Configuration {
    /// From `least` to `most` instances of a size, with core's own formula for the pool and no limit on requests.
    #[must_use]
    pub fn new(size: Size, least: usize, most: usize) -> Self {
        Self { size, least, most, pool_size: None, max_in_flight: None }
    }

    /// A first guess: the smallest size with enough memory, as many instances as the scaler's target asks for.
    ///
    /// # Errors
    /// [`Infeasible`] if no size has enough memory.
    pub fn guess(
        host: &Host,
        workload: &Workload,
        traffic: &Traffic,
        max_instances: Option<usize>,
    ) -> Result<Self, Infeasible> {
        let size = sizes(host, workload)?.into_iter().next().unwrap_or_default();
        let (least, most) = match &host.model {
            Model::Functions(functions) => {
                let most = functions.parameters.max_environments.value as usize;
                (0, max_instances.unwrap_or(most).clamp(1, most))
            }
            Model::Fleet(fleet) => {
                let most = fleet.parameters.max_instances.value as usize;
                let most = max_instances.unwrap_or(most).clamp(1, most);
                let least = (fleet.parameters.min_instances.value as usize).min(most);
                let present = most_present(workload, traffic);
                let peak = instances(fleet, &size, workload, present).clamp(least.max(1), most);
                match fleet.scaling {
                    Scaling::Fixed { .. } => (peak, peak),
                    // Room for half as much again, and for one to be replaced.
                    Scaling::Utilisation { .. }
                    | Scaling::Requests { .. }
                    | Scaling::Autostop { .. } => {
                        (least, (peak + peak.div_ceil(2)).max(least + 1).min(most))
                    }
                }
            }
        };
        let mut guess = Self::new(size, least, most);
        if let Some(database) = &workload.database {
            let fits = guess.deployment(host).most_instances(database).max(1);
            guess.most = guess.most.min(fits);
            guess.least = guess.least.min(guess.most);
        }
        Ok(guess)
    }

    /// What core's plan asks for it.
    #[must_use]
    pub fn deployment(&self, host: &Host) -> Deployment {
        let (concurrency, overlap) = match &host.model {
            Model::Functions(_) => (1, 1.0),
            Model::Fleet(fleet) => {
                let places = fleet.parameters.concurrency_per_core.as_ref();
                // What the adapter is told: whole requests.
                let places = places.map_or(1, |places| (places.value * self.size.cores) as usize);
                (places.max(1), fleet.parameters.overlap.value)
            }
        };
        let concurrency = if host.paradigm == Paradigm::Serverless { concurrency } else { 1 };
        Deployment {
            paradigm: host.paradigm,
            cores: self.size.cores,
            concurrency,
            instances: self.most,
            overlap,
            pool_size: self.pool_size,
        }
    }
}

/// The sizes of a host with enough memory for the App, the smallest first.
///
/// # Errors
/// [`Infeasible`] if there is none.
pub fn sizes(host: &Host, workload: &Workload) -> Result<Vec<Size>, Infeasible> {
    let needed = workload.memory_gb;
    match &host.model {
        Model::Fleet(Fleet { sizes, .. }) => {
            let fitting = sizes.iter().filter(|size| size.memory_gb >= needed).cloned();
            let fitting = fitting.collect::<Vec<_>>();
            if fitting.is_empty() {
                let most = sizes.iter().map(|size| size.memory_gb).fold(0.0, f64::max);
                return Err(Infeasible(format!(
                    "the App needs {needed} GB, the largest instance has {most}"
                )));
            }
            Ok(fitting)
        }
        Model::Functions(Functions { parameters }) => {
            let most = parameters.max_memory_gb.value;
            if needed > most {
                return Err(Infeasible(format!(
                    "the App needs {needed} GB, a function has at most {most}"
                )));
            }
            let whole = parameters.gb_per_core.value;
            let least = needed.max(parameters.min_memory_gb.value);
            // Half, one, two and four processors besides what the App needs at least.
            let larger = [0.25, 0.5, 1.0, 2.0, 4.0].map(|cores| cores * whole);
            let larger = larger.into_iter().filter(|memory| *memory > least && *memory <= most);
            let sizes = std::iter::once(least).chain(larger).map(|memory_gb| Size {
                name: format!("{:.0} MB", memory_gb * 1024.0),
                cores: memory_gb / whole,
                memory_gb,
                ..Size::default()
            });
            Ok(sizes.collect())
        }
    }
}

/// Instances that a rate asks for at the scaler's target, by processors and by places; not bounded.
pub(crate) fn needed(fleet: &Fleet, size: &Size, workload: &Workload, rate: f64) -> usize {
    instances(fleet, size, workload, rate * workload.service.mean())
}

/// Instances that so many requests at once ask for.
fn instances(fleet: &Fleet, size: &Size, workload: &Workload, busy: f64) -> usize {
    let target = fleet.scaling.utilisation();
    let by_use = busy * workload.processor_share / (size.cores * target);
    let places = fleet.parameters.concurrency_per_core.as_ref();
    let places = places.map_or(0.0, |per_core| busy / (per_core.value * size.cores * target));
    by_use.max(places).ceil() as usize
}

/// The mean number of requests in the system in each of these intervals.
fn present<'a>(
    workload: &Workload,
    traffic: &Traffic,
    counts: impl Iterator<Item = &'a u64> + 'a,
) -> impl Iterator<Item = f64> + 'a {
    let (service, interval) = (workload.service.mean(), traffic.interval().as_secs_f64());
    let mut occupancy = Occupancy::new(workload.service.variability());
    counts.map(move |count| occupancy.pass(*count as f64 / interval, service, interval))
}

/// The most of them in any interval.
fn most_present(workload: &Workload, traffic: &Traffic) -> f64 {
    // If requests are far shorter than an interval, Little's law holds in each.
    let (service, interval) = (workload.service.mean(), traffic.interval().as_secs_f64());
    if service * 100.0 < interval {
        return traffic.peak() * service;
    }
    present(workload, traffic, traffic.counts().iter()).fold(0.0, f64::max)
}

/// A configuration of a host under a traffic.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// The host.
    pub host: &'a Host,
    /// The App.
    pub workload: &'a Workload,
    /// The traffic.
    pub traffic: &'a Traffic,
    /// What is set.
    pub configuration: Configuration,
    /// The pool of one process, by core's plan; `None` for an App without a database.
    pub pool: Option<Pool>,
    /// Instances at the start: what the first interval asks for, since no deployment begins with its trace.
    pub first: usize,
    pub(crate) options: &'a Options,
}

impl<'a> Setup<'a> {
    /// A configuration of a host under a traffic.
    ///
    /// # Errors
    /// [`Infeasible`] with core's words if the App would not start with it.
    pub fn new(
        host: &'a Host,
        workload: &'a Workload,
        traffic: &'a Traffic,
        configuration: Configuration,
        options: &'a Options,
    ) -> Result<Self, Infeasible> {
        let pool = match &workload.database {
            None => None,
            Some(database) => {
                if database.pooler == Pooler::RdsProxy && !host.in_vpc {
                    return Err(Infeasible(
                        "RDS Proxy cannot be reached from outside the database's VPC".into(),
                    ));
                }
                let pool = configuration.deployment(host).pool(database);
                Some(pool.map_err(|error| Infeasible(error.to_string()))?)
            }
        };
        let Configuration { least, most, .. } = configuration;
        let first = match &host.model {
            Model::Functions(_) => 0,
            Model::Fleet(fleet) => {
                let begin = traffic.counts().iter().take(1);
                let present = present(workload, traffic, begin).fold(0.0, f64::max);
                instances(fleet, &configuration.size, workload, present).clamp(least, most)
            }
        };
        Ok(Self { host, workload, traffic, configuration, pool, first, options })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hosts::Catalog;

    /// 1,000 requests within 10 s, each for 120 s: of those 10 s 500 are there on average, and later never more than 1,000.
    /// Little's law with the rate of 100 a second says 12,000, which are 250 instances of 80 places at 60 % of them.
    #[test]
    fn requests_that_outlast_an_interval_are_counted_once() {
        let catalog = Catalog::built_in();
        let host = catalog.host("cloud-run").expect("a known host");
        let workload = Workload {
            service: "120s".parse().expect("a duration"),
            database_share: 0.0,
            processor_share: 0.0,
            database: None,
            ..Workload::default()
        };
        let traffic = Traffic::new("burst", Duration::from_secs(10), vec![1000, 0, 0, 0, 0, 0]);
        let guess = Configuration::guess(host, &workload, &traffic, None).expect("it has a size");
        let Model::Fleet(fleet) = &host.model else { panic!("Cloud Run is a fleet") };
        let each = |places: f64| (places / (80.0 * fleet.scaling.utilisation())).ceil() as usize;
        let peak = each(1000.0);
        assert_eq!(guess.most, peak + peak.div_ceil(2));
        let options = Options::default();
        let setup = Setup::new(host, &workload, &traffic, guess, &options).expect("it starts");
        // All stages of the occupancy are passed within one interval, which counts up to a third more.
        assert!((each(500.0)..=each(660.0)).contains(&setup.first), "{}", setup.first);
    }
}
