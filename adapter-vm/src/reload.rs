//! SIGHUP: what can change while the process runs is read again, the rest needs a restart.

use anyhost_core::adapter::HostHandles as _;
use anyhost_core::{ConfigError, Host, Phase, Settings};
use anyhost_server::{Hangups, LogLevel, Tls};
use rustix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;

use crate::environment;
use crate::notify::Manager;

/// What can be read again.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) manager: Manager,
    pub(crate) host: Host,
    pub(crate) level: LogLevel,
    pub(crate) tls: Option<Tls>,
    /// What systemd shows while the process serves.
    pub(crate) serving: String,
}

impl Reload {
    /// Reads again at each SIGHUP, for ever. systemd is told before and after.
    pub(crate) async fn at(self, mut hangups: Hangups) {
        // Before it is ready, READY=1 would be a lie; what comes until then is one reload after it.
        self.host.life().reached(Phase::Ready).await;
        loop {
            hangups.next().await;
            if self.host.life().phase() > Phase::Ready {
                continue;
            }
            let begun = NotifyState::MonotonicUsec(now());
            self.manager.tell(&[NotifyState::Reloading, begun, NotifyState::Status("reloading")]);
            let status = match self.again() {
                Ok(()) => {
                    tracing::info!("reloaded: the log level, the certificate and the credentials");
                    format!("{}, reloaded", self.serving)
                }
                Err(error) => {
                    tracing::error!("reloaded only in part: {error}");
                    format!("{}; the reload failed: {error}", self.serving)
                }
            };
            self.manager.tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
        }
    }

    /// Applies every setting that is valid, even if another is not, and returns the first error.
    fn again(&self) -> Result<(), ConfigError> {
        let settings: Settings = environment::settings()?;
        let level = self.level.set(&settings);
        let databases = self.host.databases().renew(&settings);
        // The certificate is read every few seconds anyway; a reload reads it at once.
        let certificate = self.tls.as_ref().is_none_or(Tls::reload);
        level.and(databases)?;
        if certificate {
            return Ok(());
        }
        Err(ConfigError::new("TLS_CERTIFICATE", "cannot be used; the one before is served on"))
    }
}

/// The monotonic clock in microseconds: systemd orders reloads by it.
fn now() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000
}
