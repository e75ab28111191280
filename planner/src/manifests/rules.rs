//! What a deployment must fulfil.

use anyhost_core::{Paradigm, Setting};

use super::{Deployed, Finding};
use crate::connections::Deployment;
use crate::text::count;
use crate::workload::{Database, seconds};

/// All checks of a deployment that apply to it.
pub(crate) fn check(deployed: &Deployed, max_connections: usize) -> Vec<Finding> {
    let checks = [
        drain(deployed),
        lame_duck(deployed),
        told(deployed),
        connections(deployed, max_connections),
        streaming(deployed),
    ];
    checks
        .into_iter()
        .flatten()
        .map(|(fault, line)| Finding {
            fault,
            line: format!("{}: {}: {line}", deployed.file, deployed.name),
        })
        .collect()
}

type CheckResult = Option<(bool, String)>;

/// The drain ends before the platform kills.
fn drain(deployed: &Deployed) -> CheckResult {
    let (kill, words) = deployed.kill?;
    let (grace, whose) = match time(deployed, "SHUTDOWN_GRACE") {
        Ok(None) => (deployed.preset_grace, "the preset's drain"),
        Ok(Some(grace)) => (grace, "SHUTDOWN_GRACE"),
        Err(line) => return Some((true, line)),
    };
    let (grace_text, kill_text) = (count(grace), count(kill));
    Some(if grace < kill {
        (
            false,
            format!("{whose} of {grace_text} s ends before the kill at {kill_text} s ({words})"),
        )
    } else {
        (
            true,
            format!(
                "{whose} of {grace_text} s is not over when the platform kills at {kill_text} s ({words}): requests \
                 would be cut off; make {words} longer or SHUTDOWN_GRACE shorter"
            ),
        )
    })
}

/// The lame duck leaves time to drain.
fn lame_duck(deployed: &Deployed) -> CheckResult {
    let duck = match time(deployed, "LAME_DUCK") {
        Ok(duck) => duck?,
        Err(line) => return Some((true, line)),
    };
    let grace = time(deployed, "SHUTDOWN_GRACE").ok().flatten().unwrap_or(deployed.preset_grace);
    let (duck_text, grace_text) = (count(duck), count(grace));
    Some(if duck < grace {
        (false, format!("LAME_DUCK of {duck_text} s leaves time within {grace_text} s"))
    } else {
        (true, format!("LAME_DUCK of {duck_text} s takes all of the {grace_text} s of the drain"))
    })
}

/// The process is told how many of it there may be.
fn told(deployed: &Deployed) -> CheckResult {
    let (most, words) = deployed.most?;
    let told = match number(deployed, "APP_INSTANCES") {
        Ok(told) => told,
        Err(line) => return Some((true, line)),
    };
    match told {
        Some(told) if told == most => {
            Some((false, format!("APP_INSTANCES is {told}, as many as {words} ({most})")))
        }
        Some(told) if told > most => Some((
            false,
            format!("APP_INSTANCES is {told}, more than {words} ({most}): connections stay unused"),
        )),
        Some(told) => Some((
            true,
            format!(
                "APP_INSTANCES is {told}, but there may be {most} ({words}): they would open more connections than \
                 planned; set APP_INSTANCES to {most}"
            ),
        )),
        None if most > 1 => Some((
            true,
            format!(
                "APP_INSTANCES is not set, but there may be {most} ({words}); set it to {most}"
            ),
        )),
        None => None,
    }
}

/// What core plans for it fits the database.
fn connections(deployed: &Deployed, max_connections: usize) -> CheckResult {
    let read = || -> Result<_, String> {
        Ok((
            number(deployed, "APP_INSTANCES")?,
            number(deployed, "DATABASE_MAX_CONNECTIONS")?,
            number(deployed, "DATABASE_RESERVED")?,
            number(deployed, "DATABASE_POOL_SIZE")?,
        ))
    };
    let (told, limit, reserved, pool_size) = match read() {
        Ok(read) => read,
        Err(line) => return Some((true, line)),
    };
    let most = deployed.most.map(|(most, _)| most).into_iter().chain(told).max()?;
    let overlap = deployed.variables.get("APP_OVERLAP").and_then(|text| text.parse().ok());
    let pooler = deployed.variables.get("DATABASE_POOLER").map(String::as_str);
    let Some(pooler) = Setting::parse(pooler.unwrap_or("none")) else {
        return Some((true, "DATABASE_POOLER is none of those that are known".into()));
    };
    let database = Database {
        max_connections: limit.unwrap_or(max_connections),
        pooler_connections: limit.unwrap_or(max_connections),
        reserved: reserved.unwrap_or(3),
        pooler,
        ..Database::default()
    };
    let overlap = overlap.unwrap_or(deployed.overlap);
    let deployment = Deployment {
        paradigm: deployed.paradigm,
        cores: deployed.cores,
        concurrency: deployed.concurrency,
        instances: most,
        overlap,
        pool_size,
    };
    Some(match deployment.pool(&database) {
        Ok(pool) => (false, pool.explanation),
        Err(error) => (true, error.to_string()),
    })
}

/// A function streams if its doors take streams, and else never.
fn streaming(deployed: &Deployed) -> CheckResult {
    if deployed.paradigm != Paradigm::Serverless || deployed.doors.is_empty() {
        return None;
    }
    let mode = deployed.variables.get("RESPONSE_MODE").map_or("buffered", String::as_str);
    let streams = mode == "streaming";
    let wrong = |door: &&super::Door| door.streams != streams;
    let all_wrong = deployed.doors.iter().all(|door| wrong(&door));
    let url = deployed.doors.iter().find(|door| door.name == "Function URL").filter(wrong);
    let names = deployed.doors.iter().map(|door| door.name.as_str()).collect::<Vec<_>>().join(", ");
    Some(match (url, streams) {
        (Some(_), true) => (
            true,
            "RESPONSE_MODE is streaming, but the Function URL's InvokeMode is not RESPONSE_STREAM: clients would see \
             the framing of a stream as the body"
                .into(),
        ),
        (Some(_), false) => (
            true,
            format!("the Function URL's InvokeMode is RESPONSE_STREAM, but RESPONSE_MODE is {mode}; set it to streaming"),
        ),
        (None, true) if all_wrong => {
            (true, format!("RESPONSE_MODE is streaming, but no door takes streams ({names})"))
        }
        (None, _) => (false, format!("RESPONSE_MODE {mode} fits its doors ({names})")),
    })
}

fn number(deployed: &Deployed, name: &str) -> Result<Option<usize>, String> {
    let Some(text) = deployed.variables.get(name) else { return Ok(None) };
    let number = text.parse().map_err(|_| format!("{name} must be a whole number, found {text}"));
    number.map(Some)
}

fn time(deployed: &Deployed, name: &str) -> Result<Option<f64>, String> {
    let Some(text) = deployed.variables.get(name) else { return Ok(None) };
    match seconds(text).or_else(|| text.parse().ok()) {
        Some(time) => Ok(Some(time)),
        None => Err(format!("{name} must be a time such as 25s, found {text}")),
    }
}
