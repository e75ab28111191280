//! The connect options for a PostgreSQL URL, with nothing in them that comes from the environment.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::super::{Tuning, without_brackets};
use crate::ConfigError;
use crate::db::settings::{DatabaseUrl, Pooler};

/// Returns the connect options. The driver fills the gaps of a URL from `PGHOST` and its siblings and from a file of
/// passwords, so every option is set here, or refused if it cannot be set.
pub(super) fn from_url(
    url: &DatabaseUrl,
    tuning: &Tuning<'_>,
) -> Result<PgConnectOptions, ConfigError> {
    let Some(user) = url.user() else {
        return Err(url.wrong(
            "names no user; expected a URL such as postgres://user:password@host/database",
        ));
    };
    let names_root = refuse_environment(url)?;
    // The settings have written host, port, mode and password into it.
    let mut options = PgConnectOptions::from_str(url.expose())
        // The driver's text may quote a part of the URL, so it is not passed on.
        .map_err(|_| url.wrong("is not a PostgreSQL URL; a special character in a password must be percent-encoded"))?;
    if let Some(address) = without_brackets(options.get_host()) {
        options = options.host(&address);
    }
    // As libpq: a database of the user's name.
    if !url.names_database() {
        options = options.database(&user);
    }
    if names_root {
        options = options.ssl_root_cert_from_pem(Vec::new());
    }
    if !url.has_parameter("application_name") {
        options = options.application_name(tuning.application);
    }
    if tuning.demands_tls && !url.sets_tls_mode && options.get_socket().is_none() {
        options = options.ssl_mode(PgSslMode::Require);
    }
    match tuning.pooler {
        Pooler::None => {
            if let Some(schema) = &url.schema {
                options = options.options([("search_path", schema.as_str())]);
            }
        }
        // PgBouncer and RDS Proxy refuse start-up parameters they do not know.
        Pooler::PgBouncer | Pooler::PgBouncerPrepared | Pooler::RdsProxy => {
            if url.schema.is_some() {
                return Err(url.wrong("parameter schema: not possible through a pooler; set the user's search_path on the server"));
            }
            options = options.extra_float_digits(None);
        }
    }
    if tuning.pooler == Pooler::PgBouncer {
        options = options.statement_cache_capacity(0);
    }
    Ok(options)
}

/// Refuses what the driver has taken from the environment and what cannot be removed from its options. Returns
/// whether it has taken a file with certificate authorities, which an empty one can replace.
fn refuse_environment(url: &DatabaseUrl) -> Result<bool, ConfigError> {
    // Placeholders for the parts that the URL sets, so that these options can be printed as a URL.
    let taken = PgConnectOptions::new_without_pgpass().host("h").port(1).username("u").password("");
    let refused = |variable: &'static str, parameter: &str| {
        let problem = format!(
            "is set, and the driver would heed it beside {}; unset it, and write {parameter} into the URL if it is needed",
            url.variable()
        );
        Err(ConfigError::new(variable, problem))
    };
    if taken.get_options().is_some() {
        return refused("PGOPTIONS", "options");
    }
    let shown = taken.to_url_lossy();
    let takes = |name: &str| shown.query_pairs().any(|(taken, _)| taken == name);
    for (variable, parameter, other) in
        [("PGSSLCERT", "sslcert", "ssl-cert"), ("PGSSLKEY", "sslkey", "ssl-key")]
    {
        if takes(parameter) && !url.has_parameter(parameter) && !url.has_parameter(other) {
            return refused(variable, parameter);
        }
    }
    Ok(takes("sslrootcert") && !url.names_root)
}
