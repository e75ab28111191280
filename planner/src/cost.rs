//! What a use costs, line by line, for a month of 730 hours.

use serde::Serialize;

use crate::model::{Host, Per};
use crate::simulation::Usage;

/// Seconds of a month, as prices by the month count it: 730 hours.
pub const MONTH: f64 = 730.0 * 3600.0;

/// What a host costs a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// US dollars a month.
    pub month: f64,
    /// Each price with the amount of what it is for.
    pub lines: Vec<Line>,
}

/// One price times its amount.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What is paid for.
    pub what: String,
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
}

impl Cost {
    /// What a use costs on a host, brought to a month. Free tiers are not taken off.
    #[must_use]
    pub fn of(host: &Host, usage: &Usage) -> Self {
        let months = usage.seconds / MONTH;
        let lines = host.prices.iter().map(|(what, price)| {
            let amount = match price.per {
                Per::Month => 1.0,
                per => used(per, usage) / months,
            };
            Line {
                what: what.clone(),
                per: price.per,
                amount,
                usd: price.usd,
                month: amount * price.usd,
                valid_on: price.valid_on.map(|date| date.to_string()).unwrap_or_default(),
                region: price.region.clone(),
            }
        });
        let lines = lines.collect::<Vec<_>>();
        Self { month: lines.iter().map(|line| line.month).sum(), lines }
    }
}

/// Units over the whole of the use.
fn used(per: Per, usage: &Usage) -> f64 {
    let Usage {
        seconds,
        requests,
        function_seconds,
        instance_seconds,
        active_seconds,
        node_seconds,
        cores,
        memory_gb,
    } = *usage;
    match per {
        Per::Request => requests,
        Per::FunctionGbSecond => function_seconds * memory_gb,
        Per::InstanceMonth => instance_seconds / MONTH,
        Per::InstanceVcpuSecond => instance_seconds * cores,
        Per::InstanceGbSecond => instance_seconds * memory_gb,
        Per::ActiveVcpuSecond => active_seconds * cores,
        Per::ActiveGbSecond => active_seconds * memory_gb,
        Per::NodeSecond => node_seconds,
        Per::Month => seconds / MONTH,
    }
}
