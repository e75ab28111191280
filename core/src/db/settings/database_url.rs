//! A database URL with parsed parameters.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use super::url_parser::UrlParser;
use super::{DATABASE_URL, DIRECT_DATABASE_URL, Kind, Pooler};
use crate::{ConfigError, Settings};

/// A database URL whose parameters are all known. Its text is never printed: it holds a password.
#[cfg_attr(
    not(all(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(dead_code, reason = "each driver reads a part of it")
)]
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) kind: Kind,
    pub(super) variable: Cow<'static, str>,
    /// As the driver takes it, without the parameters that are ours.
    pub(super) url: Url,
    /// Parameters that other tools have for their pools, with the same meaning.
    pub(super) connection_limit: Option<usize>,
    pub(super) pool_timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) pgbouncer: bool,
    pub(crate) schema: Option<String>,
    /// Whether the URL sets how TLS is used.
    pub(crate) sets_tls_mode: bool,
    /// Whether it names a file with certificate authorities.
    pub(crate) names_root: bool,
    /// The parameters that change nothing, and why.
    pub(super) ignored: Vec<(String, &'static str)>,
}

#[cfg_attr(
    not(all(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(dead_code, reason = "each driver reads a part of it")
)]
impl DatabaseUrl {
    /// The URL in `DATABASE_URL`; `None` if it is unset.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        Self::named(settings, DATABASE_URL)
    }

    /// The URL in this setting of a database; `None` if it is unset.
    pub(super) fn named(
        settings: &Settings,
        name: &'static str,
    ) -> Result<Option<Self>, ConfigError> {
        let name = settings.prefixed(name);
        let Some(text) = settings.text(&name) else { return Ok(None) };
        Self::parse(name, text).map(Some)
    }

    pub(in crate::db) fn parse(
        variable: Cow<'static, str>,
        text: &str,
    ) -> Result<Self, ConfigError> {
        UrlParser::parse(variable.clone(), text).map_err(|problem| {
            let problem = own_names(&variable, &problem);
            ConfigError::new(variable, problem)
        })
    }

    /// The URL as the driver takes it, without the parameters that are ours.
    pub(crate) fn expose(&self) -> &str {
        self.url.as_str()
    }

    /// The variable that holds it.
    pub(crate) fn variable(&self) -> &Cow<'static, str> {
        &self.variable
    }

    /// The variable of another setting of the same database.
    pub(crate) fn variable_of(&self, setting: &str) -> String {
        format!("{}{setting}", self.prefix())
    }

    /// The prefix of its settings' names: empty for the first database.
    pub(crate) fn prefix(&self) -> &str {
        prefix(&self.variable)
    }

    /// A text about settings of the first database, with the names that they have for this one.
    pub(crate) fn own_names(&self, text: &str) -> String {
        own_names(&self.variable, text)
    }

    /// Where the database is: `host:port/name`, for SQLite its file. Nothing of it is secret.
    pub(crate) fn place(&self) -> String {
        let port = match self.kind {
            Kind::Sqlite => return file(&self.url),
            Kind::Postgres => 5432,
            Kind::MySql => 3306,
        };
        let url = &self.url;
        let host = self.parameter(&["host", "hostaddr", "socket"]);
        let host = host.unwrap_or_else(|| match url.host_str() {
            Some(host) if !host.is_empty() => percent_decode_str(host).decode_utf8_lossy().into(),
            _ => "localhost".into(),
        });
        let port =
            self.parameter(&["port"]).unwrap_or_else(|| url.port().unwrap_or(port).to_string());
        let path = self
            .parameter(&["dbname"])
            .map_or_else(|| url.path().to_owned(), |name| format!("/{name}"));
        format!("{host}:{port}{path}")
    }

    /// Where it is and the variable that names it, for errors: `host:port/name (DATABASE_URL)`.
    pub(crate) fn location(&self) -> String {
        format!("{} ({})", self.place(), self.variable)
    }

    /// Whether a file is opened only for reading.
    pub(crate) fn is_read_only(&self) -> bool {
        let immutable = self.parameter(&["immutable"]);
        self.parameter(&["mode"]).as_deref() == Some("ro")
            || immutable.is_some_and(|value| value == "true" || value == "1")
    }

    /// The name of the database in memory, if it leads to one.
    pub(crate) fn memory(&self) -> Option<String> {
        if self.kind != Kind::Sqlite {
            return None;
        }
        let name = file(&self.url);
        let by_mode = self.parameter(&["mode"]).as_deref() == Some("memory");
        (by_mode || name.ends_with(":memory:")).then(|| name.replace([':', '/'], "-"))
    }

    /// The file that opening it would create.
    pub(crate) fn missing_file(&self) -> Option<PathBuf> {
        let creates =
            self.kind == Kind::Sqlite && self.parameter(&["mode"]).as_deref() == Some("rwc");
        let file = PathBuf::from(file(&self.url));
        (creates && !file.exists()).then_some(file)
    }

    /// The user in it.
    pub(crate) fn user(&self) -> Option<String> {
        let user = self
            .parameter(&["user"])
            .unwrap_or_else(|| percent_decode_str(self.url.username()).decode_utf8_lossy().into());
        Some(user).filter(|user| !user.is_empty())
    }

    /// Whether it names a database.
    pub(crate) fn names_database(&self) -> bool {
        self.url.path().len() > 1 || self.has_parameter("dbname")
    }

    /// The password in it, decoded as the driver decodes it.
    pub(crate) fn password(&self) -> Option<String> {
        let password = match self.parameter(&["password"]) {
            Some(password) => password,
            None => percent_decode_str(self.url.password()?).decode_utf8_lossy().into_owned(),
        };
        Some(password).filter(|password| !password.is_empty())
    }

    /// Whether a parameter of this name, or one that begins with it and `[`, goes to the driver.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        self.url.query_pairs().any(|(given, _)| given.split('[').next() == Some(name))
    }

    /// The last value of a parameter that has one of these names.
    fn parameter(&self, names: &[&str]) -> Option<String> {
        let named = self.url.query_pairs().filter(|(name, _)| names.contains(&name.as_ref()));
        named.last().map(|(_, value)| value.into_owned())
    }

    /// Whether it sends settings to the server when connecting, which a pooler may refuse.
    pub(crate) fn has_options(&self) -> bool {
        self.has_parameter("options") || self.has_parameter("application_name")
    }

    /// The pooler that its host is known to be, by the naming of platforms.
    pub(super) fn known_pooler(&self) -> Option<Pooler> {
        let host = self.url.host_str()?;
        let neon = host.ends_with(".neon.tech") || host.ends_with(".postgres.vercel-storage.com");
        if neon && host.split('.').next()?.ends_with("-pooler") {
            return Some(Pooler::PgBouncerPrepared);
        }
        let supabase = host.ends_with(".pooler.supabase.com") || host.ends_with(".supabase.co");
        let beside =
            host.ends_with(".postgres.database.azure.com") || host.ends_with(".pg.psdb.cloud");
        let pgbouncer = [(supabase, 6543), (beside, 6432)];
        if pgbouncer.into_iter().any(|(is, port)| is && self.url.port() == Some(port)) {
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

    /// Logs the parameters that change nothing, and the pooler that its host is taken for.
    pub(crate) fn log_ignored(&self) {
        if let Some(pooler) = self.known_pooler() {
            tracing::info!(
                "{}: its host is a pooler's; without {} it is taken for {}",
                self.variable,
                self.variable_of("DATABASE_POOLER"),
                pooler.name()
            );
        }
        for (name, reason) in &self.ignored {
            let reason = self.own_names(reason);
            tracing::info!("{}: parameter {name} changes nothing: {reason}", self.variable);
        }
    }

    /// An error about this URL.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(self.variable.clone(), problem)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseUrl").field("kind", &self.kind).finish_non_exhaustive()
    }
}

fn prefix(variable: &str) -> &str {
    let suffixes = [DIRECT_DATABASE_URL, DATABASE_URL];
    suffixes.iter().find_map(|suffix| variable.strip_suffix(suffix)).unwrap_or_default()
}

fn own_names(variable: &str, text: &str) -> String {
    text.replace("DATABASE_", &format!("{}DATABASE_", prefix(variable)))
}

/// The path of a SQLite URL, as the driver reads it.
pub(super) fn file(url: &Url) -> String {
    let path = url.as_str().trim_start_matches("sqlite://").trim_start_matches("sqlite:");
    let path = path.split('?').next().unwrap_or_default();
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}
