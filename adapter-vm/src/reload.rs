//! SIGHUP: reloads the settings that can change while the process runs; the others need a restart.

use anyhost_core::adapter::{HostHandles as _, LogLevel};
use anyhost_core::{ConfigError, Host, Phase, Settings};
use anyhost_server::{Hangups, Tls};
use rustix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;

use crate::environment;
use crate::notify::Manager;

/// What a reload applies settings to.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) manager: Manager,
    pub(crate) host: Host,
    pub(crate) level: LogLevel,
    pub(crate) tls: Option<Tls>,
    /// The status line that `systemctl status` shows while the process serves.
    pub(crate) serving: String,
}

impl Reload {
    /// Reloads the settings at each SIGHUP; never returns. Notifies systemd before and after each reload.
    pub(crate) async fn at(self, mut hangups: Hangups) {
        // A reload ends with READY=1, which would be wrong before the start is done: signals until then are one reload.
        self.host.lifecycle().wait_for(Phase::Ready).await;
        loop {
            hangups.next().await;
            if self.host.lifecycle().phase() > Phase::Ready {
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

/// The monotonic clock in microseconds, by which systemd matches a reload with its notification.
fn now() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000
}
