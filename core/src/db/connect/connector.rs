//! Opens connections with sqlx: with the current password, to one of the host's addresses, in one attempt.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::ConnectOptions;
use tokio::time::Instant;

use super::addresses::Addresses;
use super::{Connect, ConnectFailure, Release};
use crate::ConfigError;
use crate::db::Error;
use crate::db::credentials::Credentials;
use crate::db::driver::{ConnectErrorKind, Driver, Limits, Options, ServerInfo};
use crate::db::plan::Plan;
use crate::db::pooled::PoolerWarnings;
use crate::db::session::{Session, SessionState, WriteTurns};
use crate::db::settings::{DatabaseUrl, Kind, Pooler};
use crate::db::sql::KnownEffects;

/// Opens the connections of one pool, or of a migration.
pub(in crate::db) struct Connector<DB: Driver> {
    options: Options<DB>,
    credentials: Credentials,
    pub(in crate::db) url: Arc<DatabaseUrl>,
    pub(in crate::db) pooler: Pooler,
    /// The warnings about statements that do not work through a pooler.
    warnings: Option<Arc<PoolerWarnings>>,
    /// The turn to write, if the database takes one writer at a time.
    pub(in crate::db) turns: Option<Arc<WriteTurns>>,
    /// The timeout of one attempt.
    pub(super) connect_timeout: Duration,
    addresses: Addresses,
    limits: OnceLock<Limits>,
    /// How long the last connection took to open, in microseconds.
    pub(super) connect_time: AtomicU64,
    /// How often a prepared statement was refused because the schema had changed.
    schemas: Arc<AtomicU64>,
}

impl<DB: Driver> Connector<DB> {
    pub(in crate::db) fn new(
        options: Options<DB>,
        credentials: Credentials,
        url: &DatabaseUrl,
        pooler: Pooler,
        plan: &Plan,
    ) -> Arc<Self> {
        let pooled = matches!(pooler, Pooler::PgBouncer | Pooler::PgBouncerPrepared);
        Arc::new(Self {
            options,
            credentials,
            url: Arc::new(url.clone()),
            pooler,
            warnings: pooled.then(Arc::default),
            turns: (DB::KIND == Kind::Sqlite).then(|| WriteTurns::new(plan.acquire_timeout())),
            connect_timeout: plan.connect_timeout(),
            addresses: Addresses::default(),
            limits: OnceLock::new(),
            connect_time: AtomicU64::new(0),
            schemas: Arc::default(),
        })
    }

    /// Uses the password of a URL that was read again for new connections. With `check` it only returns whether it
    /// could.
    pub(in crate::db) fn renew(&self, url: &DatabaseUrl, check: bool) -> Result<(), ConfigError> {
        if url.place() != self.url.place() {
            return Err(url.wrong("names another database, which takes a restart"));
        }
        if !check {
            self.credentials.renew(url);
        }
        Ok(())
    }

    /// The connect options with the current password.
    pub(in crate::db) async fn options_now(&self) -> Result<Options<DB>, Error> {
        let Self { credentials, options, .. } = self;
        let password = credentials.password(None).await;
        let password = password.map_err(|error| self.failure(error).into_error())?;
        Ok(match password {
            Some(password) => DB::with_password(options, password.expose()),
            None => options.clone(),
        })
    }

    fn failure(&self, error: sqlx::Error) -> ConnectFailure {
        ConnectFailure::classify::<DB>(error, &self.url, self.pooler)
    }

    /// The limits of the server, known once a connection has been opened.
    pub(in crate::db) fn limits(&self) -> Option<Limits> {
        self.limits.get().copied()
    }

    /// Connects with the current password; if the server refuses it and the source has another one, with that.
    async fn open(&self) -> Result<(DB::Connection, ServerInfo), sqlx::Error> {
        let Self { credentials, options, .. } = self;
        let Some(password) = credentials.password(None).await? else {
            return self.open_with(options).await;
        };
        let with = |password: &str| {
            let options = DB::with_password(options, password);
            async move { self.open_with(&options).await }
        };
        let error = match with(password.expose()).await {
            Err(error) if DB::connect_error_kind(&error) == ConnectErrorKind::Credentials => error,
            outcome => return outcome,
        };
        match credentials.password(Some(&password)).await? {
            Some(other) if other.expose() != password.expose() => with(other.expose()).await,
            _ => Err(error),
        }
    }

    /// Connects to one of the host's addresses; if the TLS mode allows two ways, in one and then the other.
    async fn open_with(
        &self,
        options: &Options<DB>,
    ) -> Result<(DB::Connection, ServerInfo), sqlx::Error> {
        let open = async |options: Options<DB>| {
            let mut connection = match options.connect().await {
                Err(error) => DB::second_attempt(&options, &error).ok_or(error)?.connect().await?,
                Ok(connection) => connection,
            };
            let server = DB::server_info(&mut connection, self.pooler).await?;
            Ok((connection, server))
        };
        let Some(endpoint) = DB::endpoint(options) else { return open(options.clone()).await };
        let connect = |address: Option<IpAddr>| {
            let there = address.map(|address| DB::with_host(options, &address.to_string()));
            open(there.unwrap_or_else(|| options.clone()))
        };
        self.addresses.connect(endpoint, connect).await
    }

    /// Keeps the server's limits, and warns if they have changed.
    fn note_limits(&self, server: &ServerInfo) {
        if let Some(limits) = server.limits {
            let known = self.limits.get_or_init(|| limits);
            if known.max_connections != limits.max_connections {
                tracing::warn!(
                    planned = known.max_connections,
                    now = limits.max_connections,
                    "the server's max_connections has changed since this process planned with it"
                );
            }
        }
    }
}

impl<DB: Driver> Connect for Arc<Connector<DB>> {
    type Connection = Session<DB>;

    async fn connect(&self, until: Option<Instant>) -> Result<Session<DB>, ConnectFailure> {
        let begun = Instant::now();
        let timeout = match until {
            Some(until) => until.saturating_duration_since(begun).min(self.connect_timeout),
            None => self.connect_timeout,
        };
        match tokio::time::timeout(timeout, self.open()).await {
            Ok(Ok((connection, server))) => {
                self.note_limits(&server);
                let connect_time = begun.elapsed();
                let micros = u64::try_from(connect_time.as_micros()).unwrap_or(u64::MAX);
                self.connect_time.store(micros, Ordering::Relaxed);
                let schemas = Arc::clone(&self.schemas);
                let state = SessionState::new(schemas, self.url.prefix().into(), server.backend);
                Ok(Session {
                    connection,
                    state,
                    effects: KnownEffects::new(server.unusual_backslashes),
                    pooler: self.pooler,
                    pooled: self.warnings.clone(),
                    turns: self.turns.clone(),
                    server,
                    connect_time,
                })
            }
            Ok(Err(error)) => Err(self.failure(error)),
            Err(_) => {
                let text = format!("no answer within {} ms", timeout.as_millis());
                let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
                Err(ConnectFailure::unreachable(error, &self.url))
            }
        }
    }

    fn release(&self, session: Session<DB>) -> Release<Session<DB>> {
        self.close(session)
    }
}
