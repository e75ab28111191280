//! How many connections a process opens: the arithmetic, and the words that explain it.

use super::Inputs;
use crate::db::Error;
use crate::db::settings::Kind;
pub(super) use crate::db::settings::MOST_CONNECTIONS as MOST;

/// Connections left for people and their tools when everything else is in use: a shell, a dump, a migration.
pub(super) const ADMIN: usize = 3;

pub(super) fn sqlite(inputs: &Inputs) -> (usize, String) {
    let size = inputs.pool_size.unwrap_or(inputs.cpus + 1);
    (
        size,
        format!(
            "{size} connection{} to SQLite: one transaction writes at a time, readers by processors ({}), in WAL mode",
            plural(size),
            inputs.cpus
        ),
    )
}

/// The connections that a deployment may open together: the smallest of all limits that are known.
struct Budget {
    usable: usize,
    /// Where the number comes from.
    source: String,
}

impl Budget {
    fn nearest(inputs: &Inputs) -> Option<Self> {
        let account = match inputs.kind {
            Kind::Postgres | Kind::Sqlite => "the role's CONNECTION LIMIT",
            Kind::MySql => "the user's MAX_USER_CONNECTIONS",
        };
        let server = inputs.max_connections.map(|max| Self {
            usable: max.saturating_sub(inputs.reserved + ADMIN),
            source: format!(
                "{max} of the server − {} reserved − {ADMIN} for administration",
                inputs.reserved
            ),
        });
        // Administrators have roles of their own.
        let own = |limit: Option<usize>, what: &str| {
            limit.map(|most| Self { usable: most, source: format!("{most} of {what}") })
        };
        [
            server,
            own(inputs.account_limit, account),
            own(inputs.database_limit, "the database's CONNECTION LIMIT"),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|budget| budget.usable)
    }
}

pub(super) fn long_running(inputs: &Inputs) -> Result<(usize, String), Error> {
    let wish = 2 * inputs.cpus + 1;
    let formula = format!("2 × {} processor{} + 1 = {wish}", inputs.cpus, plural(inputs.cpus));
    let Some(Budget { usable, source }) = Budget::nearest(inputs) else {
        let size = inputs.pool_size.unwrap_or(wish);
        let why = match inputs.pool_size {
            Some(_) => "as set".into(),
            None => formula,
        };
        return Ok((
            size,
            format!(
                "{size} connection{} per process: {why}; the server's limit is not known",
                plural(size)
            ),
        ));
    };
    let instances = inputs.instances.unwrap_or(1);
    // At most a few thousand connections divided by a factor of at least one: exact in f64, and never negative.
    let share = (usable as f64 / (instances as f64 * inputs.overlap)).floor() as usize;
    let arithmetic = format!(
        "({source}) / ({instances} instance{} × {} in a deploy) = {share}",
        plural(instances),
        inputs.overlap
    );
    let (share, arithmetic) = match inputs.taken {
        0 => (share, arithmetic),
        taken => {
            let left = share.saturating_sub(taken);
            let less =
                format!("{arithmetic}, less {taken} of this process's other databases = {left}");
            (left, less)
        }
    };
    match inputs.pool_size {
        Some(size) if size <= share => Ok((
            size,
            format!("{size} connection{} per process as set, within {arithmetic}", plural(size)),
        )),
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
            Ok((
                size,
                format!(
                    "{size} connection{} per process: the smaller of {formula} and {arithmetic}",
                    plural(size)
                ),
            ))
        }
    }
}

pub(super) fn serverless(inputs: &Inputs) -> Result<(usize, String), Error> {
    let size = inputs.pool_size.unwrap_or(inputs.concurrency);
    let per = format!("{size} connection{} per environment", plural(size));
    let Some(Budget { usable, source }) = Budget::nearest(inputs) else {
        return Ok((size, format!("{per}; the server's limit is not known")));
    };
    let budget = format!("{usable} ({source})");
    let (per, mine) = match inputs.taken {
        0 => (per, size),
        taken => {
            let all = size.saturating_add(taken);
            (format!("{per}, with {taken} of its other databases {all}"), all)
        }
    };
    if mine > usable {
        return Err(Error::Plan(format!(
            "{per} does not fit a budget of {budget}; set DATABASE_POOL_SIZE to {usable} or less, or put a pooler in front of the server and set DATABASE_POOLER"
        )));
    }
    let Some(instances) = inputs.instances else {
        return Ok((
            size,
            format!(
                "{per}, so that {} environments fit a budget of {budget}; set APP_INSTANCES to the function's reserved concurrency to have it checked",
                usable / mine
            ),
        ));
    };
    // As above: small positive numbers.
    let environments = (instances as f64 * inputs.overlap).ceil() as usize;
    let wanted = environments.saturating_mul(mine);
    if wanted > usable {
        return Err(Error::Plan(format!(
            "{environments} environments × {mine} connection{} = {wanted}, but the budget is {budget}; \
             set the function's reserved concurrency (APP_INSTANCES) to {} or put a pooler in front of the server and set DATABASE_POOLER",
            plural(mine),
            usable / mine,
        )));
    }
    Ok((
        size,
        format!(
            "{per}: {environments} environments × {mine} = {wanted} within a budget of {budget}"
        ),
    ))
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
