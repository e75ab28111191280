//! What systemd is told about the life of this process.

use anyhost_core::{Life, Phase, Settings};
use sd_notify::{NotifyState, notify};

/// Whether systemd started this process as a service and wants to hear from it.
pub(crate) fn present(settings: &Settings) -> bool {
    let own = std::process::id();
    settings.text("NOTIFY_SOCKET").is_some()
        || ["SYSTEMD_EXEC_PID", "LISTEN_PID"]
            .iter()
            .any(|variable| settings.text(variable).and_then(|pid| pid.parse().ok()) == Some(own))
}

/// Tells systemd each phase as it is reached. Without `NOTIFY_SOCKET` nobody listens and nothing is said.
pub(crate) async fn follow(life: Life, addresses: String) {
    tell(&[NotifyState::Status("starting")]);
    life.reached(Phase::Ready).await;
    if life.phase() == Phase::Ready {
        let status = format!("serving on {addresses}");
        tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }
    life.reached(Phase::Draining).await;
    tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// A message that does not arrive is no reason to stop serving.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}
