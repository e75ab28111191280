//! The settings of a database, from the environment and from the parameters of its URL.

mod database_url;
mod parameters;
mod pasted;
#[cfg(test)]
mod tests;
mod tls_mode;
mod url_parser;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use database_url::DatabaseUrl;
use url::Url;

use crate::{ConfigError, Setting, Settings};

/// The pooler between this process and the database server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pooler {
    /// No pooler: the URL names the server itself.
    #[default]
    None,
    /// PgBouncer in transaction mode below 1.21, or without `max_prepared_statements`.
    PgBouncer,
    /// PgBouncer 1.21 or later in transaction mode with `max_prepared_statements` above zero.
    PgBouncerPrepared,
    /// Amazon RDS Proxy.
    RdsProxy,
}

impl Pooler {
    /// Its name, as `DATABASE_POOLER` has it.
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PgBouncer => "pgbouncer",
            Self::PgBouncerPrepared => "pgbouncer-prepared",
            Self::RdsProxy => "rds-proxy",
        }
    }
}

impl Setting for Pooler {
    fn expected() -> String {
        "none, pgbouncer, pgbouncer-prepared or rds-proxy".into()
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::None, Self::PgBouncer, Self::PgBouncerPrepared, Self::RdsProxy];
        all.into_iter().find(|pooler| pooler.name() == text)
    }
}

/// How many times as many processes hold connections during a rolling deploy.
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
    /// Its name, as people write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// The feature that has its driver.
    #[cfg(feature = "any")]
    #[cfg_attr(
        all(feature = "postgres", feature = "mysql", feature = "sqlite"),
        allow(dead_code, reason = "every driver is there")
    )]
    pub(crate) fn feature(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    fn from_url(url: &Url) -> Option<Self> {
        match url.scheme() {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::MySql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }
}

/// The most connections of one process: no server takes more, and each is memory set aside.
pub(crate) const MOST_CONNECTIONS: usize = 100_000;

const DATABASE_URL: &str = "DATABASE_URL";
const DIRECT_DATABASE_URL: &str = "DIRECT_DATABASE_URL";

/// The settings of a database; `None`: not set.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseSettings {
    pub(crate) url: DatabaseUrl,
    pub(crate) direct_url: Option<DatabaseUrl>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) pool_size: Option<usize>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) reserved: Option<usize>,
    pub(crate) acquire_timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) leak_threshold: Option<Duration>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) pooler: Pooler,
    pub(crate) instances: Option<usize>,
    pub(crate) overlap: Option<Overlap>,
}

impl DatabaseSettings {
    pub(crate) fn parse(
        settings: &Settings,
        default_url: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let url = match (DatabaseUrl::from_settings(settings)?, default_url) {
            (Some(url), _) => url,
            (None, Some(url)) => DatabaseUrl::parse(settings.prefixed(DATABASE_URL), url)?,
            (None, None) => {
                return Err(ConfigError::new(
                    settings.prefixed(DATABASE_URL),
                    "is not set; expected a URL such as postgres://user:password@host/database",
                ));
            }
        };
        let count =
            |name| settings.get::<NonZeroUsize>(name).map(|count| count.map(NonZeroUsize::get));
        let own_size = count("DATABASE_POOL_SIZE")?;
        let pool_size = own_size.or(url.connection_limit);
        if let Some(size) = pool_size.filter(|size| *size > MOST_CONNECTIONS) {
            let problem = format!("expected at most {MOST_CONNECTIONS} connections, found {size}");
            return Err(match own_size {
                Some(_) => ConfigError::new(settings.prefixed("DATABASE_POOL_SIZE"), problem),
                None => url.wrong(format!("parameter connection_limit: {problem}")),
            });
        }
        Ok(Self {
            direct_url: DatabaseUrl::named(settings, DIRECT_DATABASE_URL)?,
            password_file: password_file(settings)?,
            // Connections to one database in memory lock whole tables from each other and do not wait.
            pool_size: if url.memory().is_some() { Some(1) } else { pool_size },
            max_connections: count("DATABASE_MAX_CONNECTIONS")?,
            reserved: settings.get("DATABASE_RESERVED")?,
            acquire_timeout: positive(settings, "DATABASE_ACQUIRE_TIMEOUT")?.or(url.pool_timeout),
            connect_timeout: url.connect_timeout,
            idle_timeout: positive(settings, "DATABASE_IDLE_TIMEOUT")?,
            max_lifetime: positive(settings, "DATABASE_MAX_LIFETIME")?,
            leak_threshold: positive(settings, "DATABASE_LEAK_THRESHOLD")?,
            lock_timeout: positive(settings, "DATABASE_LOCK_TIMEOUT")?,
            pooler: match settings.get("DATABASE_POOLER")? {
                Some(pooler) => pooler,
                None if url.pgbouncer => Pooler::PgBouncer,
                None => url.known_pooler().unwrap_or_default(),
            },
            instances: count("APP_INSTANCES")?,
            overlap: settings.get("APP_OVERLAP")?,
            url,
        })
    }
}

/// Whether a path leads to anything but a regular file: opening a pipe waits for a writer, and a device may have no end.
fn is_irregular(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| !file.is_file())
}

/// The file with the password. It need not exist yet: it is read for each connection.
fn password_file(settings: &Settings) -> Result<Option<PathBuf>, ConfigError> {
    let name = settings.prefixed("DATABASE_PASSWORD_FILE");
    let file = settings.text(&name).map(PathBuf::from);
    match file {
        Some(file) if is_irregular(&file) => {
            Err(ConfigError::new(name, format!("{} is not a regular file", file.display())))
        }
        file => Ok(file),
    }
}

/// A duration above zero: a limit of zero could mean "no limit" as well as "at once".
fn positive(settings: &Settings, name: &'static str) -> Result<Option<Duration>, ConfigError> {
    match settings.get::<Duration>(name)? {
        Some(Duration::ZERO) => {
            Err(ConfigError::new(settings.prefixed(name), "expected more than 0"))
        }
        duration => Ok(duration),
    }
}

/// The kind of the database that `DATABASE_URL` names: `None` if it is unset.
///
/// An App that runs on several kinds of database chooses its driver by it.
///
/// # Errors
/// [`ConfigError`] if the URL is invalid, or of an unknown kind of database.
pub fn kind(settings: &Settings) -> Result<Option<Kind>, ConfigError> {
    Ok(DatabaseUrl::from_settings(settings)?.map(|url| url.kind))
}
