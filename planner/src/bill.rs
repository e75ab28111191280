//! What a use costs, line by line, for a month of 730 hours.

use std::collections::BTreeSet;

use anyhost_core::db::Pooler;
use serde::Serialize;

use crate::hosts::{BillItem, BillLine, Host, ItemPrice, Per, Size};
use crate::simulation::Usage;
use crate::workload::Workload;

/// Seconds of a month, as prices by the month count it: 730 hours.
pub const MONTH: f64 = 730.0 * 3600.0;

/// Bytes of one log line if the user gives no size: an access log line as JSON.
const LOG_BYTES: f64 = 300.0;

/// Which lines are on the bill, and what they need besides the use.
#[derive(Clone, Debug, PartialEq)]
pub struct BillOptions {
    /// The lines that are on.
    pub lines: BTreeSet<BillLine>,
    /// The mean size of a response, in bytes.
    pub response_bytes: f64,
    /// What one request writes to the log, in bytes.
    pub log_bytes: f64,
    /// Processors of the database server: what RDS Proxy is billed by.
    pub database_cpus: f64,
}

impl Default for BillOptions {
    /// [`BillLine::DEFAULT`]; no response size, so neither egress nor capacity units by bytes.
    fn default() -> Self {
        Self {
            lines: BillLine::DEFAULT.into(),
            response_bytes: 0.0,
            log_bytes: LOG_BYTES,
            database_cpus: 2.0,
        }
    }
}

/// What a host costs a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// US dollars a month, of all lines that are on.
    pub month: f64,
    /// The lines that are on, each a price times its amount.
    pub lines: Vec<Line>,
}

/// One price times its amount.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What is paid for.
    pub what: String,
    /// The line of the bill it belongs to.
    pub line: BillLine,
    /// The unit.
    pub per: Per,
    /// Units a month.
    pub amount: f64,
    /// US dollars for one unit.
    pub usd: f64,
    /// US dollars a month.
    pub month: f64,
    /// The day on which this was the list price.
    pub valid_on: String,
    /// Where it holds.
    pub region: String,
    /// Whether the price is assumed rather than read.
    pub assumed: bool,
}

impl Line {
    /// The price with its unit and day, for a list of assumed ones.
    pub(crate) fn assumed_price(&self) -> String {
        format!("{} (${} {}, as of {})", self.what, self.usd, self.per.words(), self.valid_on)
    }
}

impl Bill {
    /// What a use costs on a host, brought to a month.
    #[must_use]
    pub fn new(
        host: &Host,
        size: &Size,
        workload: &Workload,
        usage: &Usage,
        options: &BillOptions,
    ) -> Self {
        let months = usage.seconds / MONTH;
        let pooled = workload.database.is_some_and(|database| database.pooler == Pooler::RdsProxy);
        let mut lines = Vec::new();
        for item in &host.bill {
            let needed = match item.line {
                BillLine::Pooler => pooled,
                BillLine::Database => workload.database.is_some(),
                _ => true,
            };
            if !needed || !options.lines.contains(&item.line) {
                continue;
            }
            let price = match &item.price {
                ItemPrice::Fixed(price) => price,
                ItemPrice::BySize => match &size.price {
                    Some(price) => price,
                    None => continue,
                },
            };
            let amount = amount(item, workload, usage, options, months);
            if amount == 0.0 {
                continue;
            }
            let line = |line, amount: f64| Line {
                what: item.what.clone(),
                line,
                per: item.per,
                amount,
                usd: price.usd,
                month: amount * price.usd,
                valid_on: price.valid_on.map(|date| date.to_string()).unwrap_or_default(),
                region: price.region.clone(),
                assumed: price.assumed,
            };
            lines.push(line(item.line, amount));
            // AWS gives functions with provisioned concurrency no free tier.
            let free = item.line != BillLine::Compute || usage.provisioned_function_seconds == 0.0;
            if free && item.free > 0.0 && options.lines.contains(&BillLine::FreeTier) {
                lines.push(line(BillLine::FreeTier, -amount.min(item.free)));
            }
        }
        if let Some(minimum) = &host.minimum
            && options.lines.contains(&BillLine::Compute)
        {
            let compute = lines.iter().filter(|line| line.line == BillLine::Compute);
            let rest = minimum.usd - compute.map(|line| line.month).sum::<f64>();
            if rest > 0.0 {
                lines.push(Line {
                    what: "rest of the plan".into(),
                    line: BillLine::Compute,
                    per: Per::Month,
                    amount: 1.0,
                    usd: rest,
                    month: rest,
                    valid_on: minimum.valid_on.map(|date| date.to_string()).unwrap_or_default(),
                    region: minimum.region.clone(),
                    assumed: minimum.assumed,
                });
            }
        }
        Self { month: lines.iter().map(|line| line.month).sum(), lines }
    }
}

/// Units a month.
fn amount(
    item: &BillItem,
    workload: &Workload,
    usage: &Usage,
    options: &BillOptions,
    months: f64,
) -> f64 {
    let Usage {
        requests,
        function_seconds,
        provisioned_function_seconds,
        provisioned_seconds,
        instance_seconds,
        active_seconds,
        node_seconds,
        processor_seconds,
        cores,
        memory_gb,
        ..
    } = *usage;
    let gb_out = requests * options.response_bytes / 1e9;
    let idle_seconds = (provisioned_seconds - active_seconds).max(0.0);
    let used = match item.per {
        Per::Month => return 1.0,
        Per::DatabaseVcpuHour => return options.database_cpus.max(2.0) * MONTH / 3600.0,
        Per::Request => requests,
        Per::FunctionGbSecond => function_seconds * memory_gb,
        Per::ProvisionedGbSecond => provisioned_seconds * memory_gb,
        Per::ProvisionedFunctionGbSecond => provisioned_function_seconds * memory_gb,
        Per::InstanceHour => instance_seconds / 3600.0,
        Per::InstanceMonth => instance_seconds / MONTH,
        Per::InstanceVcpuHour => instance_seconds * cores / 3600.0,
        Per::InstanceGbHour => instance_seconds * memory_gb / 3600.0,
        Per::InstanceVcpuSecond => instance_seconds * cores,
        Per::InstanceGbSecond => instance_seconds * memory_gb,
        Per::ActiveVcpuSecond => active_seconds * cores,
        Per::ActiveGbSecond => active_seconds * memory_gb,
        Per::IdleVcpuSecond => idle_seconds * cores,
        Per::IdleGbSecond => idle_seconds * memory_gb,
        Per::UsedVcpuSecond => processor_seconds,
        Per::UsedGbSecond => instance_seconds * workload.memory_gb,
        Per::NodeHour => node_seconds / 3600.0,
        // One unit carries 1 GB an hour, so a GB is one unit-hour.
        Per::GbOut | Per::LcuHour => gb_out,
        Per::GbLogged => requests * options.log_bytes / 1e9,
    };
    used / months
}
