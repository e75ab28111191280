//! The signals that tell a process to stop, or to read again what may have changed.

use anyhost_core::adapter::{Exit, Failure};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The moment at which the host tells this process to stop: SIGTERM or SIGINT, which mean the same.
///
/// The signals are caught from the call on, not from the first poll. A second SIGINT ends the process at
/// once: a person at a terminal does not want to wait any longer. A further SIGTERM is only logged: platforms
/// and process managers send several.
///
/// # Errors
/// [`Exit::Bind`] if the operating system allows no signal handler.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let caught = (catch(SignalKind::terminate())?, catch(SignalKind::interrupt())?);
    let (mut terminate, mut interrupt) = caught;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => SIGINT,
        }
    };
    Ok(async move {
        let name = next().await;
        tracing::info!("{name}: stopping");
        tokio::spawn(async move {
            let mut interrupted = name == SIGINT;
            loop {
                let name = next().await;
                if name == SIGINT && std::mem::replace(&mut interrupted, true) {
                    tracing::warn!("a second SIGINT: ending at once");
                    std::process::exit(Exit::Aborted.code().into());
                }
                tracing::info!(
                    "{name}: stopping already; a second SIGINT ends the process at once"
                );
            }
        });
    })
}

const SIGINT: &str = "SIGINT";

fn catch(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(Exit::Bind, format!("cannot catch signals: {error}")))
}

/// SIGHUP, which would end a process that does not catch it: a closed terminal, or an operator who wants
/// files to be read again.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    pub(crate) fn catch() -> Result<Self, Failure> {
        catch(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // The runtime is going away; nothing comes any more.
            std::future::pending::<()>().await;
        }
    }

    /// Spawns a task that logs, at each, that there is nothing to reload: for a host whose settings cannot change.
    pub fn ignore(mut self) {
        tokio::spawn(async move {
            loop {
                self.next().await;
                tracing::info!("SIGHUP: there is nothing to reload");
            }
        });
    }
}
