//! systemd's watchdog: a keep-alive message at half its interval, which a process that hangs does not send.

use std::time::Duration;

use anyhost_core::{ConfigError, Settings};
use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::notify::Manager;

/// The watchdog interval, `WATCHDOG_USEC`; `None` if `WATCHDOG_PID` names another process.
pub(crate) fn wanted(settings: &Settings) -> Result<Option<Duration>, ConfigError> {
    if settings.get::<u32>("WATCHDOG_PID")?.is_some_and(|pid| pid != std::process::id()) {
        return Ok(None);
    }
    let every = settings.get::<u64>("WATCHDOG_USEC")?.filter(|every| *every > 0);
    Ok(every.map(Duration::from_micros))
}

/// Sends keep-alive messages; never returns. It runs as a task beside the requests: if every thread of the runtime is
/// blocked, the task does not run, and systemd ends the process.
pub(crate) async fn watch(manager: Manager, every: Duration) {
    let mut ticks = interval(every / 2);
    // After a freeze one message is enough.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        manager.tell(&[NotifyState::Watchdog]);
    }
}
