//! TLS to a database server: the files that a URL names, and errors that name the parameter to change.

use std::path::Path;

use super::settings::Kind;

/// Parameters of a URL that name a file with certificates or a key.
pub(super) const FILES: [&str; 9] = [
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "ssl-client-key",
];

/// What is wrong with a file that a parameter names, if anything. The PEM text itself may be given in place of the
/// file's name; it is a secret then and not quoted.
pub(super) fn wrong_file(value: &str) -> Option<String> {
    const BEGIN: &str = "-----BEGIN ";
    if value.trim_start().starts_with(BEGIN) {
        return None;
    }
    match std::fs::read_to_string(Path::new(value)) {
        Ok(text) if text.contains(BEGIN) => None,
        Ok(_) => Some(format!("{value:?} has no PEM block, which begins with {BEGIN:?}")),
        Err(error) => Some(format!("{value:?} cannot be read: {error}")),
    }
}

/// What is wrong with TLS, if that is why connecting failed: a sentence without the variable's name.
pub(super) fn fault(kind: Kind, error: &sqlx::Error) -> Option<String> {
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
