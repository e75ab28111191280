//! Deployment files: read into what a deployment is, then checked against the connection plan and each other.

mod files;
mod kubernetes;
mod lambda;
mod render;
mod rules;
mod toml_files;
mod units;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhost_core::Paradigm;

/// A deployment as its files describe it. What they do not say is `None`.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) paradigm: Paradigm,
    /// The most processes at once, and the words of the file for it.
    pub(crate) most: Option<(usize, &'static str)>,
    /// How many times as many processes there are during a deploy.
    pub(crate) overlap: f64,
    pub(crate) cores: f64,
    /// Seconds until the platform kills, and the words of the file for it.
    pub(crate) kill: Option<(f64, &'static str)>,
    /// Seconds within which the adapter drains if `SHUTDOWN_GRACE` is not set.
    pub(crate) preset_grace: f64,
    /// Requests that one environment gets at once.
    pub(crate) concurrency: usize,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) doors: Vec<Door>,
}

/// A door of a function, and whether it takes streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) name: String,
    pub(crate) streams: bool,
}

/// What was checked, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    findings: Vec<Finding>,
}

/// One check of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) fault: bool,
    pub(crate) line: String,
}

impl Report {
    /// How many checks failed.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.findings.iter().filter(|finding| finding.fault).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { fault, line } in &self.findings {
            writeln!(f, "{} {line}", if *fault { "FAULT" } else { "ok   " })?;
        }
        let faults = self.faults();
        let plural = if faults == 1 { "" } else { "s" };
        writeln!(f, "{} checks, {faults} fault{plural}", self.findings.len())
    }
}

/// Checks the deployment files below a folder: Kubernetes, Cloud Run and Knative, SAM and CloudFormation, Render, Fly,
/// systemd.
///
/// `max_connections` is what the database takes if no file sets `DATABASE_MAX_CONNECTIONS`.
///
/// # Errors
/// One line if the folder cannot be read or holds no deployment that is known.
pub fn check(folder: &Path, max_connections: usize) -> Result<Report, String> {
    let mut report = Report::default();
    let mut deployed = Vec::new();
    let mut scalers = Vec::new();
    for file in files::below(folder)? {
        match file.read() {
            Ok(found) => {
                deployed.extend(found.deployed);
                scalers.extend(found.scalers);
            }
            Err(line) => report.findings.push(Finding { fault: true, line }),
        }
    }
    for deployed in &mut deployed {
        kubernetes::apply(&scalers, deployed);
    }
    if deployed.is_empty() && report.findings.is_empty() {
        return Err(format!("{}: no deployment file that is known", folder.display()));
    }
    let findings = deployed.iter().flat_map(|deployed| rules::check(deployed, max_connections));
    report.findings.extend(findings);
    Ok(report)
}
