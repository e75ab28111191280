//! A host as the simulation sees it.

use anyhost_core::Paradigm;
use serde::Deserialize;

use super::{BillLine, Measured, Per, Price, Sourced};

/// A host: how it runs processes, and what it costs.
#[derive(Clone, Debug)]
pub struct Host {
    /// The name on the command line.
    pub name: String,
    /// The name in reports.
    pub title: String,
    /// A name that fits a column.
    pub short: String,
    /// What a reader should know besides the figures.
    pub note: String,
    /// How it runs processes.
    pub model: Model,
    /// The paradigm that the App's adapter reports there, from which its connection plan follows.
    pub paradigm: Paradigm,
    /// Whether the provider takes processes back when it wants to; how often is not simulated.
    pub interruptible: bool,
    /// Whether its processes run in the network of the database: only from there RDS Proxy can be reached.
    pub in_vpc: bool,
    /// What is paid for.
    pub bill: Vec<BillItem>,
    /// The least that is paid for compute in a month, whatever is used.
    pub minimum: Option<Price>,
    /// The first price that this region's list does not have; such a host cannot be compared.
    pub unpriced: Option<String>,
}

/// One price of a host and what it is multiplied with.
#[derive(Clone, Debug)]
pub struct BillItem {
    /// What is paid for, in a word.
    pub what: String,
    /// The line of the bill that it belongs to.
    pub line: BillLine,
    /// The unit.
    pub per: Per,
    /// US dollars for one unit.
    pub price: ItemPrice,
    /// Units a month that the free tier takes off.
    pub free: f64,
}

/// Where the price of an item is from.
#[derive(Clone, Debug)]
pub enum ItemPrice {
    /// One price for all sizes.
    Fixed(Price),
    /// The price of the size.
    BySize,
}

/// How a host runs processes.
#[expect(clippy::large_enum_variant, reason = "there is one for each host, and hosts are few")]
#[derive(Clone, Debug)]
pub enum Model {
    /// Instances that answer many requests at once, started and stopped by a scaler.
    Fleet(Fleet),
    /// Environments that answer one request at a time, started by requests.
    Functions(Functions),
}

/// Instances that answer many requests at once.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The sizes an instance comes in, the smallest first.
    pub sizes: Vec<Size>,
    /// How requests are spread over instances.
    pub balancing: Balancing,
    /// When instances are added and removed.
    pub scaling: Scaling,
    /// The rest.
    pub parameters: FleetParameters,
}

/// Processors and memory of one instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Size {
    /// What the provider calls it; empty if it has no name.
    pub name: String,
    /// Processors, or the share of one.
    pub cores: f64,
    /// Memory in GB.
    pub memory_gb: f64,
    /// What may be used of the processors, if it is not all the time.
    pub burst: Option<Burst>,
    /// Its price, if sizes have prices of their own.
    pub price: Option<Price>,
}

/// What an instance may use of its processors: a share all the time, and more as long as it has saved some.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Processors that may be used all the time.
    pub cores: f64,
    /// The most that is saved of them, in seconds of one processor.
    pub seconds: f64,
}

/// How requests are spread over instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balancing {
    /// Each to any.
    Random,
    /// One after the other.
    RoundRobin,
}

/// When instances are added and removed.
#[expect(clippy::large_enum_variant, reason = "there is one for each host, and hosts are few")]
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scaling {
    /// Never: sized for the busiest interval at a utilisation.
    Fixed {
        /// Of the processors, in the busiest interval.
        utilisation: Sourced,
    },
    /// By the use of the processors, as Kubernetes' HPA and ECS' target tracking do.
    Utilisation {
        /// What it aims at.
        utilisation: Sourced,
        /// The share by which it may be missed without a change.
        tolerance: Sourced,
        /// How often it decides.
        period_seconds: Sourced,
        /// How long a load must have lasted until it is acted on.
        react_seconds: Sourced,
        /// How many times as many instances one decision may make.
        up_factor: Sourced,
        /// How many more instances one decision may make in any case.
        up_count: Sourced,
        /// The time for which fewer instances must be enough before some are removed.
        down_seconds: Sourced,
    },
    /// By the number of requests in progress, down to no instance.
    Requests {
        /// What it aims at, of the processors and of the concurrency.
        utilisation: Sourced,
        /// Over how long it averages the use.
        window_seconds: Sourced,
        /// How long an idle instance is kept.
        idle_seconds: Sourced,
    },
    /// As Fly's proxy does: a request that finds all instances at their concurrency starts one more; now and then one
    /// instance is stopped that is not needed at that moment.
    Autostop {
        /// What the number of instances is made for.
        utilisation: Sourced,
        /// How often it looks for one to stop.
        look_seconds: Sourced,
    },
}

impl Scaling {
    /// The use of the processors that it aims at.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        match self {
            Self::Fixed { utilisation }
            | Self::Utilisation { utilisation, .. }
            | Self::Requests { utilisation, .. }
            | Self::Autostop { utilisation, .. } => utilisation.value,
        }
    }
}

/// The parameters of a fleet. Units are in the names.
#[allow(missing_docs, reason = "the data file says what each is, with its source")]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetParameters {
    pub min_instances: Sourced,
    pub max_instances: Sourced,
    pub start_seconds: Sourced,
    pub starts_per_second: Option<Sourced>,
    pub concurrency_per_core: Option<Sourced>,
    pub overlap: Sourced,
    pub deploy_seconds: Sourced,
    pub patience_seconds: Sourced,
    pub node_start_seconds: Option<Sourced>,
    pub node_cores: Option<Sourced>,
    pub node_keep_seconds: Option<Sourced>,
    pub spare_nodes: Option<Sourced>,
    pub active_step_seconds: Option<Sourced>,
    pub request_limit_seconds: Sourced,
    pub request_limit_unless_raised_seconds: Option<Sourced>,
    pub quota_period_seconds: Option<Sourced>,
}

/// Environments that answer one request at a time.
#[derive(Clone, Debug)]
pub struct Functions {
    /// The parameters.
    pub parameters: FunctionParameters,
}

/// The parameters of functions. Units are in the names.
#[allow(missing_docs, reason = "the data file says what each is, with its source")]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionParameters {
    pub max_environments: Sourced,
    pub burst_environments: Sourced,
    pub burst_seconds: Sourced,
    pub requests_per_environment_second: Sourced,
    pub keep_warm_seconds: Sourced,
    pub gb_per_core: Sourced,
    pub min_memory_gb: Sourced,
    pub max_memory_gb: Sourced,
    pub billing_step_ms: Sourced,
    pub init_billed: Sourced,
    pub cold_start_ms: Measured,
    pub init_ms: Measured,
    pub request_limit_seconds: Sourced,
    pub run_limit_seconds: Sourced,
    pub quota_period_seconds: Option<Sourced>,
}
