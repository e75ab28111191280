//! Why a PostgreSQL server, or a pooler before it, lets nobody in.

use super::super::Refusal;

/// What a pooler says of a login with SQLSTATE 08P01 or XX000, which say nothing by themselves: parts of the texts
/// of PgBouncer, Supavisor and Neon's proxy.
const LOGIN_FAILED: [&str; 8] = [
    "empty password",
    "password authentication failed",
    "SASL authentication failed",
    "auth failed",
    "login rejected",
    "no such user",
    "Tenant or user not found",
    "Wrong password",
];

const NO_DATABASE: [&str; 3] =
    ["no such database", "endpoint could not be found", "Endpoint ID is not specified"];

const FULL: [&str; 3] =
    ["no more connections", "Max client connections reached", "too many connections"];

/// What a failure to connect means.
pub(super) fn of(error: &sqlx::Error) -> Refusal {
    let sqlx::Error::Database(database) = error else { return Refusal::Unreachable };
    let code = database.code();
    let code = code.as_deref().unwrap_or_default();
    match code {
        "53300" => Refusal::Full,
        "28P01" | "28000" | "42501" => Refusal::Credentials,
        "3D000" => Refusal::Database,
        "0A000" if database.message().contains("RDS Proxy") => Refusal::Pooled,
        "08P01" | "08004" | "XX000" => by_text(database.message()),
        _ => Refusal::Unreachable,
    }
}

fn by_text(text: &str) -> Refusal {
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let no_database = text.contains("database \"") && text.contains("does not exist");
    if no_database || says(&NO_DATABASE) {
        Refusal::Database
    // Of the pooler's own login, which its administrator may be mending.
    } else if text.starts_with("server login has been failing")
        || text.starts_with("server login failed")
    {
        Refusal::Unreachable
    } else if says(&FULL) {
        Refusal::Full
    } else if text.contains("startup parameter") {
        Refusal::Pooled
    } else if says(&LOGIN_FAILED) {
        Refusal::Credentials
    } else {
        Refusal::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooler_is_understood_by_its_words() {
        for (text, expected) in [
            ("password authentication failed", Refusal::Credentials),
            ("SASL authentication failed", Refusal::Credentials),
            ("no such user: app", Refusal::Credentials),
            ("Tenant or user not found", Refusal::Credentials),
            ("no such database: shop", Refusal::Database),
            ("server login failed: FATAL database \"shop\" does not exist", Refusal::Database),
            (
                "The requested endpoint could not be found, or you don't have access to it",
                Refusal::Database,
            ),
            ("no more connections allowed (max_client_conn)", Refusal::Full),
            ("Max client connections reached", Refusal::Full),
            ("unsupported startup parameter: extra_float_digits", Refusal::Pooled),
            ("unsupported startup parameter in options: search_path", Refusal::Pooled),
            (
                "server login has been failing, cached error: FATAL: password authentication failed (server_login_retry)",
                Refusal::Unreachable,
            ),
            ("query_wait_timeout", Refusal::Unreachable),
            ("the database system is shutting down", Refusal::Unreachable),
        ] {
            assert_eq!(by_text(text), expected, "{text}");
        }
    }
}
