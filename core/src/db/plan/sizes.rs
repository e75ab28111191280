//! How many connections a process opens: the arithmetic, and the words that explain it.

use super::Inputs;
use crate::db::Error;
use crate::db::settings::Kind;
pub(super) use crate::db::settings::MOST_CONNECTIONS as MOST;

/// Connections left for administrators and their tools: a shell, a dump, a migration.
pub(super) const ADMIN: usize = 3;

pub(super) fn sqlite(inputs: &Inputs) -> (usize, String) {
    let size = inputs.pool_size.unwrap_or(inputs.cpus + 1);
    let connections = counted(size, "connection");
    let cpus = inputs.cpus;
    (
        size,
        format!(
            "{connections} to SQLite: one transaction writes at a time, readers by processors ({cpus}), in WAL mode"
        ),
    )
}

/// The connections that a deployment may open together, with the source of the number: the smallest of all known
/// limits.
fn budget(inputs: &Inputs) -> Option<(usize, String)> {
    let account = match inputs.kind {
        Kind::Postgres | Kind::Sqlite => "the role's CONNECTION LIMIT",
        Kind::MySql => "the user's MAX_USER_CONNECTIONS",
    };
    let reserved = inputs.reserved;
    let server = inputs.max_connections.map(|max| {
        let source =
            format!("{max} of the server − {reserved} reserved − {ADMIN} for administration");
        (max.saturating_sub(reserved + ADMIN), source)
    });
    // Administrators have roles of their own.
    let own =
        |limit: Option<usize>, what: &str| limit.map(|most| (most, format!("{most} of {what}")));
    let account = own(inputs.account_limit, account);
    let database = own(inputs.database_limit, "the database's CONNECTION LIMIT");
    [server, account, database].into_iter().flatten().min_by_key(|(usable, _)| *usable)
}

pub(super) fn long_running(inputs: &Inputs) -> Result<(usize, String), Error> {
    let wish = 2 * inputs.cpus + 1;
    let formula = format!("2 × {} + 1 = {wish}", counted(inputs.cpus, "processor"));
    let per = |size| format!("{} per process", counted(size, "connection"));
    let Some((usable, source)) = budget(inputs) else {
        let size = inputs.pool_size.unwrap_or(wish);
        let why = if inputs.pool_size.is_some() { "as set" } else { &formula };
        return Ok((size, format!("{}: {why}; the server's limit is not known", per(size))));
    };
    let instances = inputs.instances.unwrap_or(1);
    // At most a few thousand connections divided by a factor of at least one: exact in f64, and never negative.
    let mut share = (usable as f64 / (instances as f64 * inputs.overlap)).floor() as usize;
    let mut arithmetic = format!(
        "({source}) / ({} × {} in a deploy) = {share}",
        counted(instances, "instance"),
        inputs.overlap
    );
    if inputs.taken > 0 {
        share = share.saturating_sub(inputs.taken);
        arithmetic = format!(
            "{arithmetic}, less {} of this process's other databases = {share}",
            inputs.taken
        );
    }
    match inputs.pool_size {
        Some(size) if size <= share => {
            Ok((size, format!("{} as set, within {arithmetic}", per(size))))
        }
        Some(size) => Err(Error::Plan(format!(
            "{size} connections per process were set, but only {share} fit: {arithmetic}; \
             set DATABASE_POOL_SIZE to {share} or less, or put a pooler in front of the server and set DATABASE_POOLER"
        ))),
        None if share == 0 => Err(Error::Plan(format!(
            "no connection is left for a process: {arithmetic}; \
             run fewer instances (APP_INSTANCES) or put a pooler in front of the server and set DATABASE_POOLER"
        ))),
        None => {
            let size = wish.min(share);
            Ok((size, format!("{}: the smaller of {formula} and {arithmetic}", per(size))))
        }
    }
}

pub(super) fn serverless(inputs: &Inputs) -> Result<(usize, String), Error> {
    let size = inputs.pool_size.unwrap_or(inputs.concurrency);
    let mut per = format!("{} per environment", counted(size, "connection"));
    let Some((usable, source)) = budget(inputs) else {
        return Ok((size, format!("{per}; the server's limit is not known")));
    };
    let budget = format!("{usable} ({source})");
    let mine = size.saturating_add(inputs.taken);
    if inputs.taken > 0 {
        per = format!("{per}, with {} of its other databases {mine}", inputs.taken);
    }
    if mine > usable {
        return Err(Error::Plan(format!(
            "{per} does not fit a budget of {budget}; set DATABASE_POOL_SIZE to {usable} or less, or put a pooler in front of the server and set DATABASE_POOLER"
        )));
    }
    let most = usable / mine;
    let Some(instances) = inputs.instances else {
        return Ok((
            size,
            format!(
                "{per}, so that {most} environments fit a budget of {budget}; set APP_INSTANCES to the function's reserved concurrency to have it checked"
            ),
        ));
    };
    // As above: small positive numbers.
    let environments = (instances as f64 * inputs.overlap).ceil() as usize;
    let wanted = environments.saturating_mul(mine);
    if wanted > usable {
        let each = counted(mine, "connection");
        return Err(Error::Plan(format!(
            "{environments} environments × {each} = {wanted}, but the budget is {budget}; set the function's reserved \
             concurrency (APP_INSTANCES) to {most} or put a pooler in front of the server and set DATABASE_POOLER"
        )));
    }
    let explanation = format!(
        "{per}: {environments} environments × {mine} = {wanted} within a budget of {budget}"
    );
    Ok((size, explanation))
}

/// A number with its noun: `1 connection`, `2 connections`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
