//! The settings of a database, from the environment and from the parameters of its URL.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{ConfigError, Setting, Settings};

/// What stands between this process and the database server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pooler {
    /// Nothing: the URL names the server itself.
    #[default]
    None,
    /// PgBouncer in transaction mode below 1.21, or without `max_prepared_statements`.
    PgBouncer,
    /// PgBouncer 1.21 or later in transaction mode with `max_prepared_statements` above zero.
    PgBouncerPrepared,
    /// Amazon RDS Proxy.
    RdsProxy,
}

impl Setting for Pooler {
    fn expected() -> String {
        "none, pgbouncer, pgbouncer-prepared or rds-proxy".into()
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "pgbouncer" => Some(Self::PgBouncer),
            "pgbouncer-prepared" => Some(Self::PgBouncerPrepared),
            "rds-proxy" => Some(Self::RdsProxy),
            _ => None,
        }
    }
}

/// The share of a rolling deploy during which old and new processes hold connections at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Overlap(pub(crate) f64);

impl Setting for Overlap {
    fn expected() -> String {
        "a factor from 1 to 10, such as 1.25 or 2".into()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|factor| (1.0..=10.0).contains(factor)).map(Self)
    }
}

/// A whole number of at least one.
struct Count(usize);

impl Setting for Count {
    fn expected() -> String {
        "a whole number of at least 1".into()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|count| *count > 0).map(Self)
    }
}

/// The kind of server behind a URL, by its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// PostgreSQL: `postgres://` or `postgresql://`.
    Postgres,
    /// MySQL or MariaDB: `mysql://` or `mariadb://`.
    MySql,
    /// SQLite: `sqlite:`.
    Sqlite,
}

impl Kind {
    fn of(url: &Url) -> Option<Self> {
        match url.scheme() {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::MySql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }
}

const DATABASE_URL: &str = "DATABASE_URL";
const DIRECT_DATABASE_URL: &str = "DIRECT_DATABASE_URL";

/// Everything that settings say about a database; what they do not say is `None`.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseSettings {
    pub(crate) url: DatabaseUrl,
    pub(crate) direct_url: Option<DatabaseUrl>,
    pub(crate) pool_size: Option<usize>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) reserved: Option<usize>,
    pub(crate) acquire_timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) pooler: Pooler,
    pub(crate) instances: Option<usize>,
    pub(crate) overlap: Option<Overlap>,
}

impl DatabaseSettings {
    pub(crate) fn parse(
        settings: &Settings,
        default_url: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let url = settings.secret(DATABASE_URL).or_else(|| default_url.map(SecretString::from));
        let url = url.ok_or_else(|| {
            ConfigError::new(
                DATABASE_URL,
                "is not set; expected a URL such as postgres://user:password@host/database",
            )
        })?;
        let mut url = DatabaseUrl::parse(DATABASE_URL, &url)?;
        let direct_url = settings
            .secret(DIRECT_DATABASE_URL)
            .map(|url| DatabaseUrl::parse(DIRECT_DATABASE_URL, &url))
            .transpose()?;
        let Taught { connection_limit, pool_timeout, connect_timeout, pgbouncer } =
            std::mem::take(&mut url.taught);
        let count = |name| settings.get::<Count>(name).map(|count| count.map(|Count(count)| count));
        Ok(Self {
            url,
            direct_url,
            pool_size: count("DATABASE_POOL_SIZE")?.or(connection_limit),
            max_connections: count("DATABASE_MAX_CONNECTIONS")?,
            reserved: settings.get("DATABASE_RESERVED")?,
            acquire_timeout: settings.get("DATABASE_ACQUIRE_TIMEOUT")?.or(pool_timeout),
            connect_timeout,
            pooler: settings.get("DATABASE_POOLER")?.unwrap_or(if pgbouncer {
                Pooler::PgBouncer
            } else {
                Pooler::None
            }),
            instances: count("APP_INSTANCES")?,
            overlap: settings.get("APP_OVERLAP")?,
        })
    }
}

/// The kind of the database that `DATABASE_URL` names: `None` where it is unset.
///
/// An App that runs on several kinds of database chooses its driver by it.
///
/// # Errors
/// [`ConfigError`] where the URL is none, or none of a database that is known.
pub fn kind(settings: &Settings) -> Result<Option<Kind>, ConfigError> {
    settings
        .secret(DATABASE_URL)
        .map(|url| DatabaseUrl::parse(DATABASE_URL, &url).map(|url| url.kind))
        .transpose()
}

/// A database URL whose parameters are all known. Its text is never printed: it holds a password.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) kind: Kind,
    variable: &'static str,
    driver: SecretString,
    taught: Taught,
    pub(crate) schema: Option<String>,
}

/// The parameters that other tools teach people to write into a URL, with the meaning they have there.
#[derive(Clone, Default)]
struct Taught {
    connection_limit: Option<usize>,
    pool_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    pgbouncer: bool,
}

const TAUGHT: [&str; 6] =
    ["connection_limit", "pool_timeout", "connect_timeout", "pgbouncer", "schema", "sslmode"];

impl DatabaseUrl {
    fn parse(variable: &'static str, text: &SecretString) -> Result<Self, ConfigError> {
        let wrong = |problem: &str| Err(ConfigError::new(variable, problem));
        let Ok(mut url) = Url::parse(text.expose_secret()) else {
            return wrong(
                "expected a URL such as postgres://user:password@host/database, found something else",
            );
        };
        let Some(kind) = Kind::of(&url) else {
            return wrong("expected a URL that begins with postgres://, mysql:// or sqlite:");
        };
        let mut taught = Taught::default();
        let mut schema = None;
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in url.query_pairs() {
            let unfit = |expected: &str| {
                ConfigError::new(variable, format!("parameter {name}: expected {expected}"))
            };
            match name.as_ref() {
                "connection_limit" => {
                    let Some(Count(limit)) = Count::parse(&value) else {
                        return Err(unfit("a whole number of at least 1"));
                    };
                    taught.connection_limit = Some(limit);
                }
                "pool_timeout" | "connect_timeout" => {
                    let Ok(seconds) = value.parse::<u64>() else {
                        return Err(unfit("whole seconds, or 0 for no timeout"));
                    };
                    // "0" switches the timeout off where people learnt it; a day is as good and stays bounded.
                    let timeout = Duration::from_secs(if seconds == 0 { 86_400 } else { seconds });
                    if name == "pool_timeout" {
                        taught.pool_timeout = Some(timeout);
                    } else {
                        taught.connect_timeout = Some(timeout);
                    }
                }
                "pgbouncer" => match bool::parse(&value) {
                    Some(on) => taught.pgbouncer = on,
                    None => return Err(unfit("true or false")),
                },
                "schema" if kind == Kind::Postgres => schema = Some(value.into_owned()),
                "sslmode" if !ssl_modes(kind).contains(&value.to_ascii_lowercase().as_str()) => {
                    return Err(unfit(&ssl_modes(kind).join(", ")));
                }
                known
                    if driver_parameters(kind).contains(&known)
                        || known.starts_with("options[") =>
                {
                    kept.push((name.into_owned(), value.into_owned()));
                }
                unknown => {
                    let nearest = TAUGHT
                        .iter()
                        .chain(driver_parameters(kind))
                        .max_by(|a, b| {
                            strsim::jaro_winkler(unknown, a)
                                .total_cmp(&strsim::jaro_winkler(unknown, b))
                        })
                        .unwrap_or(&"sslmode");
                    return Err(ConfigError::new(
                        variable,
                        format!("unknown parameter {unknown:?}; did you mean {nearest}?"),
                    ));
                }
            }
        }
        if kept.is_empty() {
            url.set_query(None);
        } else {
            url.query_pairs_mut().clear().extend_pairs(kept);
        }
        Ok(Self { kind, variable, driver: SecretString::from(String::from(url)), taught, schema })
    }

    /// The URL as the driver takes it, without the parameters that are ours.
    pub(crate) fn expose(&self) -> &str {
        self.driver.expose_secret()
    }

    /// A complaint about this URL.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(self.variable, problem)
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseUrl").field("kind", &self.kind).finish_non_exhaustive()
    }
}

fn ssl_modes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Postgres => &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        Kind::MySql => &["disabled", "preferred", "required", "verify_ca", "verify_identity"],
        Kind::Sqlite => &[],
    }
}

/// The parameters that sqlx understands; it would drop others with a warning.
fn driver_parameters(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Postgres => &[
            "sslmode",
            "ssl-mode",
            "sslrootcert",
            "ssl-root-cert",
            "ssl-ca",
            "sslcert",
            "ssl-cert",
            "sslkey",
            "ssl-key",
            "statement-cache-capacity",
            "host",
            "hostaddr",
            "port",
            "dbname",
            "user",
            "password",
            "application_name",
            "options",
        ],
        Kind::MySql => &[
            "sslmode",
            "ssl-mode",
            "sslca",
            "ssl-ca",
            "charset",
            "collation",
            "sslcert",
            "ssl-cert",
            "sslkey",
            "ssl-key",
            "statement-cache-capacity",
            "socket",
            "timezone",
            "time-zone",
        ],
        Kind::Sqlite => &["mode", "cache", "immutable", "vfs"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<DatabaseSettings, ConfigError> {
        DatabaseSettings::parse(&Settings::from_pairs(pairs.iter().copied()), None)
    }

    #[track_caller]
    fn refused(pairs: &[(&str, &str)], expected: &str) {
        let error = parse(pairs).expect_err("refused").to_string();
        assert_eq!(error, expected);
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_wrong_setting_is_named_and_no_secret_is_printed() {
        refused(
            &[("DATABASE_URL", "nonsense-hunter2")],
            "DATABASE_URL: expected a URL such as postgres://user:password@host/database, found something else",
        );
        refused(
            &[("DATABASE_URL", "http://u:hunter2@h/d")],
            "DATABASE_URL: expected a URL that begins with postgres://, mysql:// or sqlite:",
        );
        refused(
            &[("DATABASE_URL", "postgres://u:hunter2@h/d?conection_limit=5")],
            "DATABASE_URL: unknown parameter \"conection_limit\"; did you mean connection_limit?",
        );
        refused(
            &[("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=required")],
            "DATABASE_URL: parameter sslmode: expected disable, allow, prefer, require, verify-ca, verify-full",
        );
        refused(
            &[("DATABASE_URL", "postgres://h/d"), ("DATABASE_POOL_SIZE", "0")],
            "DATABASE_POOL_SIZE: expected a whole number of at least 1, found \"0\"",
        );
        refused(
            &[("DATABASE_URL", "postgres://h/d"), ("DATABASE_POOLER", "pgbounce")],
            "DATABASE_POOLER: expected none, pgbouncer, pgbouncer-prepared or rds-proxy, found \"pgbounce\"",
        );
    }

    #[test]
    fn parameters_that_people_bring_keep_their_meaning() {
        let settings = parse(&[(
            "DATABASE_URL",
            "postgres://u:p@h/d?connection_limit=5&pool_timeout=20&connect_timeout=0&pgbouncer=true&schema=app&sslmode=require",
        )])
        .expect("all known");
        assert_eq!(settings.pool_size, Some(5));
        assert_eq!(settings.acquire_timeout, Some(Duration::from_secs(20)));
        assert_eq!(settings.connect_timeout, Some(Duration::from_secs(86_400)));
        assert_eq!(settings.pooler, Pooler::PgBouncer);
        assert_eq!(settings.url.schema.as_deref(), Some("app"));
        assert_eq!(settings.url.expose(), "postgres://u:p@h/d?sslmode=require");
    }

    #[test]
    fn a_variable_wins_over_a_parameter() {
        let settings = parse(&[
            ("DATABASE_URL", "postgres://h/d?connection_limit=5"),
            ("DATABASE_POOL_SIZE", "7"),
        ])
        .expect("both known");
        assert_eq!(settings.pool_size, Some(7));
    }
}
