//! Failures to connect that a wrong setting causes: which one, and what to change.

use std::path::Path;

use crate::ConfigError;
use crate::db::driver::ConnectErrorKind;
use crate::db::error::DriverMessage;
use crate::db::settings::{DatabaseUrl, Kind, Pooler};

/// Returns the setting to change, if a setting is the reason that connecting failed.
pub(super) fn setting_to_change(
    kind: ConnectErrorKind,
    error: &sqlx::Error,
    url: &DatabaseUrl,
    pooler: Pooler,
) -> Option<ConfigError> {
    if let Some(problem) = tls_problem(url.kind, error).or_else(|| login_problem(url.kind, error)) {
        return Some(url.wrong(problem));
    }
    match kind {
        ConnectErrorKind::Pooled => Some(refused_by_pooler(error, url, pooler)),
        ConnectErrorKind::File => Some(url.wrong(file_problem(Path::new(&url.place()), error))),
        _ => None,
    }
}

/// Describes the TLS fault if connecting failed by one: a sentence without the variable's name.
fn tls_problem(kind: Kind, error: &sqlx::Error) -> Option<String> {
    let (mode, weaker, by_authority, root) = match kind {
        Kind::Postgres => ("sslmode", "prefer", "verify-ca", "sslrootcert"),
        Kind::MySql => ("ssl-mode", "PREFERRED", "VERIFY_CA", "ssl-ca"),
        Kind::Sqlite => return None,
    };
    let text = match error {
        sqlx::Error::Tls(error) => error.to_string(),
        sqlx::Error::Io(error) => error.to_string(),
        _ => return None,
    };
    if text.contains("server does not support TLS") {
        return Some(format!(
            "the server does not offer TLS, which {mode} demands; switch it on there, or set {mode}={weaker} \
             to do without"
        ));
    }
    let (_, problem) = text.split_once("invalid peer certificate: ")?;
    // A bad signature is that of an authority of the same name with another key.
    Some(if problem.contains("UnknownIssuer") || problem.contains("BadSignature") {
        format!(
            "the server's certificate was not issued by an authority that is known; set {root} to a file with \
             the certificate of the authority that issued it"
        )
    } else if problem.contains("not valid for") {
        format!(
            "the server's certificate is for another host ({problem}); name the host as its certificate does, \
             or set {mode}={by_authority} to check the authority alone"
        )
    } else {
        format!("the server's certificate is not accepted: {problem}")
    })
}

/// The error of a pooler that refuses what is sent when connecting.
fn refused_by_pooler(error: &sqlx::Error, url: &DatabaseUrl, pooler: Pooler) -> ConfigError {
    let message = DriverMessage(error);
    if pooler == Pooler::None {
        return ConfigError::new(
            url.variable_of("DATABASE_POOLER"),
            format!(
                "is not set, and a pooler answers ({message}); set pgbouncer, pgbouncer-prepared or rds-proxy, \
                 whichever it is"
            ),
        );
    }
    let change = if url.has_options() {
        "remove options and application_name from the URL, or have the pooler ignore them \
         (ignore_startup_parameters of PgBouncer)"
    } else {
        "have the pooler ignore it (ignore_startup_parameters of PgBouncer)"
    };
    url.wrong(format!("the pooler refuses what is sent when connecting ({message}); {change}"))
}

/// Describes a login method that a MySQL server demands and the settings do not allow, recognised by the driver's
/// texts.
fn login_problem(kind: Kind, error: &sqlx::Error) -> Option<String> {
    if kind != Kind::MySql {
        return None;
    }
    let text = match error {
        sqlx::Error::Protocol(text) => text.clone(),
        sqlx::Error::Configuration(error) => error.to_string(),
        _ => return None,
    };
    if text.contains("mysql_cleartext_plugin disabled") {
        return Some(
            "the server asks for the password in clear text (mysql_clear_password), which is sent only through \
             TLS and only if the program has a source of passwords: set ssl-mode=REQUIRED or more, and give \
             Db::builder a source of passwords"
                .into(),
        );
    }
    if text.contains("RSA auth backend disabled") {
        return Some(
            "the server asks for the password without TLS (caching_sha2_password or sha256_password), which \
             takes RSA: set ssl-mode=REQUIRED if the server offers TLS, or switch on the feature mysql-rsa of \
             sqlx"
                .into(),
        );
    }
    let plugin = text.split_once("unknown authentication plugin: ")?.1;
    // The driver adds the place in its source.
    let plugin = plugin.split(' ').next().unwrap_or_default();
    Some(format!(
        "the server logs this user in by {plugin}, which the driver does not know; give the user \
         mysql_native_password, caching_sha2_password or sha256_password"
    ))
}

/// Why a file of SQLite cannot be opened, and what to change.
fn file_problem(path: &Path, error: &sqlx::Error) -> String {
    let message = DriverMessage(error);
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let shown = shown.display();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The kind of an error is in its lower eight bits.
    let kind = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let problem = match kind {
        Some(26) => "it is no SQLite database, or is encrypted; name another file".into(),
        Some(11) => "the file is damaged; restore it from a backup".into(),
        Some(8) => "the file or its folder cannot be written to; make both writable for this user, or add \
                    mode=ro to only read"
            .into(),
        Some(14) if path.is_dir() => "it is a folder; name a file in it".into(),
        Some(14) if !folder.is_dir() => {
            format!("the folder {} does not exist; make it, or name another", folder.display())
        }
        Some(14) if !path.exists() => {
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
            format!(
                "the file does not exist; it is created only if the URL has mode=rwc and this user may write to \
                 the folder {}",
                folder.display()
            )
        }
        Some(14) => "this user may not read the file, or it is in WAL mode in a folder that cannot be written to; \
                     give the user the rights, or add mode=ro&immutable=1 if nobody writes to it"
            .to_owned(),
        _ => return format!("{shown} cannot be opened: {message}"),
    };
    format!("{shown} cannot be opened: {message}: {problem}")
}
