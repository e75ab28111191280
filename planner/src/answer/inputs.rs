//! All that an answer depends on besides the traffic, so that it can be reproduced.

use serde::Serialize;

use super::Question;
use crate::hosts::BillLine;
use crate::search::Goals;
use crate::workload::ProcessorTime;

/// All that an answer depends on besides the traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inputs {
    /// Whose prices were used.
    pub region: String,
    /// The first seed.
    pub seed: u64,
    /// The most requests that were simulated one by one.
    pub exact_up_to: u64,
    /// New versions a day.
    pub deploys_per_day: f64,
    /// The service time.
    pub service: ServiceInputs,
    /// The share of it with a connection.
    pub database_share: f64,
    /// The share of it on a processor.
    pub processor_share: f64,
    /// The share of that before the query.
    pub processor_before: f64,
    /// How the time on a processor follows the service time.
    pub processor_time: ProcessorTime,
    /// Memory of the App, in GB.
    pub memory_gb: f64,
    /// How long `App::start` takes, in seconds.
    pub start: f64,
    /// How long a client waits, in seconds; `None`: as long as the host lets it.
    pub patience: Option<f64>,
    /// The database; `None`: the App has none.
    pub database: Option<DatabaseInputs>,
    /// What must be reached.
    pub goals: Goals,
    /// The lines of the bill that are on.
    pub bill: Vec<BillLine>,
    /// The mean size of a response, in bytes; 0 if it is not known.
    pub response_bytes: f64,
}

/// The service time, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "they are named after what they are")]
pub struct ServiceInputs {
    pub mean: f64,
    pub p50: f64,
    pub p99: f64,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatabaseInputs {
    /// The kind of server.
    pub kind: String,
    /// The most connections of the server.
    pub max_connections: usize,
    /// Connections that are not ours to use.
    pub reserved: usize,
    /// What stands in front of it.
    pub pooler: String,
    /// The server connections of the pooler.
    pub server_connections: Option<usize>,
    /// Processors of the server, if they are modelled.
    pub cpus: Option<usize>,
}

impl Inputs {
    pub(super) fn from_question(question: &Question<'_>) -> Self {
        let workload = question.workload;
        let database = workload.database.map(|database| DatabaseInputs {
            kind: format!("{:?}", database.kind).to_lowercase(),
            max_connections: database.max_connections,
            reserved: database.reserved,
            pooler: format!("{:?}", database.pooler).to_lowercase(),
            server_connections: database.server_connections(),
            cpus: database.cpus,
        });
        Self {
            region: question.catalog.region().to_owned(),
            seed: question.options.seed,
            exact_up_to: question.options.exact_up_to,
            deploys_per_day: question.options.deploys_per_day,
            service: ServiceInputs {
                mean: workload.service.mean(),
                p50: workload.service.median(),
                p99: workload.service.p99(),
            },
            database_share: workload.database_share,
            processor_share: workload.processor_share,
            processor_before: workload.processor_before,
            processor_time: workload.processor_time,
            memory_gb: workload.memory_gb,
            start: workload.start,
            patience: workload.patience,
            database,
            goals: question.goals,
            bill: question.bill.lines.iter().copied().collect(),
            response_bytes: question.bill.response_bytes,
        }
    }
}
