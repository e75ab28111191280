//! Reading a database URL: its parameters are translated into those of the driver.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use url::Url;

use super::database_url::{DatabaseUrl, file};
use super::parameters::{self, Handling};
use super::tls_mode::{FILES, TlsMode, truth, wrong_file};
use super::{Kind, pasted};
use crate::Setting;

/// The parameters that name certificate authorities.
const ROOTS: [&str; 4] = ["sslrootcert", "ssl-root-cert", "ssl-ca", "sslca"];

/// How similar two names must be for one to count as a misspelling of the other.
const ALIKE: f64 = 0.87;

/// A URL while its parameters are read.
pub(super) struct UrlParser {
    parsed: DatabaseUrl,
    /// The parameters for the driver.
    kept: Vec<(String, String)>,
    tls: TlsMode,
}

impl UrlParser {
    /// Returns the URL in a text, with what its parameters say; an error quotes no secret.
    pub(super) fn parse(variable: Cow<'static, str>, text: &str) -> Result<DatabaseUrl, String> {
        let url = pasted::parse(text)?;
        let kind = Kind::from_url(&url).expect("the parser lets no other through");
        if kind != Kind::Sqlite {
            let known = |name: &str| parameters::handling(kind, name).is_some();
            if let Some(problem) = pasted::ends_too_early(&url, known) {
                return Err(problem.into());
            }
        }
        let parsed = DatabaseUrl {
            kind,
            variable,
            url: url.clone(),
            connection_limit: None,
            pool_timeout: None,
            connect_timeout: None,
            pgbouncer: false,
            schema: None,
            sets_tls_mode: false,
            names_root: false,
            ignored: Vec::new(),
        };
        let mut parser = Self { parsed, kept: Vec::new(), tls: TlsMode::new(kind) };
        for (name, value) in url.query_pairs() {
            let unfit = |problem: String| format!("parameter {name}: {problem}");
            match parameters::handling(kind, &name) {
                Some(Handling::Driver) => parser.driver(&name, &value).map_err(unfit)?,
                Some(Handling::Ours) => parser.ours(&name, &value).map_err(unfit)?,
                Some(Handling::Ignored(reason)) => parser.ignore(&name, reason),
                Some(Handling::Refused(instead)) => return Err(unfit(instead.into())),
                // It may be the rest of a password with a character that ends a parameter.
                None if url.query_pairs().any(|(name, _)| name == "password") => {
                    return Err("unknown parameter".into());
                }
                None => return Err(unknown(kind, &name)),
            }
        }
        let several = |host: &str| host.contains(',');
        if url.host_str().is_some_and(several) || parser.kept("host").is_some_and(several) {
            return Err(pasted::several_hosts());
        }
        match kind {
            Kind::Sqlite => parser.check_file(&file(&url))?,
            Kind::Postgres | Kind::MySql => {
                if let Some(mode) = parser.tls.complete()? {
                    parser.keep("sslmode", &mode);
                }
            }
        }
        if kind == Kind::Postgres {
            parser.complete_postgres(&url);
        }
        let Self { mut parsed, kept, tls } = parser;
        if kept.is_empty() {
            parsed.url.set_query(None);
        } else {
            parsed.url.query_pairs_mut().clear().extend_pairs(&kept);
        }
        parsed.sets_tls_mode = tls.mode.is_some() || tls.root;
        parsed.names_root = tls.root;
        Ok(parsed)
    }

    /// The value of a parameter that goes to the driver.
    fn kept(&self, name: &str) -> Option<&str> {
        self.kept.iter().find(|(kept, _)| kept == name).map(|(_, value)| value.as_str())
    }

    fn driver(&mut self, name: &str, value: &str) -> Result<(), String> {
        let allowed: &[&str] = match (self.parsed.kind, name) {
            (Kind::Sqlite, "mode") => &["ro", "rw", "rwc", "memory"],
            (Kind::Sqlite, "cache") => &["private", "shared"],
            (Kind::Sqlite, "immutable") => &["true", "false", "1", "0"],
            _ => &[],
        };
        if !allowed.is_empty() && !allowed.contains(&value) {
            return Err(format!("expected {}", allowed.join(", ")));
        }
        // Without a file the driver trusts the authorities of the system.
        if self.parsed.kind == Kind::Postgres && name == "sslrootcert" && value == "system" {
            self.tls.system = true;
            return Ok(());
        }
        if FILES.contains(&name) {
            if let Some(problem) = wrong_file(name, value) {
                return Err(problem);
            }
            self.tls.root |= ROOTS.contains(&name);
        }
        self.keep(name, value);
        Ok(())
    }

    fn ours(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "connection_limit" => {
                let limit =
                    NonZeroUsize::parse(value).ok_or("expected a whole number of at least 1")?;
                self.parsed.connection_limit = Some(limit.get());
            }
            "pool_timeout" | "connect_timeout" => {
                // Up to a hundred years, which clocks can show.
                let Some(seconds) = value.parse().ok().filter(|s| *s <= 100 * 365 * 86_400_u64)
                else {
                    return Err("expected whole seconds, or 0 for no timeout".into());
                };
                // "0" switches the timeout off in other tools; a day does as well and is a bound.
                let timeout = Duration::from_secs(if seconds == 0 { 86_400 } else { seconds });
                if name == "pool_timeout" {
                    self.parsed.pool_timeout = Some(timeout);
                } else {
                    self.parsed.connect_timeout = Some(timeout);
                }
            }
            "pgbouncer" => self.parsed.pgbouncer = truth(value)?,
            "statement_cache_size" => self.keep("statement-cache-capacity", value),
            "unix_socket" | "socketPath" => self.keep("socket", value),
            "ssl_ca" | "ssl_cert" | "ssl_key" => self.driver(&name.replace('_', "-"), value)?,
            "ssl_verify_cert" => self.tls.verify(value, false)?,
            "ssl_verify_identity" => self.tls.verify(value, true)?,
            "schema" => self.parsed.schema = Some(value.to_owned()),
            "sslmode" | "ssl-mode" | "ssl_mode" | "sslMode" => self.tls.set(value)?,
            "ssl" => self.tls.ssl(value)?,
            "tls" => self.tls.tls(value)?,
            "sslaccept" => self.tls.accept(value)?,
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
        self.parsed.ignored.push((name.to_owned(), reason));
    }

    /// Refuses a URL of SQLite without a file, and one that would open another database for each connection.
    fn check_file(&self, path: &str) -> Result<(), String> {
        let in_memory = path.ends_with(":memory:") || self.kept("mode") == Some("memory");
        if path.is_empty() && !in_memory {
            return Err("names no file; expected a URL such as sqlite:app.db?mode=rwc, or sqlite::memory: for a \
                        database that ends with the process"
                .into());
        }
        if in_memory && self.kept("cache") == Some("private") {
            return Err("parameter cache: private gives each connection a database in memory of its own; leave it \
                        out"
                .into());
        }
        Ok(())
    }

    /// Adds what the driver would look up in the environment.
    fn complete_postgres(&mut self, url: &Url) {
        if self.tls.mode.is_none() {
            self.keep("sslmode", "prefer");
        }
        let port = self.kept("port").map(str::to_owned);
        let port = port.or_else(|| url.port().map(|port| port.to_string()));
        let port = port.unwrap_or_else(|| "5432".into());
        let named = url.host_str().is_some_and(|host| !host.is_empty());
        if !named && self.kept("host").is_none() && self.kept("hostaddr").is_none() {
            self.keep("host", local(&port));
        }
        if url.port().is_none() && self.kept("port").is_none() {
            self.keep("port", &port);
        }
        if url.password().is_none() && self.kept("password").is_none() {
            self.keep("password", "");
        }
    }
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

/// The server of this machine: the folder of its socket, if there is one.
fn local(port: &str) -> &'static str {
    let folders = ["/var/run/postgresql", "/tmp"];
    let socket = format!(".s.PGSQL.{port}");
    folders
        .into_iter()
        .find(|folder| Path::new(folder).join(&socket).exists())
        .unwrap_or("localhost")
}
