//! Options that several commands take.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::PathBuf;

use anyhost_core::Setting;
use anyhost_core::db::{Kind, Pooler};
use clap::Args;

use super::Failure;
use crate::model::Catalog;
use crate::simulation::Options;
use crate::traffic::Gaps;
use crate::verdict::Goals;
use crate::workload::{self, Database, Distribution, Workload};

/// What an App is like.
#[derive(Debug, Args)]
#[command(next_help_heading = "The App")]
pub(crate) struct App {
    /// How long a request takes on a free processor: 20ms, exp:20ms, lognormal:median=14ms,p99=100ms,
    /// quantiles:0=1ms,0.5=10ms,1=90ms
    #[arg(long, value_name = "TIME", default_value = "lognormal:median=14.3ms,p99=100ms")]
    service: Distribution,
    /// Take the service time from an access log instead
    #[arg(long, value_name = "FILE", conflicts_with = "service")]
    access_log: Option<PathBuf>,
    /// The share of it that holds a database connection
    #[arg(long, value_name = "SHARE", default_value_t = 0.6, value_parser = share)]
    db_share: f64,
    /// The share of it that keeps a processor busy [default: what the database share leaves]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    cpu_share: Option<f64>,
    /// Memory it needs, in MB
    #[arg(long, value_name = "MB", default_value_t = 512.0, value_parser = positive)]
    memory: f64,
    /// How long App::start takes
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = time)]
    start: f64,
}

/// What the database takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "The database")]
pub(crate) struct Db {
    /// The most connections the server takes
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    max_connections: usize,
    /// Connections of the server that are not ours to use
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    reserved: usize,
    /// What stands before it: none, pgbouncer, pgbouncer-prepared or rds-proxy
    #[arg(long, default_value = "none", value_parser = pooler)]
    pooler: Pooler,
    /// The most client connections the pooler takes
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pooler_connections: usize,
}

impl Db {
    pub(crate) fn database(&self) -> Database {
        Database {
            kind: Kind::Postgres,
            max_connections: self.max_connections,
            reserved: self.reserved,
            pooler: self.pooler,
            pooler_connections: self.pooler_connections,
        }
    }
}

impl App {
    pub(crate) fn workload(&self, database: Database) -> Result<Workload, Failure> {
        let service = match &self.access_log {
            None => self.service.clone(),
            Some(path) => {
                let fault = |error: &dyn ToString| {
                    Failure::data(format!("{}: {}", path.display(), error.to_string()))
                };
                let log = File::open(path).map_err(|error| fault(&error))?;
                workload::measure(BufReader::new(log)).map_err(|error| fault(&error))?.0
            }
        };
        let processor_share = self.cpu_share.unwrap_or(1.0 - self.db_share);
        if processor_share + self.db_share > 1.0 + 1e-9 {
            return Err(Failure::usage("--db-share and --cpu-share are more than 1 together"));
        }
        Ok(Workload {
            service,
            database_share: self.db_share,
            processor_share,
            memory_gb: self.memory / 1024.0,
            start: self.start,
            database,
        })
    }
}

/// How to simulate, and what must be reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "The simulation")]
pub(crate) struct Simulation {
    /// Only these hosts, by name; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Hosts and prices from this file instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// The same seed gives the same result
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The most requests that are simulated one by one; more are simulated in aggregate
    #[arg(long, value_name = "REQUESTS", default_value_t = 3_000_000)]
    exact_up_to: u64,
    /// The most instances or environments [default: the host's own limit]
    #[arg(long, value_name = "COUNT")]
    max_instances: Option<usize>,
    /// New versions per day
    #[arg(long, value_name = "COUNT", default_value_t = 1.0, value_parser = zero_or_more)]
    deploys_per_day: f64,
    /// The largest 99th percentile of latency that is good enough
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    p99: f64,
    /// The largest share of requests turned away that is good enough
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    max_refused: f64,
}

impl Simulation {
    pub(crate) fn catalog(&self) -> Result<Catalog, Failure> {
        let catalog = match &self.hosts {
            None => Catalog::built_in(),
            Some(path) => {
                let file = path.display().to_string();
                let text = fs::read_to_string(path)
                    .map_err(|error| Failure::data(format!("{file}: {error}")))?;
                Catalog::parse(&file, &text).map_err(Failure::data)?
            }
        };
        if let Some(unknown) = self.host.iter().find(|name| catalog.host(name).is_none()) {
            let known = catalog.hosts().iter().map(|host| host.name.as_str()).collect::<Vec<_>>();
            return Err(Failure::usage(format!(
                "--host: no host is called {unknown}; there are {}",
                known.join(", ")
            )));
        }
        Ok(catalog)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.host
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            seed: self.seed,
            exact_up_to: self.exact_up_to,
            max_instances: self.max_instances,
            deploys_per_day: self.deploys_per_day,
            ..Options::default()
        }
    }

    pub(crate) fn goals(&self) -> Goals {
        Goals { p99: self.p99, refused: self.max_refused }
    }
}

/// What offsets mean that a trace skips.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum GapsOption {
    /// They are a fault of the file
    Refuse,
    /// No requests
    Empty,
    /// As many requests as before
    Repeat,
}

impl From<GapsOption> for Gaps {
    fn from(option: GapsOption) -> Self {
        match option {
            GapsOption::Refuse => Self::Refuse,
            GapsOption::Empty => Self::Empty,
            GapsOption::Repeat => Self::Repeat,
        }
    }
}

fn number(text: &str, fits: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number| fits(*number)).ok_or(format!("expected {expected}"))
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |n| (0.0..=1.0).contains(&n), "a share from 0 to 1")
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |n| n > 0.0 && n <= 1e9, "a number above 0")
}

fn zero_or_more(text: &str) -> Result<f64, String> {
    number(text, |n| (0.0..=1e6).contains(&n), "a number of 0 or more")
}

pub(crate) fn time(text: &str) -> Result<f64, String> {
    workload::seconds(text).ok_or("expected a time such as 50ms or 1.5s".into())
}

pub(crate) fn pooler(text: &str) -> Result<Pooler, String> {
    Pooler::parse(text).ok_or(format!("expected {}", Pooler::expected()))
}
