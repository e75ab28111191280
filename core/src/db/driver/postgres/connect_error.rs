//! Why a PostgreSQL server, or a pooler before it, refuses a connection.

use super::super::ConnectErrorKind;

/// Parts of the texts with which PgBouncer, Supavisor, Neon's proxy and PgCat report a failed login, in small
/// letters: their SQLSTATE 08P01, XX000 and 58000 stand for many errors.
const LOGIN_FAILED: [&str; 10] = [
    "empty password",
    "password authentication failed",
    "sasl authentication failed",
    "auth failed",
    "login rejected",
    "no such user",
    "tenant or user not found",
    "(enotfound) tenant/user",
    "wrong password",
    "invalid password",
];

const NO_DATABASE: [&str; 4] = [
    "no such database",
    "endpoint could not be found",
    "endpoint id is not specified",
    "no pool configured for database",
];

const FULL: [&str; 4] = [
    "no more connections",
    "max client connections reached",
    "max clients reached",
    "too many connections",
];

/// Classifies a failure to connect.
pub(super) fn classify(error: &sqlx::Error) -> ConnectErrorKind {
    let sqlx::Error::Database(database) = error else { return ConnectErrorKind::Unreachable };
    let code = database.code();
    let code = code.as_deref().unwrap_or_default();
    match code {
        "53300" => ConnectErrorKind::Full,
        "28P01" | "28000" | "42501" => ConnectErrorKind::Credentials,
        "3D000" => ConnectErrorKind::Database,
        "0A000" if database.message().contains("RDS Proxy") => ConnectErrorKind::Pooled,
        "08P01" | "08004" | "XX000" | "58000" => by_text(database.message()),
        _ => ConnectErrorKind::Unreachable,
    }
}

fn by_text(text: &str) -> ConnectErrorKind {
    let text = text.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let no_database = text.contains("database \"") && text.contains("does not exist");
    if no_database || says(&NO_DATABASE) {
        ConnectErrorKind::Database
    // The pooler's own login fails, which its administrator may repair.
    } else if text.starts_with("server login has been failing")
        || text.starts_with("server login failed")
    {
        ConnectErrorKind::Unreachable
    } else if says(&FULL) {
        ConnectErrorKind::Full
    } else if text.contains("startup parameter") {
        ConnectErrorKind::Pooled
    } else if says(&LOGIN_FAILED) {
        ConnectErrorKind::Credentials
    } else {
        ConnectErrorKind::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooler_is_understood_by_its_words() {
        for (text, expected) in [
            ("password authentication failed", ConnectErrorKind::Credentials),
            ("SASL authentication failed", ConnectErrorKind::Credentials),
            ("no such user: app", ConnectErrorKind::Credentials),
            ("Tenant or user not found", ConnectErrorKind::Credentials),
            ("(ENOTFOUND) tenant/user postgres.abc not found", ConnectErrorKind::Credentials),
            ("Invalid password for user \"app\"", ConnectErrorKind::Credentials),
            (
                "No pool configured for database: \"shop\", user: \"app\"",
                ConnectErrorKind::Database,
            ),
            (
                "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size",
                ConnectErrorKind::Full,
            ),
            ("no such database: shop", ConnectErrorKind::Database),
            (
                "server login failed: FATAL database \"shop\" does not exist",
                ConnectErrorKind::Database,
            ),
            (
                "The requested endpoint could not be found, or you don't have access to it",
                ConnectErrorKind::Database,
            ),
            ("no more connections allowed (max_client_conn)", ConnectErrorKind::Full),
            ("Max client connections reached", ConnectErrorKind::Full),
            ("unsupported startup parameter: extra_float_digits", ConnectErrorKind::Pooled),
            ("unsupported startup parameter in options: search_path", ConnectErrorKind::Pooled),
            (
                "server login has been failing, cached error: FATAL: password authentication failed (server_login_retry)",
                ConnectErrorKind::Unreachable,
            ),
            ("query_wait_timeout", ConnectErrorKind::Unreachable),
            ("the database system is shutting down", ConnectErrorKind::Unreachable),
        ] {
            assert_eq!(by_text(text), expected, "{text}");
        }
    }
}
