//! The parameters that people and platforms write into database URLs: which are honoured, which change nothing and
//! are logged once, which are refused and what to write instead.

use super::Kind;

/// How a parameter is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handling {
    /// The driver takes it.
    Driver,
    /// It is translated or used here.
    Ours,
    /// It changes nothing here; the log says so once, with this reason.
    Ignored(&'static str),
    /// It is refused; the text says what to write instead.
    Refused(&'static str),
}

use Handling::{Driver, Ignored, Ours, Refused};

/// Parameters of one use, by their names.
type Row = (&'static [&'static str], Handling);

/// For every kind of server.
const SERVERS: &[Row] = &[
    (
        &[
            "connection_limit",
            "pool_timeout",
            "connect_timeout",
            "pgbouncer",
            "sslmode",
            "ssl-mode",
            "ssl_mode",
            "sslMode",
            "ssl",
            "sslaccept",
            "statement_cache_size",
        ],
        Ours,
    ),
    (&["sslcert", "ssl-cert", "sslkey", "ssl-key", "ssl-ca", "statement-cache-capacity"], Driver),
    (&["sslidentity"], Refused("the driver reads PEM; write sslcert and sslkey")),
    (&["sslpassword"], Refused("the driver reads keys that are not encrypted; decrypt the key")),
    (
        &["pool", "pool_size", "max_connections"],
        Refused("write connection_limit, or set DATABASE_POOL_SIZE"),
    ),
    (&["socket_timeout"], Ignored("requests have deadlines, which bound their statements")),
    (&["max_connection_lifetime", "conn_max_age"], Ignored("DATABASE_MAX_LIFETIME says it")),
    (&["max_idle_connection_lifetime"], Ignored("DATABASE_IDLE_TIMEOUT says it")),
    (&["single_use_connections"], Ignored("connections are planned")),
    (&["serverVersion"], Ignored("the server is asked for its version")),
    (&["encoding"], Ignored("text is UTF-8")),
    (&["reconnect"], Ignored("connections that broke are always replaced")),
    (&["adapter"], Ignored("the scheme says it")),
    (&["statusColor", "env", "name"], Ignored("it is for a desktop program")),
];

const POSTGRES: &[Row] = &[
    (&["schema", "target_session_attrs", "gssencmode", "client_encoding"], Ours),
    (
        &[
            "sslrootcert",
            "ssl-root-cert",
            "host",
            "hostaddr",
            "port",
            "dbname",
            "user",
            "password",
            "application_name",
            "options",
        ],
        Driver,
    ),
    (
        &["channel_binding"],
        Ignored(
            "the driver does not bind logins to their TLS channel; sslmode=verify-full keeps strangers out of it",
        ),
    ),
    (&["supa", "workaround"], Ignored("it names the platform")),
    (&["uselibpqcompat"], Ignored("sslmode means what it means to libpq")),
    (&["sslnegotiation"], Ignored("TLS is negotiated in the way that every server knows")),
    (&["sslcompression"], Ignored("nothing is compressed")),
    (&["sslsni"], Ignored("the name of the server is always sent")),
    (&["sslcertmode"], Ignored("a certificate is shown if sslcert names one")),
    (&["ssl_min_protocol_version", "ssl_max_protocol_version"], Ignored("TLS is 1.2 or 1.3")),
    (&["gssdelegation", "gsslib", "krbsrvname"], Ignored("GSSAPI is not used")),
    (
        &["keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"],
        Ignored("idle connections are checked before use"),
    ),
    (&["tcp_user_timeout"], Ignored("requests have deadlines, which bound their statements")),
    (&["load_balance_hosts"], Ignored("one host is named")),
    (&["fallback_application_name"], Ignored("connections have the name of this process")),
    (&["charset"], Ignored("text is UTF-8")),
    (
        &["min_protocol_version", "max_protocol_version"],
        Ignored("the driver speaks one version of the protocol"),
    ),
    (&["passfile"], Refused("set DATABASE_PASSWORD_FILE to a file with the password alone")),
    (&["service", "servicefile"], Refused("write host, port, user and database themselves")),
    (
        &["require_auth"],
        Refused("the driver cannot restrict how the server asks for a password; leave it out"),
    ),
    (&["requirepeer"], Refused("the driver does not check who owns a socket; leave it out")),
    (&["sslcrl", "sslcrldir"], Refused("the driver checks no revocation lists; leave it out")),
    (&["replication"], Refused("the driver does not speak the replication protocol")),
    (&["search_path"], Refused("write schema for one schema, or options[search_path]")),
    (&["currentSchema"], Refused("write schema")),
    (&["statement_timeout"], Refused("write options[statement_timeout]")),
    (&["lock_timeout"], Refused("write options[lock_timeout]")),
    (&["timezone"], Refused("write options[TimeZone]")),
    (
        &["prepareThreshold"],
        Refused("it is for Java; set DATABASE_POOLER if a pooler stands before the server"),
    ),
];

const MYSQL: &[Row] = &[
    (&["sslca", "charset", "collation", "socket", "timezone", "time-zone"], Driver),
    (&["unix_socket", "socketPath", "tls"], Ours),
    (&["ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity"], Ours),
    (
        &["allowPublicKeyRetrieval"],
        Ignored("whether RSA may be used is the feature mysql-rsa of sqlx"),
    ),
    (&["serverTimezone", "loc"], Ignored("sessions are in UTC")),
    (&["useUnicode", "characterEncoding"], Ignored("text is UTF-8")),
    (&["autoReconnect"], Ignored("connections that broke are always replaced")),
    (&["zeroDateTimeBehavior", "parseTime"], Ignored("types of Rust decide it")),
    (&["multiStatements"], Ignored("raw_sql runs several statements")),
    (&["allowNativePasswords"], Ignored("they are always allowed")),
    (&["timeout"], Ignored("connect_timeout says it")),
    (
        &["readTimeout", "writeTimeout"],
        Ignored("requests have deadlines, which bound their statements"),
    ),
    (&["useSSL", "requireSSL"], Refused("write ssl-mode")),
    (&["verifyServerCertificate"], Refused("write ssl-mode=VERIFY_CA or VERIFY_IDENTITY")),
    (
        &["allowCleartextPasswords"],
        Refused("give Db::builder a source of passwords, and set ssl-mode=REQUIRED or more"),
    ),
];

const SQLITE: &[Row] = &[
    (&["connection_limit", "pool_timeout", "connect_timeout"], Ours),
    (&["mode", "cache", "immutable", "vfs"], Driver),
    (&["socket_timeout"], Ignored("requests have deadlines, which bound their statements")),
    (
        &["timeout", "busy_timeout", "_busy_timeout"],
        Ignored("DATABASE_ACQUIRE_TIMEOUT says how long a locked database is waited for"),
    ),
    (&["_foreign_keys", "_fk"], Ignored("foreign keys are always checked")),
    (&["_journal_mode", "journal_mode"], Ignored("files that are written to are in WAL mode")),
    (&["_synchronous"], Ignored("it is NORMAL")),
];

/// How a parameter of this name is handled; `None` if it is unknown.
pub(super) fn handling(kind: Kind, name: &str) -> Option<Handling> {
    if kind == Kind::Postgres && name.starts_with("options[") {
        return Some(Driver);
    }
    all(kind).find(|(names, _)| names.contains(&name)).map(|(_, used)| *used)
}

/// The names that can be meant by a misspelt one.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    let meant = all(kind).filter(|(_, used)| matches!(used, Driver | Ours));
    meant.flat_map(|(names, _)| names.iter().copied())
}

fn all(kind: Kind) -> impl Iterator<Item = &'static Row> {
    let (common, own) = match kind {
        Kind::Postgres => (SERVERS, POSTGRES),
        Kind::MySql => (SERVERS, MYSQL),
        Kind::Sqlite => (&[][..], SQLITE),
    };
    common.iter().chain(own)
}
