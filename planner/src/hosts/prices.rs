//! Prices by region: what a price is for, and the built-in price lists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Date;

/// Regions with a built-in price list, the default first.
pub const REGIONS: [&str; 2] = ["us-east-1", "ap-northeast-2"];

const ANYWHERE: &str = include_str!("../../data/prices/anywhere.toml");
const US_EAST_1: &str = include_str!("../../data/prices/us-east-1.toml");
const AP_NORTHEAST_2: &str = include_str!("../../data/prices/ap-northeast-2.toml");

/// A price with its date, source and region.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars for one unit.
    pub usd: f64,
    /// The day on which it was the list price. Optional so that we can report its absence ourselves.
    pub valid_on: Option<Date>,
    /// Where it was read.
    pub source: String,
    /// Whether it is an assumption rather than a price that was read somewhere.
    #[serde(default)]
    pub assumed: bool,
    /// Where it holds; filled in from the price list.
    #[serde(default)]
    pub region: String,
}

/// The built-in texts of a region's prices; `None` for an unknown region.
pub(crate) fn built_in(region: &str) -> Option<[&'static str; 2]> {
    match region {
        "us-east-1" => Some([ANYWHERE, US_EAST_1]),
        "ap-northeast-2" => Some([ANYWHERE, AP_NORTHEAST_2]),
        _ => None,
    }
}

/// A price list as a file holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    region: String,
    price: BTreeMap<String, Price>,
}

/// Reads a price list.
///
/// # Errors
/// One line that names the price.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Price>, String> {
    let List { region, mut price } = toml::from_str(text).map_err(|error| error.to_string())?;
    for (name, price) in &mut price {
        if price.region.is_empty() {
            price.region.clone_from(&region);
        }
        check(name, price)?;
    }
    Ok(price)
}

/// Refuses a price without a date and a price below 0.
///
/// # Errors
/// One line that names the price.
pub(crate) fn check(name: &str, price: &Price) -> Result<(), String> {
    if price.valid_on.is_none() {
        return Err(format!("price {name} has no valid_on: a price without a date is none"));
    }
    if !(price.usd.is_finite() && price.usd >= 0.0) {
        return Err(format!("price {name} must be 0 or more"));
    }
    Ok(())
}

/// A line of the bill, which can be switched on and off.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum BillLine {
    /// Processors and memory, and the host's own price of a request.
    Compute,
    /// An API gateway in front of functions.
    Door,
    /// A load balancer with its capacity units.
    Balancer,
    /// Public IPv4 addresses.
    Ipv4,
    /// A NAT gateway.
    Nat,
    /// The control plane of a cluster.
    ControlPlane,
    /// Bytes sent to clients; needs the size of a response.
    Egress,
    /// Log lines.
    Logs,
    /// A pooler in front of the database, if one is used.
    Pooler,
    /// The database server.
    Database,
    /// What the provider gives for nothing each month, taken off.
    FreeTier,
}

impl BillLine {
    /// The lines that are on unless the user says otherwise: what a host cannot run without.
    pub const DEFAULT: [Self; 5] =
        [Self::Compute, Self::Door, Self::Balancer, Self::Ipv4, Self::Pooler];

    /// Whether an App pays for it wherever it runs, so that a bill without it is no smaller bill.
    pub(crate) fn is_shared(self) -> bool {
        matches!(self, Self::Database | Self::Egress | Self::Logs)
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self)
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// The unit of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// A request that was answered.
    Request,
    /// A second of a function's run, times its memory in GB.
    FunctionGbSecond,
    /// An hour of an instance.
    InstanceHour,
    /// A second of a provisioned environment, times its memory in GB.
    ProvisionedGbSecond,
    /// A second in which a provisioned environment answers, times its memory in GB.
    ProvisionedFunctionGbSecond,
    /// An instance for a month of 730 hours.
    InstanceMonth,
    /// An hour of an instance, times its processors.
    InstanceVcpuHour,
    /// An hour of an instance, times its memory in GB.
    InstanceGbHour,
    /// A second of an instance, times its processors.
    InstanceVcpuSecond,
    /// A second of an instance, times its memory in GB.
    InstanceGbSecond,
    /// A second in which an instance has a request, times its processors.
    ActiveVcpuSecond,
    /// A second in which an instance has a request, times its memory in GB.
    ActiveGbSecond,
    /// A second in which an instance that always runs has no request, times its processors.
    IdleVcpuSecond,
    /// A second in which an instance that always runs has no request, times its memory in GB.
    IdleGbSecond,
    /// A second of a processor that was really used.
    UsedVcpuSecond,
    /// A second of an instance, times the memory that the App needs, in GB.
    UsedGbSecond,
    /// An hour of a node under the instances.
    NodeHour,
    /// A GB of response bodies.
    GbOut,
    /// A GB of log lines.
    GbLogged,
    /// A capacity unit of a load balancer for an hour, by the bytes that pass it.
    LcuHour,
    /// A processor of the database server for an hour, at least two of them.
    DatabaseVcpuHour,
    /// A month, however much is used.
    Month,
}

impl Per {
    /// The unit behind a price, such as "an instance and month".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Request => "a request",
            Self::FunctionGbSecond
            | Self::ProvisionedGbSecond
            | Self::ProvisionedFunctionGbSecond
            | Self::InstanceGbSecond
            | Self::ActiveGbSecond
            | Self::IdleGbSecond
            | Self::UsedGbSecond => "a GB and second",
            Self::InstanceHour => "an instance and hour",
            Self::InstanceMonth => "an instance and month",
            Self::InstanceVcpuHour | Self::DatabaseVcpuHour => "a vCPU and hour",
            Self::InstanceGbHour => "a GB and hour",
            Self::InstanceVcpuSecond
            | Self::ActiveVcpuSecond
            | Self::IdleVcpuSecond
            | Self::UsedVcpuSecond => "a vCPU and second",
            Self::NodeHour => "a node and hour",
            Self::GbOut => "a GB sent",
            Self::GbLogged => "a GB of logs",
            Self::LcuHour => "a capacity unit and hour",
            Self::Month => "a month",
        }
    }
}
