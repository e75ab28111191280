//! The parameters that people and platforms write into database URLs: which are honoured, which change nothing and are
//! said once, which are refused and what to write instead.
//!
//! Long because it is a table.

use super::Kind;

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The driver takes it.
    Driver,
    /// It is translated or heeded here.
    Ours,
    /// It changes nothing here; the log says so once, with this reason.
    Ignored(&'static str),
    /// It asks for something that is not done; the text says what to write.
    Refused(&'static str),
}

use Use::{Driver, Ignored, Ours, Refused};

type Row = (&'static str, Use);

/// For every kind of server.
const SERVERS: &[Row] = &[
    ("connection_limit", Ours),
    ("pool_timeout", Ours),
    ("connect_timeout", Ours),
    ("pgbouncer", Ours),
    ("sslmode", Ours),
    ("ssl-mode", Ours),
    ("ssl_mode", Ours),
    ("sslMode", Ours),
    ("ssl", Ours),
    ("sslaccept", Ours),
    ("sslcert", Driver),
    ("ssl-cert", Driver),
    ("sslkey", Driver),
    ("ssl-key", Driver),
    ("ssl-ca", Driver),
    ("statement-cache-capacity", Driver),
    ("statement_cache_size", Ours),
    ("sslidentity", Refused("the driver reads PEM; write sslcert and sslkey")),
    ("sslpassword", Refused("the driver reads keys that are not encrypted; decrypt the key")),
    ("pool", Refused("write connection_limit, or set DATABASE_POOL_SIZE")),
    ("pool_size", Refused("write connection_limit, or set DATABASE_POOL_SIZE")),
    ("max_connections", Refused("write connection_limit, or set DATABASE_POOL_SIZE")),
    ("socket_timeout", Ignored("requests have deadlines, which bound their statements")),
    ("max_connection_lifetime", Ignored("DATABASE_MAX_LIFETIME says it")),
    ("max_idle_connection_lifetime", Ignored("DATABASE_IDLE_TIMEOUT says it")),
    ("single_use_connections", Ignored("connections are planned")),
    ("conn_max_age", Ignored("DATABASE_MAX_LIFETIME says it")),
    ("serverVersion", Ignored("the server is asked for its version")),
    ("encoding", Ignored("text is UTF-8")),
    ("reconnect", Ignored("connections that broke are always replaced")),
    ("adapter", Ignored("the scheme says it")),
    ("statusColor", Ignored("it is for a desktop program")),
    ("env", Ignored("it is for a desktop program")),
    ("name", Ignored("it is for a desktop program")),
];

const POSTGRES: &[Row] = &[
    ("schema", Ours),
    ("sslrootcert", Driver),
    ("ssl-root-cert", Driver),
    ("host", Driver),
    ("hostaddr", Driver),
    ("port", Driver),
    ("dbname", Driver),
    ("user", Driver),
    ("password", Driver),
    ("application_name", Driver),
    ("options", Driver),
    ("target_session_attrs", Ours),
    ("gssencmode", Ours),
    ("client_encoding", Ours),
    (
        "channel_binding",
        Ignored(
            "the driver does not bind logins to their TLS channel; sslmode=verify-full keeps strangers out of it",
        ),
    ),
    ("supa", Ignored("it names the platform")),
    ("uselibpqcompat", Ignored("sslmode means what it means to libpq")),
    ("sslnegotiation", Ignored("TLS is negotiated in the way that every server knows")),
    ("sslcompression", Ignored("nothing is compressed")),
    ("sslsni", Ignored("the name of the server is always sent")),
    ("sslcertmode", Ignored("a certificate is shown if sslcert names one")),
    ("ssl_min_protocol_version", Ignored("TLS is 1.2 or 1.3")),
    ("ssl_max_protocol_version", Ignored("TLS is 1.2 or 1.3")),
    ("gssdelegation", Ignored("GSSAPI is not used")),
    ("gsslib", Ignored("GSSAPI is not used")),
    ("krbsrvname", Ignored("GSSAPI is not used")),
    ("keepalives", Ignored("idle connections are checked before use")),
    ("keepalives_idle", Ignored("idle connections are checked before use")),
    ("keepalives_interval", Ignored("idle connections are checked before use")),
    ("keepalives_count", Ignored("idle connections are checked before use")),
    ("tcp_user_timeout", Ignored("requests have deadlines, which bound their statements")),
    ("load_balance_hosts", Ignored("one host is named")),
    ("fallback_application_name", Ignored("connections have the name of this process")),
    ("charset", Ignored("text is UTF-8")),
    ("min_protocol_version", Ignored("the driver speaks one version of the protocol")),
    ("max_protocol_version", Ignored("the driver speaks one version of the protocol")),
    ("passfile", Refused("set DATABASE_PASSWORD_FILE to a file with the password alone")),
    ("service", Refused("write host, port, user and database themselves")),
    ("servicefile", Refused("write host, port, user and database themselves")),
    (
        "require_auth",
        Refused("the driver cannot restrict how the server asks for a password; leave it out"),
    ),
    ("requirepeer", Refused("the driver does not check who owns a socket; leave it out")),
    ("sslcrl", Refused("the driver checks no revocation lists; leave it out")),
    ("sslcrldir", Refused("the driver checks no revocation lists; leave it out")),
    ("replication", Refused("the driver does not speak the replication protocol")),
    ("search_path", Refused("write schema for one schema, or options[search_path]")),
    ("currentSchema", Refused("write schema")),
    ("statement_timeout", Refused("write options[statement_timeout]")),
    ("lock_timeout", Refused("write options[lock_timeout]")),
    ("timezone", Refused("write options[TimeZone]")),
    (
        "prepareThreshold",
        Refused("it is for Java; set DATABASE_POOLER if a pooler stands before the server"),
    ),
];

const MYSQL: &[Row] = &[
    ("sslca", Driver),
    ("charset", Driver),
    ("collation", Driver),
    ("socket", Driver),
    ("unix_socket", Ours),
    ("socketPath", Ours),
    ("timezone", Driver),
    ("time-zone", Driver),
    ("tls", Ours),
    (
        "allowPublicKeyRetrieval",
        Ignored("whether RSA may be used is the feature mysql-rsa of sqlx"),
    ),
    ("serverTimezone", Ignored("sessions are in UTC")),
    ("useUnicode", Ignored("text is UTF-8")),
    ("characterEncoding", Ignored("text is UTF-8")),
    ("autoReconnect", Ignored("connections that broke are always replaced")),
    ("zeroDateTimeBehavior", Ignored("types of Rust decide it")),
    ("parseTime", Ignored("types of Rust decide it")),
    ("loc", Ignored("sessions are in UTC")),
    ("multiStatements", Ignored("raw_sql runs several statements")),
    ("allowNativePasswords", Ignored("they are always allowed")),
    ("timeout", Ignored("connect_timeout says it")),
    ("readTimeout", Ignored("requests have deadlines, which bound their statements")),
    ("writeTimeout", Ignored("requests have deadlines, which bound their statements")),
    ("useSSL", Refused("write ssl-mode")),
    ("requireSSL", Refused("write ssl-mode")),
    ("verifyServerCertificate", Refused("write ssl-mode=VERIFY_CA or VERIFY_IDENTITY")),
    (
        "allowCleartextPasswords",
        Refused("open with Db::open_with and ssl-mode=REQUIRED or more, which allow it"),
    ),
];

const SQLITE: &[Row] = &[
    ("connection_limit", Ours),
    ("pool_timeout", Ours),
    ("connect_timeout", Ours),
    ("mode", Driver),
    ("cache", Driver),
    ("immutable", Driver),
    ("vfs", Driver),
    ("socket_timeout", Ignored("requests have deadlines, which bound their statements")),
    ("timeout", Ignored("DATABASE_ACQUIRE_TIMEOUT says how long a locked database is waited for")),
    (
        "busy_timeout",
        Ignored("DATABASE_ACQUIRE_TIMEOUT says how long a locked database is waited for"),
    ),
    (
        "_busy_timeout",
        Ignored("DATABASE_ACQUIRE_TIMEOUT says how long a locked database is waited for"),
    ),
    ("_foreign_keys", Ignored("foreign keys are always checked")),
    ("_fk", Ignored("foreign keys are always checked")),
    ("_journal_mode", Ignored("files that are written to are in WAL mode")),
    ("journal_mode", Ignored("files that are written to are in WAL mode")),
    ("_synchronous", Ignored("it is NORMAL")),
];

/// What becomes of a parameter of this name: `None` if it is not known.
pub(super) fn of(kind: Kind, name: &str) -> Option<Use> {
    if kind == Kind::Postgres && name.starts_with("options[") {
        return Some(Driver);
    }
    all(kind).find(|(known, _)| *known == name).map(|(_, used)| *used)
}

/// The names that can be meant by a misspelt one.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    all(kind).filter(|(_, used)| matches!(used, Driver | Ours)).map(|(name, _)| *name)
}

fn all(kind: Kind) -> impl Iterator<Item = &'static Row> {
    let (common, own) = match kind {
        Kind::Postgres => (SERVERS, POSTGRES),
        Kind::MySql => (SERVERS, MYSQL),
        Kind::Sqlite => (&[][..], SQLITE),
    };
    common.iter().chain(own)
}
