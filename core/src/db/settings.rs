//! The settings of a database, from the environment and from the parameters of its URL.

mod database_url;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use database_url::DatabaseUrl;
use database_url::Taught;
use secrecy::SecretString;
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
        let (database_url, direct) =
            (settings.name(DATABASE_URL), settings.name(DIRECT_DATABASE_URL));
        let url = settings.secret(database_url).or_else(|| default_url.map(SecretString::from));
        let url = url.ok_or_else(|| {
            ConfigError::new(
                database_url,
                "is not set; expected a URL such as postgres://user:password@host/database",
            )
        })?;
        let mut url = DatabaseUrl::parse(database_url, &url)?;
        let direct_url =
            settings.secret(direct).map(|url| DatabaseUrl::parse(direct, &url)).transpose()?;
        let Taught { connection_limit, pool_timeout, connect_timeout, pgbouncer } =
            std::mem::take(&mut url.taught);
        let count = |name| settings.get::<Count>(name).map(|count| count.map(|Count(count)| count));
        Ok(Self {
            url,
            direct_url,
            password_file: settings
                .text(settings.name("DATABASE_PASSWORD_FILE"))
                .map(PathBuf::from),
            pool_size: count("DATABASE_POOL_SIZE")?.or(connection_limit),
            max_connections: count("DATABASE_MAX_CONNECTIONS")?,
            reserved: settings.get("DATABASE_RESERVED")?,
            acquire_timeout: positive(settings, "DATABASE_ACQUIRE_TIMEOUT")?.or(pool_timeout),
            connect_timeout,
            idle_timeout: positive(settings, "DATABASE_IDLE_TIMEOUT")?,
            max_lifetime: positive(settings, "DATABASE_MAX_LIFETIME")?,
            leak_threshold: positive(settings, "DATABASE_LEAK_THRESHOLD")?,
            lock_timeout: positive(settings, "DATABASE_LOCK_TIMEOUT")?,
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

/// A duration that is more than nothing: of a limit, nothing could mean "none" as well as "at once".
fn positive(settings: &Settings, name: &'static str) -> Result<Option<Duration>, ConfigError> {
    match settings.get::<Duration>(name)? {
        Some(Duration::ZERO) => Err(ConfigError::new(settings.name(name), "expected more than 0")),
        duration => Ok(duration),
    }
}

/// The kind of the database that `DATABASE_URL` names: `None` where it is unset.
///
/// An App that runs on several kinds of database chooses its driver by it.
///
/// # Errors
/// [`ConfigError`] where the URL is none, or none of a database that is known.
pub fn kind(settings: &Settings) -> Result<Option<Kind>, ConfigError> {
    Ok(DatabaseUrl::of(settings)?.map(|url| url.kind))
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
            &[("DATABASE_URL", "mysql://u:hunter2@h/d?ssl-mode=on")],
            "DATABASE_URL: parameter ssl-mode: expected disabled, preferred, required, verify_ca, verify_identity",
        );
        refused(
            &[(
                "DATABASE_URL",
                "postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/no/such/file",
            )],
            "DATABASE_URL: parameter sslrootcert: \"/no/such/file\" cannot be read: No such file or directory (os error 2)",
        );
        refused(
            &[("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=verify-ca&sslrootcert=/dev/null")],
            "DATABASE_URL: parameter sslrootcert: \"/dev/null\" has no PEM block, which begins with \"-----BEGIN \"",
        );
        refused(
            &[("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=require&sslrootcert=system")],
            "DATABASE_URL: parameter sslrootcert: system goes with sslmode=verify-full alone",
        );
        refused(
            &[("DATABASE_URL", "postgres://h/d"), ("DATABASE_POOL_SIZE", "0")],
            "DATABASE_POOL_SIZE: expected a whole number of at least 1, found \"0\"",
        );
        refused(
            &[("DATABASE_URL", "postgres://h/d"), ("DATABASE_POOLER", "pgbounce")],
            "DATABASE_POOLER: expected none, pgbouncer, pgbouncer-prepared or rds-proxy, found \"pgbounce\"",
        );
        for name in [
            "DATABASE_ACQUIRE_TIMEOUT",
            "DATABASE_IDLE_TIMEOUT",
            "DATABASE_MAX_LIFETIME",
            "DATABASE_LEAK_THRESHOLD",
            "DATABASE_LOCK_TIMEOUT",
        ] {
            refused(
                &[("DATABASE_URL", "postgres://h/d"), (name, "0s")],
                &format!("{name}: expected more than 0"),
            );
        }
    }

    #[test]
    fn what_may_be_part_of_a_password_is_not_printed() {
        let special = "DATABASE_URL: a special character in the user or the password must be percent-encoded, \
                       such as %23 for #, %2F for / and %3F for ?";
        for url in [
            "postgres://u:12#hunter2@h/d",
            "postgres://u:12/hunter2@h/d",
            "postgres://u:12?hunter2@h/d",
            "postgres://u:12?hunter2&a@h/d",
            "mysql://u:12?a=hunter2@h/d",
        ] {
            refused(&[("DATABASE_URL", url)], special);
        }
        refused(
            &[("DATABASE_URL", "postgres://h/d?password=a&hunter2")],
            "DATABASE_URL: unknown parameter",
        );
        parse(&[("DATABASE_URL", "postgres://h/d?user=me@tenant&password=p@p")]).expect("is right");
    }

    #[test]
    fn no_time_is_longer_than_clocks_reach_and_no_wait_is_none_at_all() {
        let forever = u64::MAX.to_string();
        for parameter in ["pool_timeout", "connect_timeout"] {
            refused(
                &[("DATABASE_URL", &format!("postgres://h/d?{parameter}={forever}"))],
                &format!(
                    "DATABASE_URL: parameter {parameter}: expected whole seconds, or 0 for no timeout"
                ),
            );
        }
        let url = ("DATABASE_URL", "postgres://h/d");
        let name = "DATABASE_ACQUIRE_TIMEOUT";
        refused(
            &[url, (name, &format!("{forever}s"))],
            &format!("{name}: expected a duration such as 500ms, 10s or 2m, found \"{forever}s\""),
        );
        refused(&[url, (name, "0s")], &format!("{name}: expected more than 0"));
    }

    #[test]
    fn a_password_is_found_where_the_driver_finds_it() {
        let password = |url| parse(&[("DATABASE_URL", url)]).expect("is right").url.password();
        assert_eq!(password("postgres://u:a%40b@h/d").as_deref(), Some("a@b"));
        assert_eq!(password("postgres://u:old@h/d?password=new").as_deref(), Some("new"));
        assert_eq!(password("postgres:///d?host=/run/postgresql"), None);
    }

    #[test]
    fn a_place_says_what_the_parameters_say() {
        let place = |url| parse(&[("DATABASE_URL", url)]).expect("is right").url.place();
        assert_eq!(place("postgres://u:p@h/d"), "h:5432/d");
        assert_eq!(place("postgres:///d?host=/run/postgresql"), "/run/postgresql:5432/d");
        assert_eq!(place("postgres://h/d?port=6543&dbname=e"), "h:6543/e");
        assert_eq!(
            place("mysql://u@localhost/d?socket=/run/mysqld.sock"),
            "/run/mysqld.sock:3306/d"
        );
        assert_eq!(place("postgres://[::1]/d"), "[::1]:5432/d");
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
