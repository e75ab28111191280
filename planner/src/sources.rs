//! Traffic and service times from the files that people have: access logs, exported metrics, traces. The format is found
//! out; what was used of a file and why is reported.

mod input;
mod logs;
mod metrics;
mod moment;
mod service;

use std::path::Path;

use crate::traffic::{Gaps, Traffic};
use crate::workload::Distribution;

pub use service::TimeUnit;

/// What a user says of a file if the file leaves it open.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceOptions {
    /// What intervals mean that a trace or an export skips.
    pub gaps: Gaps,
    /// The unit of durations whose name has none.
    pub time_unit: Option<TimeUnit>,
    /// What the values of a metric are.
    pub values: Option<Values>,
}

/// What the values of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Values {
    /// Requests a second
    Rate,
    /// Requests of the interval
    Count,
}

/// What a file gives.
#[derive(Clone, Debug)]
pub struct Source {
    /// The traffic; `None` for a log without timestamps.
    pub traffic: Option<Traffic>,
    /// The service time, if the file has it.
    pub service: Option<Distribution>,
    /// The mean size of a response, if the file has it.
    pub response_bytes: Option<f64>,
    /// What was used of the file, in sentences.
    pub coverage: Vec<String>,
}

/// Reads a file, or stdin for `-`.
///
/// # Errors
/// One line that names the file and says what was expected.
pub fn read(path: &Path, options: &SourceOptions) -> Result<Source, String> {
    let file = path.display().to_string();
    let name = match path.to_str() {
        Some("-") => "stdin".to_owned(),
        _ => path.file_stem().map_or(file.clone(), |stem| stem.to_string_lossy().into()),
    };
    let bytes = input::read(path).map_err(|error| format!("{file}: {error}"))?;
    parse(&file, &name, &bytes, options)
}

/// Reads the bytes of a file, unpacked.
///
/// # Errors
/// As [`read`].
pub fn parse(
    file: &str,
    name: &str,
    bytes: &[u8],
    options: &SourceOptions,
) -> Result<Source, String> {
    if Traffic::is_trace(bytes) {
        let traffic = Traffic::parse(file, name, bytes, options.gaps);
        let traffic = traffic.map_err(|error| error.to_string())?;
        return Ok(Source {
            traffic: Some(traffic),
            service: None,
            response_bytes: None,
            coverage: Vec::new(),
        });
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let found = match metrics::parse(name, text, options) {
        Some(found) => found,
        None => logs::parse(name, text, options),
    };
    found.map_err(|reason| format!("{file}: {reason}"))
}
