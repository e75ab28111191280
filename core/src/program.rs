//! What the program does besides serving: its verbs, and the steps of a start that every host shares.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use clap::{Parser, Subcommand};
use futures_util::FutureExt;

use crate::{Error, Exit, Factory, Failure, Handler, Host};

/// What the program was asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Subcommand)]
pub enum Verb {
    /// Answer requests until the host says stop
    #[default]
    Serve,
    /// Bring the database schema up to date and exit
    Migrate,
    /// Print what was detected, the effective configuration and the connection plan; exit 0 if it would start
    Check,
}

#[derive(Parser)]
#[command(disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    verb: Option<Verb>,
}

impl Verb {
    /// The verb of a command line, its first word being the program's own name.
    ///
    /// # Errors
    /// [`Exit::Usage`] with the reason; [`Exit::Done`] with the text where help was asked for.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let words: Vec<OsString> = words.into_iter().collect();
        if words.len() < 2 {
            return Ok(Self::default());
        }
        match CommandLine::try_parse_from(words) {
            Ok(line) => Ok(line.verb.unwrap_or_default()),
            Err(error) if error.use_stderr() => {
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                let line = line.trim_start_matches("error: ");
                Err(Failure::new(Exit::Usage, format!("{line}; use serve, migrate or check")))
            }
            Err(help) => Err(Failure::text(Exit::Done, help.to_string())),
        }
    }
}

/// Starts the handler of a process, such as an App.
///
/// # Errors
/// [`Failure`] with the phase's exit code, also if the start panics.
pub async fn start<H: Handler>(factory: Factory<H>, host: &Host) -> Result<H, Failure> {
    let outcome = guarded(Exit::Start, factory.start(host)).await;
    // Everything has been asked for; where the start failed, this may be why.
    for misspelt in host.settings().misspelt() {
        tracing::warn!("{misspelt}");
    }
    outcome
}

/// Runs the `migrate` verb.
///
/// # Errors
/// [`Failure`] with the phase's exit code, also if the migration panics.
pub async fn migrate<H: Handler>(factory: Factory<H>, host: &Host) -> Result<(), Failure> {
    let outcome = guarded(Exit::Migrate, factory.migrate(host)).await;
    host.databases().close(host.grace()).await;
    outcome
}

/// Runs the `check` verb: starts the App as `serve` would, stops it again, and says what was found.
///
/// # Errors
/// [`Failure`] where `serve` would not start, for the same reason.
pub async fn check<H: Handler>(factory: Factory<H>, host: &Host) -> Result<String, Failure> {
    let mut report = String::new();
    if let Some(adapter) = factory.chosen_adapter() {
        // Writing to a string cannot fail.
        let _ = writeln!(report, "adapter:    {adapter}");
    }
    let handler = start(factory, host).await?;
    let resources = host.resources();
    let memory = match resources.memory {
        Some(bytes) => format!("{} MiB", bytes >> 20),
        None => "not limited".into(),
    };
    let _ = writeln!(report, "platform:   {} ({})", host.platform(), host.paradigm());
    let _ = writeln!(report, "instance:   {}", host.instance());
    let _ = writeln!(report, "processors: {}", resources.cpus);
    let _ = writeln!(report, "memory:     {memory}");
    let _ = writeln!(report, "grace:      {} s", host.grace().as_secs_f64());
    let _ = writeln!(report, "max body:   {} bytes", host.max_body());
    for plan in host.databases().plans() {
        let _ = writeln!(report, "database:   {plan}");
    }
    handler.stop().await;
    host.databases().close(host.grace()).await;
    Ok(report)
}

async fn guarded<T>(
    phase: Exit,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    match AssertUnwindSafe(step).catch_unwind().await {
        Ok(outcome) => outcome.map_err(|error| Failure::of(phase, &error)),
        Err(_) => Err(Failure::new(phase, "a panic, whose message stands above")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(words: &[&str]) -> Result<Verb, Exit> {
        Verb::parse(words.iter().map(OsString::from)).map_err(|failure| failure.exit())
    }

    #[test]
    fn serve_is_the_default_verb() {
        assert_eq!(parse(&["notes"]), Ok(Verb::Serve));
        assert_eq!(parse(&["notes", "serve"]), Ok(Verb::Serve));
        assert_eq!(parse(&["notes", "migrate"]), Ok(Verb::Migrate));
        assert_eq!(parse(&["notes", "check"]), Ok(Verb::Check));
        assert_eq!(parse(&["notes", "--help"]), Err(Exit::Done));
        assert_eq!(parse(&["notes", "sevre"]), Err(Exit::Usage));
    }
}
