//! How the server treats connections and requests; defaults first, then what the settings say.

use std::time::Duration;

use anyhost_core::{ConfigError, Settings};

use crate::{AdminAddress, MaxInFlight, MinBodyRate, Probes, Tls, TrustedProxies};

/// How the server treats connections and requests.
///
/// An adapter starts from [`Config::default`], puts in what its platform needs and lets the settings of
/// the process have the last word with [`Config::with`].
#[derive(Clone, Debug)]
pub struct Config {
    /// `KEEP_ALIVE`: how long an idle connection stays open. Default 620 seconds: a router must be the
    /// one that closes first, and the slowest (Google's load balancer) keeps its own for 600.
    pub keep_alive: Duration,
    /// `HEADER_TIMEOUT`: how long a client may take to send the head of a request. Default 15 seconds.
    pub header_timeout: Duration,
    /// `BODY_TIMEOUT`: how long a request body may make no progress while the App waits for it.
    /// Default 30 seconds.
    pub body_timeout: Duration,
    /// `MIN_BODY_RATE`: the least bytes per second of a body whose client is waited for, after 20 seconds of
    /// waiting; it holds for request bodies and for responses. Default 500, 0 turns it off.
    pub min_body_rate: MinBodyRate,
    /// `SEND_TIMEOUT`: how long a client may take nothing of a response that is ready to be sent.
    /// Default 60 seconds.
    pub send_timeout: Duration,
    /// `REQUEST_TIMEOUT`: how long the App may take until it has a response; then the client gets 504
    /// and the request is cancelled. Default none.
    pub request_timeout: Option<Duration>,
    /// `LAME_DUCK`: how long new connections are still served after the stop signal, until every router
    /// has learned that this process goes away. Default 0.
    pub lame_duck: Duration,
    /// `WORKERS`: threads of the runtime. Default one per processor that the process may use.
    pub workers: Option<usize>,
    /// `MAX_CONNECTIONS`: connections at once; beyond it new ones wait in the kernel's queue.
    /// Default 10,000.
    pub max_connections: usize,
    /// `MAX_IN_FLIGHT`: requests at once, a number or `auto`; beyond it the client gets 503 with
    /// `Retry-After` at once. Default as many as come.
    pub max_in_flight: MaxInFlight,
    /// `LIVEZ_PATH`, `READYZ_PATH` and `STARTUPZ_PATH`: what platforms ask. Default `/livez`, `/readyz` and
    /// `/startupz`.
    pub probes: Probes,
    /// `ADMIN_LISTEN`: the address of the second listener, with metrics and probes with details. Default: none.
    pub admin: Option<AdminAddress>,
    /// `ACCESS_LOG`: whether each request the App was asked is a line of the log. Default not: the router
    /// before the process mostly writes one.
    pub access_log: bool,
    /// `TRUSTED_PROXIES` and `TRUSTED_HEADERS`: which peers are trusted to name the client. Default: none.
    pub trust: TrustedProxies,
    /// `PROXY_PROTOCOL`: whether every connection begins with a header of the PROXY protocol, version 1 or
    /// 2, in which a trusted proxy says who its client is. A connection without is closed. Default off.
    pub proxy_protocol: bool,
    /// `TLS_CERTIFICATE` and `TLS_KEY`: what the listeners that speak TLS show. Default none.
    pub tls: Option<Tls>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(620),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            min_body_rate: MinBodyRate::default(),
            send_timeout: Duration::from_secs(60),
            request_timeout: None,
            lame_duck: Duration::ZERO,
            workers: None,
            max_connections: 10_000,
            max_in_flight: MaxInFlight::default(),
            probes: Probes::default(),
            admin: None,
            access_log: false,
            trust: TrustedProxies::default(),
            proxy_protocol: false,
            tls: None,
        }
    }
}

impl Config {
    /// The configuration with what the settings say put over it.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub fn with(self, settings: &Settings) -> Result<Self, ConfigError> {
        let trust = self.trust.with(settings)?;
        let proxy_protocol = settings.get("PROXY_PROTOCOL")?.unwrap_or(self.proxy_protocol);
        if proxy_protocol && !cfg!(feature = "proxy-protocol") {
            let problem = "is on, and this program is built without the feature `proxy-protocol`";
            return Err(ConfigError::new("PROXY_PROTOCOL", problem));
        }
        // A number would count a hop that the header has counted already.
        if proxy_protocol && !trust.names_networks() {
            let problem = "is on, and TRUSTED_PROXIES names no addresses whose word could be taken";
            return Err(ConfigError::new("PROXY_PROTOCOL", problem));
        }
        Ok(Self {
            keep_alive: positive(settings, "KEEP_ALIVE")?.unwrap_or(self.keep_alive),
            header_timeout: positive(settings, "HEADER_TIMEOUT")?.unwrap_or(self.header_timeout),
            body_timeout: positive(settings, "BODY_TIMEOUT")?.unwrap_or(self.body_timeout),
            min_body_rate: settings.get("MIN_BODY_RATE")?.unwrap_or(self.min_body_rate),
            send_timeout: positive(settings, "SEND_TIMEOUT")?.unwrap_or(self.send_timeout),
            request_timeout: positive(settings, "REQUEST_TIMEOUT")?.or(self.request_timeout),
            lame_duck: settings.get("LAME_DUCK")?.unwrap_or(self.lame_duck),
            workers: at_least_one(settings, "WORKERS", 512)?.or(self.workers),
            max_connections: at_least_one(settings, "MAX_CONNECTIONS", usize::MAX)?
                .unwrap_or(self.max_connections),
            max_in_flight: settings.get("MAX_IN_FLIGHT")?.unwrap_or(self.max_in_flight),
            probes: self.probes.with(settings)?,
            admin: settings.get("ADMIN_LISTEN")?.or(self.admin),
            access_log: settings.get("ACCESS_LOG")?.unwrap_or(self.access_log),
            trust,
            proxy_protocol,
            tls: Tls::from_settings(settings)?.or(self.tls),
        })
    }

    /// Checks that the stop signal leaves time for the drain, after the time in which new connections are served.
    ///
    /// # Errors
    /// [`ConfigError`] for `LAME_DUCK`.
    pub(crate) fn leaves_time_in(&self, grace: Duration) -> Result<(), ConfigError> {
        let lame_duck = self.lame_duck;
        if lame_duck.is_zero() || lame_duck < grace {
            return Ok(());
        }
        let (lame_duck, grace) = (lame_duck.as_secs_f64(), grace.as_secs_f64());
        let problem = format!(
            "{lame_duck} s are all of the grace of {grace} s (SHUTDOWN_GRACE): no time is left for requests to end"
        );
        Err(ConfigError::new("LAME_DUCK", problem))
    }

    /// What is in force for the settings of every long-running host, defaults among them.
    #[must_use]
    pub fn in_force(&self) -> Vec<(&'static str, String)> {
        let time = |time: Duration| format!("{}s", time.as_secs_f64());
        let mut all = vec![
            ("KEEP_ALIVE", time(self.keep_alive)),
            ("HEADER_TIMEOUT", time(self.header_timeout)),
            ("BODY_TIMEOUT", time(self.body_timeout)),
            ("MIN_BODY_RATE", self.min_body_rate.to_string()),
            ("SEND_TIMEOUT", time(self.send_timeout)),
            ("LAME_DUCK", time(self.lame_duck)),
            ("MAX_CONNECTIONS", self.max_connections.to_string()),
            ("ACCESS_LOG", self.access_log.to_string()),
            ("PROXY_PROTOCOL", self.proxy_protocol.to_string()),
        ];
        all.extend(self.probes.in_force());
        all.extend(self.trust.in_force());
        all.extend(self.request_timeout.map(|timeout| ("REQUEST_TIMEOUT", time(timeout))));
        all.extend(self.workers.map(|workers| ("WORKERS", workers.to_string())));
        all
    }
}

fn positive(settings: &Settings, name: &'static str) -> Result<Option<Duration>, ConfigError> {
    match settings.get::<Duration>(name)? {
        Some(Duration::ZERO) => Err(ConfigError::new(name, "must be more than 0")),
        other => Ok(other),
    }
}

fn at_least_one(
    settings: &Settings,
    name: &'static str,
    most: usize,
) -> Result<Option<usize>, ConfigError> {
    let Some(text) = settings.text(name) else { return Ok(None) };
    let range = match most {
        usize::MAX => "of at least 1".to_owned(),
        _ => format!("from 1 to {most}"),
    };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.map(Some).ok_or_else(|| {
        ConfigError::new(name, format!("expected a whole number {range}, found {text:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_connections_are_not_served_for_all_of_the_grace() {
        let seconds = Duration::from_secs;
        let config = |lame_duck| Config { lame_duck: seconds(lame_duck), ..Config::default() };
        assert!(config(9).leaves_time_in(seconds(10)).is_ok());
        assert!(config(0).leaves_time_in(seconds(0)).is_ok());
        let error = config(10).leaves_time_in(seconds(10)).expect_err("no time is left");
        assert_eq!(error.variable(), "LAME_DUCK");
    }

    #[test]
    fn an_idle_connection_outlives_every_routers_own() {
        assert!(Config::default().keep_alive > Duration::from_secs(610));
    }
}
