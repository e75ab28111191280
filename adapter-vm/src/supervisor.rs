//! Notifies systemd of each phase of this process.

use std::time::Duration;

use anyhost_core::{ConfigError, Lifecycle, Phase, Settings};
use sd_notify::NotifyState;
use tokio::time::{Instant, sleep};

use crate::notify::Manager;

/// How long a start may take if `START_GRACE` is not set.
const START_GRACE: Duration = Duration::from_secs(600);

/// How often systemd is asked for more time, and for how much each time.
const ASK: Duration = Duration::from_secs(5);
const MORE: Duration = Duration::from_secs(20);

/// Returns whether a service manager started this process: it listens for notifications, or names this process.
pub(crate) fn present(settings: &Settings) -> bool {
    let own = std::process::id();
    settings.text("NOTIFY_SOCKET").is_some()
        || ["SYSTEMD_EXEC_PID", "LISTEN_PID"]
            .iter()
            .any(|variable| settings.text(variable).and_then(|pid| pid.parse().ok()) == Some(own))
}

/// Notifies systemd of each phase when it begins, and extends systemd's timeout while a phase takes long.
#[derive(Debug)]
pub(crate) struct Supervisor {
    manager: Manager,
    start_grace: Duration,
    grace: Duration,
}

impl Supervisor {
    pub(crate) fn new(
        manager: Manager,
        settings: &Settings,
        grace: Duration,
    ) -> Result<Self, ConfigError> {
        let start_grace = settings.get("START_GRACE")?.unwrap_or(START_GRACE);
        Ok(Self { manager, start_grace, grace })
    }

    /// Reports each phase, until the process has stopped.
    pub(crate) async fn follow(&self, lifecycle: &Lifecycle, serving: &str) {
        let Self { manager, start_grace, grace } = self;
        self.patient("starting", *start_grace, None, lifecycle.wait_for(Phase::Ready)).await;
        if lifecycle.phase() == Phase::Ready {
            manager.tell(&[NotifyState::Ready, NotifyState::Status(serving)]);
        }
        lifecycle.wait_for(Phase::Draining).await;
        let stopping = Some(NotifyState::Stopping);
        self.patient("draining", *grace, stopping, lifecycle.wait_for(Phase::Stopped)).await;
    }

    /// Reports the status, and extends systemd's timeout until the work is done or its limit has passed. An extension
    /// shorter than the timeout of the unit changes nothing.
    async fn patient(
        &self,
        what: &str,
        longest: Duration,
        mut news: Option<NotifyState<'_>>,
        done: impl Future<Output = ()>,
    ) {
        let begun = Instant::now();
        tokio::pin!(done);
        loop {
            let taken = begun.elapsed();
            let Some(left) = longest.checked_sub(taken).filter(|left| !left.is_zero()) else {
                return done.await;
            };
            let more = u32::try_from(MORE.min(left).as_micros()).unwrap_or(u32::MAX);
            let status = match taken.as_secs() {
                0 => what.to_owned(),
                seconds => format!("{what} for {seconds} s"),
            };
            let usual = [NotifyState::ExtendTimeoutUsec(more), NotifyState::Status(&status)];
            let states: Vec<_> = news.take().into_iter().chain(usual).collect();
            self.manager.tell(&states);
            tokio::select! {
                () = &mut done => return,
                () = sleep(ASK) => {}
            }
        }
    }
}
