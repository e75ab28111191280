//! Texts that are often pasted instead of a URL: the error names the mistake and what to write instead.

use url::{ParseError, Url};

use super::Kind;

const EXPECTED: &str = "expected a URL such as postgres://user:password@host/database";

const SPECIAL: &str = "a special character in the user or the password must be percent-encoded, such as %23 for #, \
                       %2F for / and %3F for ?";

/// The URL in a text, or what is wrong with the text. Nothing of the text is quoted, since it holds a password.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let text = text.trim();
    if let Some(problem) = surrounded(text).or_else(|| placeholder(text)) {
        return Err(problem);
    }
    // The driver takes both for the same; a URL would have a host and a port after the slashes.
    let text = &match text.strip_prefix("sqlite://") {
        Some(file) if !file.starts_with('/') => format!("sqlite:{file}"),
        _ => text.to_owned(),
    };
    match Url::parse(text) {
        Ok(url) => match Kind::from_url(&url) {
            Some(_) => Ok(url),
            None => Err(other_scheme(url.scheme())),
        },
        // As Google Cloud writes it: a user, and the host in a parameter.
        Err(ParseError::EmptyHost) if text.contains("@/") => {
            Url::parse(&text.replacen("@/", "@localhost/", 1)).map_err(|_| no_url())
        }
        Err(_) => Err(unparsable(text)),
    }
}

fn no_url() -> String {
    format!("{EXPECTED}, found something else")
}

/// A URL with other text around it.
fn surrounded(text: &str) -> Option<String> {
    const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];
    if text.starts_with("psql ") {
        return Some(
            "begins with psql, as a command for a shell does; write the URL alone, without psql and quotes".into(),
        );
    }
    if text.starts_with(QUOTES) || text.ends_with(QUOTES) {
        return Some("is in quotes; write the URL without them".into());
    }
    let (before, after) = text.split_once('=')?;
    let name = before.strip_prefix("export ").unwrap_or(before).trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return None;
    }
    Some(if after.contains("://") || after.trim_start_matches(QUOTES).starts_with("sqlite:") {
        "begins with a name and =, as a line of a file does; write only what follows the =".into()
    } else {
        format!("is a list of keywords, as libpq takes it; {EXPECTED}")
    })
}

/// A placeholder of a template that was not replaced, if the text has one.
fn placeholder(text: &str) -> Option<String> {
    if text.starts_with('$') || ["${", "$(", "{{"].iter().any(|mark| text.contains(mark)) {
        return Some(
            "has a reference such as ${NAME} in it that nothing has replaced; write the value itself".into(),
        );
    }
    let (_, rest) = text.split_once("://")?;
    let (user, _) = rest.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    let password = password.replace("%5B", "[").replace("%5D", "]").to_ascii_uppercase();
    if !password.is_empty() && password.chars().all(|c| matches!(c, '*' | '•' | '●')) {
        return Some(
            "has the password hidden behind *, as a web page shows it; write the password".into(),
        );
    }
    let inner = password.trim_matches(['[', ']', '<', '>', '{', '}']);
    let framed = inner.len() < password.len();
    let words = inner.replace(['-', '_', ' '], "");
    let placeholder = matches!(words.as_str(), "YOURPASSWORD" | "YOURDBPASSWORD")
        || framed && matches!(words.as_str(), "PASSWORD" | "DBPASSWORD" | "PASS" | "SECRET");
    placeholder.then(|| {
        "has a placeholder such as [YOUR-PASSWORD] where the password belongs; write the password, without brackets"
            .into()
    })
}

/// The error for a URL of another kind.
fn other_scheme(scheme: &str) -> String {
    let instead =
        |write: &str| format!("begins with {scheme}:, which is another program's; write {write}");
    let dialect = scheme.split_once('+').map_or(scheme, |(dialect, _)| dialect);
    match dialect {
        "jdbc" => format!("is a URL of Java's JDBC; {EXPECTED}"),
        "prisma" => "leads to Prisma's own service, which only its client can use; write the direct URL of the \
                     database"
            .into(),
        "postgres" | "postgresql" | "postgre" | "postgressql" | "pgsql" | "psql" | "pg" | "postgis"
        | "cockroachdb" | "cockroach" | "timescaledb" => instead("postgres://"),
        "mysql" | "mariadb" | "mysql2" | "mysqlx" | "tidb" => instead("mysql://"),
        "sqlite" | "sqlite3" | "file" => instead("sqlite: before the path of the file"),
        "libsql" => "leads to a server of libSQL, which the driver does not speak to; write sqlite: and a file".into(),
        _ => "expected a URL that begins with postgres://, mysql:// or sqlite:".into(),
    }
}

/// Why a text that looks like a URL cannot be read as one.
fn unparsable(text: &str) -> String {
    let Some((_, rest)) = text.split_once("://") else { return no_url() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    match authority.rsplit_once('@') {
        // The character that ended the authority is part of the password before the @.
        None if tail.contains('@') => SPECIAL.into(),
        Some((_, hosts)) if hosts.contains(',') => several_hosts(),
        None if authority.contains(',') => several_hosts(),
        Some((_, host)) if host.matches(':').count() > 1 && !host.contains(']') => {
            "an IPv6 address belongs in brackets, such as postgres://user:password@[::1]:5432/database".into()
        }
        Some((_, host)) if host.contains(':') && !host.contains(']') => {
            "the port must be a number from 0 to 65535; a special character in the password must be percent-encoded"
                .into()
        }
        _ => no_url(),
    }
}

pub(super) fn several_hosts() -> String {
    "names several hosts; name one, such as the primary's, or a name that stands for all of their addresses, which \
     are tried in turn"
        .into()
}

/// Whether a `#`, `/` or `?` of a password has ended its part of the URL too early, so that the host is found in a
/// wrong part.
pub(super) fn ends_too_early(url: &Url, known: impl Fn(&str) -> bool) -> Option<&'static str> {
    let stray = url
        .query_pairs()
        .any(|(name, value)| !known(&name) && (name.contains('@') || value.contains('@')));
    (url.fragment().is_some() || url.path().contains('@') || stray).then_some(SPECIAL)
}
