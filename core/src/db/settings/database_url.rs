//! A database URL, with its parameters translated into those of the driver.
//!
//! Long because what a parameter means depends on others, which the same pass collects.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::parameters::{self, Use};
use super::{Count, DATABASE_URL, Kind, Pooler, pasted};
use crate::db::tls;
use crate::{ConfigError, Setting, Settings};

/// A database URL whose parameters are all known. Its text is never printed: it holds a password.
#[cfg_attr(
    not(all(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(dead_code, reason = "each driver reads a part of it")
)]
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) kind: Kind,
    variable: &'static str,
    driver: SecretString,
    pub(super) taught: Taught,
    pub(crate) schema: Option<String>,
    /// Whether the URL says how far TLS goes.
    pub(crate) speaks_of_tls: bool,
    /// Whether it names a file with authorities.
    pub(crate) names_root: bool,
    /// What changes nothing, and why.
    ignored: Vec<(String, &'static str)>,
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

/// How alike two names have to be for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.87;

#[cfg_attr(
    not(all(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(dead_code, reason = "each driver reads a part of it")
)]
impl DatabaseUrl {
    /// The URL in `DATABASE_URL`; `None` if it is unset.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        settings.text(DATABASE_URL).map(|url| Self::parse(DATABASE_URL, &url.into())).transpose()
    }

    pub(super) fn parse(variable: &'static str, text: &SecretString) -> Result<Self, ConfigError> {
        let wrong = |problem: String| ConfigError::new(variable, problem);
        let mut url = pasted::parse(text.expose_secret()).map_err(wrong)?;
        let kind = Kind::of(&url).expect("the parser lets no other through");
        if kind != Kind::Sqlite {
            let known = |name: &str| parameters::of(kind, name).is_some();
            if let Some(problem) = pasted::ends_too_early(&url, known) {
                return Err(wrong(problem.into()));
            }
        }
        let mut reading = Reading::new(kind);
        for (name, value) in url.query_pairs() {
            let unfit = |problem: String| wrong(format!("parameter {name}: {problem}"));
            match parameters::of(kind, &name) {
                Some(Use::Driver) => reading.driver(&name, &value).map_err(unfit)?,
                Some(Use::Ours) => reading.ours(&name, &value).map_err(unfit)?,
                Some(Use::Ignored(reason)) => reading.ignored.push((name.into_owned(), reason)),
                Some(Use::Refused(instead)) => return Err(unfit(instead.into())),
                // It may be the rest of a password with a character that ends a parameter.
                None if url.query_pairs().any(|(name, _)| name == "password") => {
                    return Err(wrong("unknown parameter".into()));
                }
                None => return Err(wrong(unknown(kind, &name))),
            }
        }
        let several = |host: &str| host.contains(',');
        if url.host_str().is_some_and(several)
            || reading.kept.iter().any(|(name, value)| name == "host" && several(value))
        {
            return Err(wrong(pasted::several_hosts()));
        }
        if kind == Kind::Sqlite {
            reading.check_file(&file(url.as_str())).map_err(wrong)?;
        }
        reading.complete(&url).map_err(wrong)?;
        let Reading { taught, schema, kept, ignored, mode, root, .. } = reading;
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
            speaks_of_tls: mode.is_some() || root,
            names_root: root,
            ignored,
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
        let port = match self.kind {
            Kind::Sqlite => return file(self.expose()),
            Kind::Postgres => 5432,
            Kind::MySql => 3306,
        };
        let host = given(&url, &["host", "hostaddr", "socket"]);
        let host = host.unwrap_or_else(|| match url.host_str() {
            Some(host) if !host.is_empty() => percent_decode_str(host).decode_utf8_lossy().into(),
            _ => "localhost".into(),
        });
        let port = given(&url, &["port"]).unwrap_or_else(|| url.port().unwrap_or(port).to_string());
        let path = given(&url, &["dbname"])
            .map_or_else(|| url.path().to_owned(), |name| format!("/{name}"));
        format!("{host}:{port}{path}")
    }

    /// Whether a file is only read.
    pub(crate) fn is_read_only(&self) -> bool {
        let Ok(url) = Url::parse(self.expose()) else { return false };
        let immutable = given(&url, &["immutable"]);
        given(&url, &["mode"]).as_deref() == Some("ro")
            || immutable.is_some_and(|value| value == "true" || value == "1")
    }

    /// The name of the database in memory that it stands for.
    pub(crate) fn memory(&self) -> Option<String> {
        if self.kind != Kind::Sqlite {
            return None;
        }
        let name = file(self.expose());
        let url = Url::parse(self.expose()).ok()?;
        let by_mode = given(&url, &["mode"]).as_deref() == Some("memory");
        (by_mode || name.ends_with(":memory:")).then(|| name.replace([':', '/'], "-"))
    }

    /// The user in it.
    pub(crate) fn user(&self) -> Option<String> {
        let url = Url::parse(self.expose()).ok()?;
        let user = given(&url, &["user"])
            .unwrap_or_else(|| percent_decode_str(url.username()).decode_utf8_lossy().into());
        Some(user).filter(|user| !user.is_empty())
    }

    /// Whether it names a database.
    pub(crate) fn names_database(&self) -> bool {
        let url = Url::parse(self.expose());
        url.is_ok_and(|url| url.path().len() > 1) || self.gives("dbname")
    }

    /// The password in it, decoded as the driver decodes it.
    pub(crate) fn password(&self) -> Option<String> {
        let url = Url::parse(self.expose()).ok()?;
        let password = match given(&url, &["password"]) {
            Some(password) => password,
            None => percent_decode_str(url.password()?).decode_utf8_lossy().into_owned(),
        };
        Some(password).filter(|password| !password.is_empty())
    }

    /// Whether a parameter of this name, or one that begins with it and `[`, goes to the driver.
    pub(crate) fn gives(&self, name: &str) -> bool {
        let Ok(url) = Url::parse(self.expose()) else { return false };
        url.query_pairs().any(|(given, _)| given.split('[').next() == Some(name))
    }

    /// Whether it sends settings to the server when connecting, which a pooler may refuse.
    pub(crate) fn has_options(&self) -> bool {
        self.gives("options") || self.gives("application_name")
    }

    /// The pooler that its host is known to be, by the names that platforms give.
    pub(super) fn known_pooler(&self) -> Option<Pooler> {
        let url = Url::parse(self.expose()).ok()?;
        let host = url.host_str()?;
        let transactions = url.port() == Some(6543);
        if host.ends_with(".neon.tech") && host.split('.').next()?.ends_with("-pooler") {
            return Some(Pooler::PgBouncerPrepared);
        }
        let supabase = host.ends_with(".pooler.supabase.com") || host.ends_with(".supabase.co");
        if supabase && transactions {
            return Some(Pooler::PgBouncer);
        }
        (host.ends_with(".rds.amazonaws.com") && host.contains(".proxy-"))
            .then_some(Pooler::RdsProxy)
    }

    /// The URL if it is of this kind.
    pub(crate) fn expect_kind(&self, kind: Kind) -> Result<(), ConfigError> {
        if self.kind == kind {
            return Ok(());
        }
        let (wanted, found) = (kind.name(), self.kind.name());
        Err(self.wrong(format!("expected a {wanted} URL, found one of {found}")))
    }

    /// What of it changes nothing, and why.
    #[cfg(test)]
    pub(super) fn ignored(&self) -> &[(String, &'static str)] {
        &self.ignored
    }

    /// Says in the log what of it changes nothing, and what its host is taken for.
    pub(crate) fn tell_ignored(&self) {
        if let Some(pooler) = self.known_pooler() {
            tracing::info!(
                "{}: its host is a pooler's; without DATABASE_POOLER it is taken for {}",
                self.variable,
                pooler.name()
            );
        }
        for (name, reason) in &self.ignored {
            tracing::info!("{}: parameter {name} changes nothing: {reason}", self.variable);
        }
    }

    /// A complaint about this URL.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(self.variable, problem)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseUrl").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The last value of a parameter that has one of these names.
fn given(url: &Url, names: &[&str]) -> Option<String> {
    let named = url.query_pairs().filter(|(name, _)| names.contains(&name.as_ref()));
    named.last().map(|(_, value)| value.into_owned())
}

/// The path of a SQLite URL, as the driver reads it.
fn file(url: &str) -> String {
    let path = url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
    let path = path.split('?').next().unwrap_or_default();
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn unknown(kind: Kind, name: &str) -> String {
    let nearest = parameters::names(kind)
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness >= ALIKE);
    match (nearest, kind) {
        (Some((_, nearest)), _) => format!("unknown parameter {name:?}; did you mean {nearest}?"),
        (None, Kind::Postgres) => format!(
            "unknown parameter {name:?}; remove it, or write options[{name}] if it is a setting of the server"
        ),
        (None, _) => format!("unknown parameter {name:?}; remove it"),
    }
}

/// The parameters of a URL while they are read.
struct Reading {
    kind: Kind,
    taught: Taught,
    schema: Option<String>,
    kept: Vec<(String, String)>,
    ignored: Vec<(String, &'static str)>,
    mode: Option<String>,
    /// Whether a file with authorities is named.
    root: bool,
    /// Whether the authorities that everybody trusts are.
    system: bool,
    /// Whether the certificate and the name in it are to be checked, in words other than those of a mode.
    strict: bool,
}

impl Reading {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            taught: Taught::default(),
            schema: None,
            kept: Vec::new(),
            ignored: Vec::new(),
            mode: None,
            root: false,
            system: false,
            strict: false,
        }
    }

    fn driver(&mut self, name: &str, value: &str) -> Result<(), String> {
        let allowed: &[&str] = match (self.kind, name) {
            (Kind::Sqlite, "mode") => &["ro", "rw", "rwc", "memory"],
            (Kind::Sqlite, "cache") => &["private", "shared"],
            (Kind::Sqlite, "immutable") => &["true", "false", "1", "0"],
            _ => &[],
        };
        if !allowed.is_empty() && !allowed.contains(&value) {
            return Err(format!("expected {}", allowed.join(", ")));
        }
        // The authorities that everybody trusts are the driver's own choice where it is told of none.
        if self.kind == Kind::Postgres && name == "sslrootcert" && value == "system" {
            self.system = true;
            return Ok(());
        }
        if tls::FILES.contains(&name) {
            if let Some(problem) = tls::wrong_file(value) {
                return Err(problem);
            }
            self.root |= ROOTS.contains(&name);
        }
        self.kept.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn ours(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "connection_limit" => {
                let Some(Count(limit)) = Count::parse(value) else {
                    return Err("expected a whole number of at least 1".into());
                };
                self.taught.connection_limit = Some(limit);
            }
            "pool_timeout" | "connect_timeout" => {
                // Up to a hundred years, which clocks can show.
                let Some(seconds) = value.parse().ok().filter(|s| *s <= 100 * 365 * 86_400_u64)
                else {
                    return Err("expected whole seconds, or 0 for no timeout".into());
                };
                // "0" switches the timeout off where people learnt it; a day is as good and stays bounded.
                let timeout = Duration::from_secs(if seconds == 0 { 86_400 } else { seconds });
                if name == "pool_timeout" {
                    self.taught.pool_timeout = Some(timeout);
                } else {
                    self.taught.connect_timeout = Some(timeout);
                }
            }
            "pgbouncer" => self.taught.pgbouncer = truth(value)?,
            "statement_cache_size" => self.keep("statement-cache-capacity", value),
            "unix_socket" | "socketPath" => self.keep("socket", value),
            "schema" => self.schema = Some(value.to_owned()),
            "sslmode" | "ssl-mode" | "ssl_mode" | "sslMode" => self.mode(value)?,
            "ssl" => self.ssl(value)?,
            "tls" => match value {
                "skip-verify" => self.demand(),
                "preferred" => {}
                _ => {
                    if truth(value)? {
                        self.strict = true;
                    } else {
                        self.mode("disabled")?;
                    }
                }
            },
            "sslaccept" => match value {
                "strict" => self.strict = true,
                "accept_invalid_certs" => {}
                _ => return Err("expected strict or accept_invalid_certs".into()),
            },
            "gssencmode" if value == "require" => {
                return Err(
                    "the driver does not encrypt by GSSAPI; write sslmode=verify-full".into()
                );
            }
            "gssencmode" => self.ignore(name, "GSSAPI is not used"),
            "client_encoding"
                if !matches!(
                    &*value.to_ascii_lowercase(),
                    "utf8" | "utf-8" | "auto" | "unicode"
                ) =>
            {
                return Err("the driver speaks UTF-8 alone; leave it out".into());
            }
            "client_encoding" => self.ignore(name, "text is UTF-8"),
            "target_session_attrs" if matches!(value, "read-only" | "standby") => {
                return Err("name the standby itself, or the address of the readers".into());
            }
            "target_session_attrs" => {
                self.ignore(
                    name,
                    "one host is named; a server that takes no writes any more is left",
                );
            }
            _ => unreachable!("every parameter of the table that is ours is read here"),
        }
        Ok(())
    }

    fn keep(&mut self, name: &str, value: &str) {
        self.kept.push((name.to_owned(), value.to_owned()));
    }

    fn ignore(&mut self, name: &str, reason: &'static str) {
        self.ignored.push((name.to_owned(), reason));
    }

    fn mode(&mut self, value: &str) -> Result<(), String> {
        let value = value.to_ascii_lowercase();
        // Node's word for TLS without a look at the certificate.
        if value == "no-verify" {
            self.demand();
            return Ok(());
        }
        if !ssl_modes(self.kind).contains(&value.as_str()) {
            return Err(format!("expected {}", ssl_modes(self.kind).join(", ")));
        }
        self.mode = Some(value);
        Ok(())
    }

    /// `ssl`, as drivers of Java and Node have it: whether, or what of the certificate is checked.
    fn ssl(&mut self, value: &str) -> Result<(), String> {
        let text: String = value.to_ascii_lowercase().split_whitespace().collect();
        match text.as_str() {
            "{\"rejectunauthorized\":true}" => self.strict = true,
            "{\"rejectunauthorized\":false}" => self.demand(),
            _ if truth(&text)? => self.demand(),
            _ => self.mode = self.mode.take().or_else(|| Some(ssl_modes(self.kind)[0].into())),
        }
        Ok(())
    }

    /// Demands TLS, if no mode says more.
    fn demand(&mut self) {
        if self.mode.is_none() {
            let mode = if self.kind == Kind::Postgres { "require" } else { "required" };
            self.mode = Some(mode.into());
        }
    }

    /// Refuses a file of SQLite that is none, or would be another one for each connection.
    fn check_file(&self, path: &str) -> Result<(), String> {
        let has = |name: &str, value: &str| {
            self.kept.iter().any(|(kept, given)| kept == name && given == value)
        };
        let in_memory = path.ends_with(":memory:") || has("mode", "memory");
        if path.is_empty() && !in_memory {
            return Err("names no file; expected a URL such as sqlite:app.db?mode=rwc, or sqlite::memory: for a \
                        database that ends with the process"
                .into());
        }
        if in_memory && has("cache", "private") {
            return Err("parameter cache: private gives each connection a database in memory of its own; leave it \
                        out"
                .into());
        }
        Ok(())
    }

    /// Adds what follows from several parameters together, and what the driver would look up in the environment.
    fn complete(&mut self, url: &Url) -> Result<(), String> {
        if self.system {
            // As libpq: whoever trusts everybody's authorities has to look at the name as well.
            if self.mode.as_deref().is_some_and(|mode| mode != "verify-full") {
                return Err(
                    "parameter sslrootcert: system goes with sslmode=verify-full alone".into()
                );
            }
            self.strict = true;
        }
        if self.strict {
            let strictest = ssl_modes(self.kind).last().map(|mode| (*mode).to_owned());
            self.mode = strictest;
        }
        // As libpq: whoever demands TLS and names an authority wants it checked.
        if self.kind == Kind::Postgres && self.root && self.mode.as_deref() == Some("require") {
            self.mode = Some("verify-ca".into());
        }
        if let Some(mode) = self.mode.clone() {
            self.keep("sslmode", &mode);
        }
        if self.kind == Kind::Postgres {
            let has =
                |kept: &[(String, String)], name: &str| kept.iter().any(|(kept, _)| kept == name);
            if self.mode.is_none() {
                self.keep("sslmode", "prefer");
            }
            let port = self.kept.iter().find(|(name, _)| name == "port");
            let port =
                port.map(|(_, port)| port.clone()).or(url.port().map(|port| port.to_string()));
            let port = port.unwrap_or_else(|| "5432".into());
            let named = url.host_str().is_some_and(|host| !host.is_empty());
            if !named && !has(&self.kept, "host") && !has(&self.kept, "hostaddr") {
                self.keep("host", local(&port));
            }
            if url.port().is_none() && !has(&self.kept, "port") {
                self.keep("port", &port);
            }
            if url.password().is_none() && !has(&self.kept, "password") {
                self.keep("password", "");
            }
        }
        Ok(())
    }
}

/// The server of this machine: the folder of its socket, if there is one.
fn local(port: &str) -> &'static str {
    let folders = ["/var/run/postgresql", "/tmp"];
    let socket = format!(".s.PGSQL.{port}");
    folders
        .into_iter()
        .find(|folder| Path::new(folder).join(&socket).exists())
        .unwrap_or("localhost")
}

fn truth(value: &str) -> Result<bool, String> {
    match value {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err("expected true or false".into()),
    }
}

fn ssl_modes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Postgres => &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        Kind::MySql => &["disabled", "preferred", "required", "verify_ca", "verify_identity"],
        Kind::Sqlite => &[],
    }
}
