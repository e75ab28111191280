//! Options that several commands take.
//! Long because every option has its help beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhost_core::Setting;
use anyhost_core::db::{Kind, Pooler};
use clap::Args;

use super::Failure;
use crate::bill::BillOptions;
use crate::hosts::{BillLine, Catalog, REGIONS};
use crate::search::Goals;
use crate::simulation::Options;
use crate::traffic::Gaps;
use crate::workload::{self, Database, Distribution, ProcessorTime, Workload};

/// What an App is like.
#[derive(Debug, Args)]
#[command(next_help_heading = "The App")]
pub(crate) struct App {
    /// How long a request takes on a free processor: 20ms, exp:20ms, lognormal:median=14ms,p99=100ms,
    /// quantiles:0=1ms,0.5=10ms,1=90ms [default: from the file, else lognormal:median=14.3ms,p99=100ms, 20 ms on average]
    #[arg(long, value_name = "TIME")]
    pub(crate) service: Option<Distribution>,
    /// The share of it that holds a database connection [default: 0.6; 0 without a database]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    db_share: Option<f64>,
    /// The share of it that keeps a processor busy [default: what the database share leaves]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    cpu_share: Option<f64>,
    /// The processor time of a request, if it is the same for all; a share is taken of each one's own time
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "cpu_share")]
    cpu_time: Option<f64>,
    /// The share of its processor time before its query; the rest it computes when the query is answered [default: 0.5]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    cpu_before: Option<f64>,
    /// Memory it needs, in MB
    #[arg(long, value_name = "MB", default_value_t = 512.0, value_parser = positive)]
    memory: f64,
    /// How long App::start takes
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = time)]
    start: f64,
    /// How long a client waits for an answer [default: as long as the host lets it]
    #[arg(long, value_name = "TIME", value_parser = time)]
    patience: Option<f64>,
}

/// What the database takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "The database")]
pub(crate) struct Db {
    /// The App has no database
    #[arg(long, conflicts_with_all = ["max_connections", "pooler", "db_cpus", "mysql"])]
    no_database: bool,
    /// The server is MySQL or MariaDB instead of PostgreSQL
    #[arg(long)]
    mysql: bool,
    /// The most connections the server takes
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = many)]
    max_connections: usize,
    /// Connections of the server that are not ours to use
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = many)]
    reserved: usize,
    /// Processors of the server [default: the server is never the bottleneck]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=4096))]
    db_cpus: Option<u32>,
    /// The share of a request's database time that keeps one of them busy
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    db_cpu_share: f64,
    /// What stands in front of it: none, pgbouncer, pgbouncer-prepared or rds-proxy
    #[arg(long, default_value = "none", value_parser = pooler)]
    pooler: Pooler,
    /// The most client connections the pooler takes
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = many)]
    pooler_connections: usize,
    /// The most server connections the pooler opens [default: all that the server has left]
    #[arg(long, value_name = "COUNT", value_parser = one_or_more)]
    pooler_size: Option<usize>,
}

impl Db {
    pub(crate) fn database(&self) -> Option<Database> {
        (!self.no_database).then(|| Database {
            kind: if self.mysql { Kind::MySql } else { Kind::Postgres },
            max_connections: self.max_connections,
            reserved: self.reserved,
            pooler: self.pooler,
            pooler_connections: self.pooler_connections,
            pooler_size: self.pooler_size,
            cpus: self.db_cpus.map(|cpus| cpus as usize),
            cpu_share: self.db_cpu_share,
        })
    }
}

impl App {
    /// `measured` is the service time of a file, which an option overrides.
    pub(crate) fn workload(
        &self,
        database: Option<Database>,
        measured: Option<Distribution>,
    ) -> Result<Workload, Failure> {
        let default = Workload::default();
        let service = self.service.clone().or(measured).unwrap_or(default.service);
        let share = if database.is_some() { default.database_share } else { 0.0 };
        let database_share = self.db_share.unwrap_or(share);
        let (processor_share, processor_time) = match self.cpu_time {
            Some(time) => (time / service.mean(), ProcessorTime::Constant),
            None => {
                let share = self.cpu_share.unwrap_or(1.0 - database_share);
                (share, ProcessorTime::Proportional)
            }
        };
        if processor_share + database_share > 1.0 + 1e-9 {
            return Err(Failure::usage(match self.cpu_time {
                Some(_) => "--cpu-time is more than --db-share leaves of the mean service time",
                None => "--db-share and --cpu-share are more than 1 together",
            }));
        }
        if database.is_none() && database_share > 0.0 {
            return Err(Failure::usage("--db-share is 0 with --no-database"));
        }
        Ok(Workload {
            service,
            database_share,
            processor_share,
            processor_before: self.cpu_before.unwrap_or(default.processor_before),
            processor_time,
            memory_gb: self.memory / 1024.0,
            start: self.start,
            patience: self.patience,
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
    /// Hosts and prices from this file, added to the built-in ones
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// The region whose prices are used: us-east-1 or ap-northeast-2
    #[arg(long, default_value = REGIONS[0])]
    region: String,
    /// A virtual machine at a price of your own: PROCESSORS,GB,DOLLARS-A-MONTH, such as 2,4,4.5
    #[arg(long, value_name = "SIZE", value_parser = own_machine)]
    vm: Option<(f64, f64, f64)>,
    /// The same seed gives the same result
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The most requests that are simulated one by one; more are simulated in aggregate
    #[arg(long, value_name = "REQUESTS", default_value_t = 1_000_000)]
    exact_up_to: u64,
    /// The most instances or environments [default: the host's own limit]
    #[arg(long, value_name = "COUNT", value_parser = one_or_more)]
    max_instances: Option<usize>,
    /// New versions per day
    #[arg(long, value_name = "COUNT", default_value_t = 1.0, value_parser = deploys)]
    deploys_per_day: f64,
    /// The largest 99th percentile of latency that is good enough [default: 1s, or three times the service time's]
    #[arg(long, value_name = "TIME", value_parser = time)]
    p99: Option<f64>,
    /// The largest share of requests turned away that is good enough
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    max_refused: f64,
    /// The largest share of requests that may wait for a process to start [default: any]
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, hide_default_value = true, value_parser = share)]
    max_cold: f64,
    /// The largest share of processors and connections in use during the busiest minute
    #[arg(long, value_name = "SHARE", default_value_t = 0.7, value_parser = some_share)]
    max_used: f64,
    /// Processes that may fail at once, if a host runs more than one
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = many)]
    spare: usize,
    /// Refuse hosts that run a single process
    #[arg(long)]
    redundant: bool,
    /// Lines on the bill besides compute, door, balancer, ipv4 and pooler
    #[arg(long, value_name = "LINE", value_enum, num_args = 1..)]
    with: Vec<BillLine>,
    /// Lines that are not on the bill
    #[arg(long, value_name = "LINE", value_enum, num_args = 1..)]
    without: Vec<BillLine>,
    /// The mean size of a response, in bytes: puts egress and capacity units on the bill
    #[arg(long, value_name = "BYTES", value_parser = zero_or_more)]
    response_bytes: Option<f64>,
}

impl Simulation {
    pub(crate) fn catalog(&self) -> Result<Catalog, Failure> {
        let mut own = String::new();
        let mut file = "--vm".to_owned();
        if let Some(path) = &self.hosts {
            file = path.display().to_string();
            own = fs::read_to_string(path)
                .map_err(|error| Failure::data(format!("{file}: {error}")))?;
        }
        if let Some((cores, memory_gb, usd)) = self.vm {
            own.push_str(&format!(
                "\n[price.\"own.vm\"]\nusd = {usd:?}\nvalid_on = 2026-11-29\nsource = \"--vm\"\nregion = \"your provider\"\n\
                 [[host]]\nname = \"own-vm\"\ntitle = \"Your virtual machine with systemd\"\nshort = \"Your VM\"\nlike = \"vm\"\n\
                 in_vpc = false\n\
                 note = \"Socket activation keeps connections through a restart.\"\n\
                 sizes = [{{ cores = {cores:?}, memory_gb = {memory_gb:?}, price = \"own.vm\" }}]\n\
                 [host.bill]\ninstance = {{ line = \"compute\", per = \"instance-month\", price = \"size\" }}\n\
                 ipv4 = {{ line = \"ipv4\", per = \"month\", price = \"none\" }}\n\
                 egress = {{ line = \"egress\", per = \"gb-out\", price = \"none\" }}\n\
                 logs = {{ line = \"logs\", per = \"gb-logged\", price = \"none\" }}\n\
                 proxy = {{ line = \"pooler\", per = \"month\", price = \"none\" }}\n\
                 database = {{ line = \"database\", per = \"month\", price = \"none\" }}\n"
            ));
        }
        let own = (!own.is_empty()).then_some((file.as_str(), own.as_str()));
        let catalog = Catalog::read(&self.region, own).map_err(|error| {
            if error.file.starts_with("region ") {
                Failure::usage(format!("--region: {error}"))
            } else {
                Failure::data(error)
            }
        })?;
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

    pub(crate) fn goals(&self, workload: &Workload) -> Goals {
        let default = Goals::for_service(workload.service.p99());
        Goals {
            p99: self.p99.unwrap_or(default.p99),
            refused: self.max_refused,
            cold: self.max_cold,
            utilisation: self.max_used,
            spare: self.spare,
            redundant: self.redundant,
        }
    }

    /// `bytes` is the mean size of a response in a file, which an option overrides.
    pub(crate) fn bill(&self, workload: &Workload, bytes: Option<f64>) -> BillOptions {
        let default = BillOptions::default();
        let response_bytes = self.response_bytes.or(bytes).unwrap_or(0.0);
        let mut lines = default.lines.clone();
        if response_bytes > 0.0 {
            lines.insert(BillLine::Egress);
        }
        lines.extend(self.with.iter().copied());
        let without = self.without.iter().copied().collect::<BTreeSet<_>>();
        lines.retain(|line| !without.contains(line));
        let cpus = workload.database.and_then(|database| database.cpus);
        let database_cpus = cpus.map_or(default.database_cpus, |cpus| cpus as f64);
        BillOptions { lines, response_bytes, database_cpus, ..default }
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

fn some_share(text: &str) -> Result<f64, String> {
    number(text, |n| (0.01..=1.0).contains(&n), "a share from 0.01 to 1")
}

fn deploys(text: &str) -> Result<f64, String> {
    number(text, |n| (0.0..=1000.0).contains(&n), "a number from 0 to 1000")
}

/// A request rate, within what a pattern takes.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    number(text, |n| n > 0.0 && n <= 1e6, "requests a second, above 0 and up to 1000000")
}

/// A number of connections, instances or processes.
pub(crate) fn many(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number <= 1_000_000);
    number.ok_or("expected a whole number up to 1000000".into())
}

pub(crate) fn one_or_more(text: &str) -> Result<usize, String> {
    many(text)
        .ok()
        .filter(|number| *number > 0)
        .ok_or("expected a whole number from 1 to 1000000".into())
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    number(text, |n| n > 0.0 && n <= 1e9, "a number above 0")
}

fn zero_or_more(text: &str) -> Result<f64, String> {
    number(text, |n| (0.0..=1e9).contains(&n), "a number of 0 or more")
}

fn own_machine(text: &str) -> Result<(f64, f64, f64), String> {
    let parts = text.split(',').map(|part| positive(part.trim())).collect::<Result<Vec<_>, _>>();
    match parts.as_deref() {
        Ok([cores, memory, usd]) => Ok((*cores, *memory, *usd)),
        _ => Err("expected PROCESSORS,GB,DOLLARS-A-MONTH, such as 2,4,4.5".into()),
    }
}

pub(crate) fn time(text: &str) -> Result<f64, String> {
    workload::seconds(text).ok_or("expected a time such as 50ms or 1.5s".into())
}

pub(crate) fn pooler(text: &str) -> Result<Pooler, String> {
    Pooler::parse(text).ok_or(format!("expected {}", Pooler::expected()))
}
