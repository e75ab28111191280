//! A database URL, and the parameters that are ours among those of the driver.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Count, DATABASE_URL, Kind};
use crate::db::tls;
use crate::{ConfigError, Setting, Settings};

/// A database URL whose parameters are all known. Its text is never printed: it holds a password.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) kind: Kind,
    variable: &'static str,
    driver: SecretString,
    pub(super) taught: Taught,
    pub(crate) schema: Option<String>,
    /// Whether the URL says how far TLS goes.
    pub(crate) speaks_of_tls: bool,
}

/// The parameters that other tools teach people to write into a URL, with the meaning they have there.
#[derive(Clone, Default)]
pub(super) struct Taught {
    pub(super) connection_limit: Option<usize>,
    pub(super) pool_timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) pgbouncer: bool,
}

/// The parameters that name an authority.
const ROOTS: [&str; 4] = ["sslrootcert", "ssl-root-cert", "ssl-ca", "sslca"];

const TAUGHT: [&str; 6] =
    ["connection_limit", "pool_timeout", "connect_timeout", "pgbouncer", "schema", "sslmode"];

impl DatabaseUrl {
    /// The URL in `DATABASE_URL`; `None` where it is unset.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        settings.secret(DATABASE_URL).map(|url| Self::parse(DATABASE_URL, &url)).transpose()
    }

    pub(super) fn parse(variable: &'static str, text: &SecretString) -> Result<Self, ConfigError> {
        let wrong = |problem: &str| Err(ConfigError::new(variable, problem));
        let Ok(mut url) = Url::parse(text.expose_secret()) else {
            return wrong(
                "expected a URL such as postgres://user:password@host/database, found something else",
            );
        };
        let Some(kind) = Kind::of(&url) else {
            return wrong("expected a URL that begins with postgres://, mysql:// or sqlite:");
        };
        if kind != Kind::Sqlite && ends_too_early(&url) {
            return wrong(
                "a special character in the user or the password must be percent-encoded, such as %23 for #, \
                 %2F for / and %3F for ?",
            );
        }
        let mut taught = Taught::default();
        let mut schema = None;
        let mut kept: Vec<(String, String)> = Vec::new();
        let (mut mode, mut root, mut system): (Option<String>, bool, bool) = (None, false, false);
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
                    // Up to a hundred years, which clocks can show.
                    let Some(seconds) = value.parse().ok().filter(|s| *s <= 100 * 365 * 86_400_u64)
                    else {
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
                "sslmode" | "ssl-mode" if kind != Kind::Sqlite => {
                    let value = value.to_ascii_lowercase();
                    if !ssl_modes(kind).contains(&value.as_str()) {
                        return Err(unfit(&ssl_modes(kind).join(", ")));
                    }
                    mode = Some(value);
                }
                // The authorities that everybody trusts are the driver's own choice where it is told of none.
                "sslrootcert" if kind == Kind::Postgres && value == "system" => system = true,
                file if driver_parameters(kind).contains(&file) && tls::FILES.contains(&file) => {
                    if let Some(problem) = tls::wrong_file(&value) {
                        let text = format!("parameter {name}: {problem}");
                        return Err(ConfigError::new(variable, text));
                    }
                    root |= ROOTS.contains(&file);
                    kept.push((name.into_owned(), value.into_owned()));
                }
                known
                    if driver_parameters(kind).contains(&known)
                        || known.starts_with("options[") =>
                {
                    kept.push((name.into_owned(), value.into_owned()));
                }
                // It may be the rest of a password with a character that ends a parameter.
                _ if url.query_pairs().any(|(name, _)| name == "password") => {
                    return wrong("unknown parameter");
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
        if system {
            // As libpq: whoever trusts everybody's authorities has to look at the name as well.
            match mode.as_deref() {
                None => mode = Some("verify-full".into()),
                Some("verify-full") => {}
                Some(_) => {
                    return wrong(
                        "parameter sslrootcert: system goes with sslmode=verify-full alone",
                    );
                }
            }
        }
        // As libpq: whoever demands TLS and names an authority wants it checked.
        if kind == Kind::Postgres && root && mode.as_deref() == Some("require") {
            mode = Some("verify-ca".into());
        }
        let speaks_of_tls = mode.is_some() || root;
        kept.extend(mode.map(|mode| ("sslmode".to_owned(), mode)));
        if kept.is_empty() {
            url.set_query(None);
        } else {
            url.query_pairs_mut().clear().extend_pairs(kept);
        }
        Ok(Self {
            kind,
            variable,
            driver: SecretString::from(String::from(url)),
            taught,
            schema,
            speaks_of_tls,
        })
    }

    /// The URL as the driver takes it, without the parameters that are ours.
    pub(crate) fn expose(&self) -> &str {
        self.driver.expose_secret()
    }

    /// The variable that holds it.
    pub(crate) fn variable(&self) -> &'static str {
        self.variable
    }

    /// Where the database is: `host:port/name`, for SQLite its file. Nothing of it is secret.
    pub(crate) fn place(&self) -> String {
        let Ok(url) = Url::parse(self.expose()) else { return String::new() };
        let path = url.path();
        let port = match self.kind {
            Kind::Sqlite => return path.to_owned(),
            Kind::Postgres => 5432,
            Kind::MySql => 3306,
        };
        let given = |names: &[&str]| {
            let named = url.query_pairs().filter(|(name, _)| names.contains(&name.as_ref()));
            named.last().map(|(_, value)| value.into_owned())
        };
        let host = given(&["host", "hostaddr", "socket"]);
        let host = host.as_deref().or(url.host_str()).unwrap_or("localhost").to_owned();
        let port = given(&["port"]).unwrap_or_else(|| url.port().unwrap_or(port).to_string());
        let path = given(&["dbname"]).map_or_else(|| path.to_owned(), |name| format!("/{name}"));
        format!("{host}:{port}{path}")
    }

    /// The password in it, decoded as the driver decodes it.
    pub(crate) fn password(&self) -> Option<String> {
        let url = Url::parse(self.expose()).ok()?;
        if let Some((_, password)) = url.query_pairs().filter(|(name, _)| name == "password").last()
        {
            return Some(password.into_owned());
        }
        Some(percent_decode_str(url.password()?).decode_utf8_lossy().into_owned())
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

/// Whether a `#`, `/` or `?` of a password has ended the part of a URL that it stands in, so that the host is
/// found where it ought not to be.
fn ends_too_early(url: &Url) -> bool {
    let stray = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        let known = driver_parameters(Kind::Postgres).contains(&name.as_ref())
            || driver_parameters(Kind::MySql).contains(&name.as_ref())
            || TAUGHT.contains(&name.as_ref())
            || name.starts_with("options[");
        !known && (name.contains('@') || value.contains('@'))
    };
    url.fragment().is_some()
        || (url.username().is_empty() && (url.path().contains('@') || url.query_pairs().any(stray)))
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
