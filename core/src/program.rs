//! The verbs of a program besides serving, and the steps of a start that every host shares.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use futures_util::FutureExt;
use tokio::runtime::Runtime;

use crate::{Error, Exit, Factory, Failure, Handler, Host, HostHandles as _, Paradigm, Telemetry};

/// The verb of a program: the first word of its command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verb {
    /// Answers requests until the host says stop.
    #[default]
    Serve,
    /// Brings the database schema up to date and exits.
    Migrate,
    /// Says what was detected and which settings are in force; exits 0 if the program would start.
    Check,
}

impl Verb {
    /// The verb of a command line, whose first word is the program's own name.
    ///
    /// # Errors
    /// [`Exit::Usage`] with the reason; [`Exit::Done`] with the text if help or the version was asked for.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let words: Vec<String> =
            words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let program = words.first().map_or("program", String::as_str);
        let program = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
        let usage = |problem: String| {
            Failure::new(Exit::Usage, format!("{problem}; use serve, migrate, check or --help"))
        };
        let verb = match words.get(1).map(String::as_str) {
            None | Some("serve") => Self::Serve,
            Some("migrate") => Self::Migrate,
            Some("check") => Self::Check,
            Some("help" | "--help" | "-h") => {
                return Err(Failure::text(Exit::Done, help(&program)));
            }
            Some("version" | "--version" | "-V") => {
                return Err(Failure::text(Exit::Done, version(&program)));
            }
            Some(option) if option.starts_with('-') => {
                let problem =
                    format!("unexpected option {option:?}: settings are environment variables");
                // `--port=9000` and `--port 9000` are what other programs take.
                let name = option.trim_start_matches('-').split('=').next().unwrap_or_default();
                let name = name.replace('-', "_").to_ascii_uppercase();
                let hint =
                    if name.is_empty() { String::new() } else { format!(", such as {name}") };
                return Err(usage(problem + &hint));
            }
            Some(word) => {
                let near = ["serve", "migrate", "check", "help", "version"]
                    .into_iter()
                    .find(|verb| strsim::damerau_levenshtein(verb, word) <= 2);
                let hint = near.map(|verb| format!(", did you mean {verb}?")).unwrap_or_default();
                return Err(usage(format!("unknown verb {word:?}{hint}")));
            }
        };
        match words.get(2) {
            None => Ok(verb),
            Some(more) => Err(usage(format!("unexpected argument {more:?}"))),
        }
    }
}

fn version(program: &str) -> String {
    format!("{program} (anyhost {})", env!("CARGO_PKG_VERSION"))
}

fn help(program: &str) -> String {
    format!(
        "{}\n\n\
         Usage: {program} [serve | migrate | check]\n\n  \
         serve    Answers requests until the host says stop (the default)\n  \
         migrate  Brings the database schema up to date and exits\n  \
         check    Says what was detected and which settings are in force; exits 0 if it would start\n  \
         help, --help, -h        Prints this text\n  \
         version, --version, -V  Prints the version\n\n\
         Settings are environment variables, such as DATABASE_URL, LOG_LEVEL and PORT (on a VM: LISTEN).\n\
         check lists every one that the program reads.",
        version(program)
    )
}

/// Starts the handler of a process, such as an App.
///
/// # Errors
/// [`Failure`] with the phase's exit code, also if the start panics.
pub async fn start<H: Handler>(factory: Factory<H>, host: &Host) -> Result<H, Failure> {
    let outcome = guarded(Exit::Start, factory.start(host)).await;
    host.say_max_body();
    Telemetry::warn_if_not_built(host);
    // All settings have been read by now; if the start failed, a misspelt one may be the reason.
    for misspelt in host.settings().misspelt() {
        tracing::warn!("{misspelt}");
    }
    outcome
}

/// Does what is not serving, until it is done or the process is told to stop: process 1 of a container would not hear a
/// signal that it does not handle. `stop` is called on the runtime.
///
/// # Errors
/// What the work says, else [`Exit::Aborted`].
pub fn until_stopped<T, S: Future>(
    runtime: Runtime,
    stop: impl FnOnce() -> Result<S, Failure>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let outcome = runtime.block_on(async {
        let stop = stop()?;
        tokio::select! {
            outcome = work => outcome,
            _ = stop => Err(Failure::new(Exit::Aborted, "stopped by a signal before it was done")),
        }
    });
    // What an App left running must not hold the process.
    runtime.shutdown_background();
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

/// Runs the `check` verb: starts the App as `serve` would, stops it again, and says what was found. A file of SQLite that
/// is not there yet is not created: the App starts with an empty database in memory.
///
/// # Errors
/// [`Failure`] if `serve` would not start, for the same reason.
pub async fn check<H: Handler>(factory: Factory<H>, host: &Host) -> Result<String, Failure> {
    let mut report = String::new();
    if let Some(adapter) = factory.chosen_adapter() {
        // Writing to a string cannot fail.
        let _ = writeln!(report, "adapter:    {adapter}");
    }
    Telemetry::check(host)?;
    #[cfg(feature = "db")]
    host.memory().create_no_files();
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
    if H::NEEDS_WEBSOCKETS && host.paradigm() == Paradigm::Serverless {
        let _ = writeln!(report, "websockets: the App needs them, and this host has none: 501");
    }
    for plan in host.databases().plans() {
        let _ = writeln!(report, "database:   {plan}");
    }
    let (set, unset) = host.settings().report(host.in_force());
    for (name, value) in set {
        let _ = writeln!(report, "setting:    {name}={value}");
    }
    let _ = writeln!(report, "not set:    {}", unset.join(", "));
    handler.stop().await;
    host.databases().close(host.grace()).await;
    Ok(report)
}

async fn guarded<T>(
    phase: Exit,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    match AssertUnwindSafe(step).catch_unwind().await {
        Ok(outcome) => outcome.map_err(|error| Failure::from_error(phase, &error)),
        Err(panic) => Err(Failure::new(phase, explained(&*panic))),
    }
}

/// A panic of a start in one line.
fn explained(panic: &(dyn std::any::Any + Send)) -> &'static str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    // `tracing_subscriber::fmt::init()` and its like, which every example of a web framework has.
    if text.contains("SetGlobalDefaultError") || text.contains("global default trace dispatcher") {
        return "the App sets up a tracing subscriber in its start, and anyhost has set up one already: remove it, or \
                set it up in `main`, before anyhost runs";
    }
    "a panic, whose message stands above"
}

/// Runs the main part of a program, which makes a runtime of its own: on another thread if this one belongs to a tokio
/// runtime, as in a `main` with `#[tokio::main]`. This thread waits for it.
pub fn outside_of_runtimes<T: Send>(main: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return main();
    }
    let outcome = std::thread::scope(|scope| scope.spawn(main).join());
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
        for asked in ["help", "--help", "-h", "version", "--version", "-V"] {
            assert_eq!(parse(&["notes", asked]), Err(Exit::Done), "{asked}");
        }
        for wrong in ["sevre", "--port", "--port=9000", "", "-"] {
            assert_eq!(parse(&["notes", wrong]), Err(Exit::Usage), "{wrong}");
        }
        assert_eq!(parse(&["notes", "serve", "9000"]), Err(Exit::Usage));
    }

    #[test]
    fn a_wrong_word_is_answered_with_what_was_meant() {
        let line = |words: &[&str]| {
            Verb::parse(words.iter().map(OsString::from)).expect_err("wrong").to_string()
        };
        let verbs = "use serve, migrate, check or --help";
        assert_eq!(
            line(&["/bin/notes", "sevre"]),
            format!("unknown verb \"sevre\", did you mean serve?; {verbs}")
        );
        assert_eq!(line(&["notes", "deploy"]), format!("unknown verb \"deploy\"; {verbs}"));
        assert_eq!(
            line(&["notes", "--log-level=debug"]),
            format!(
                "unexpected option \"--log-level=debug\": settings are environment variables, such as \
                 LOG_LEVEL; {verbs}"
            )
        );
        assert_eq!(line(&["notes", "check", "-v"]), format!("unexpected argument \"-v\"; {verbs}"));
        let version = line(&["/opt/bin/notes", "--version"]);
        assert!(version.starts_with("notes (anyhost ") && version.ends_with(')'), "{version}");
        assert!(line(&["notes", "help"]).contains("Usage: notes [serve | migrate | check]"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_program_runs_in_the_main_of_a_runtime_too() {
        let run = || tokio::runtime::Runtime::new().expect("a runtime").block_on(async { 7 });
        assert_eq!(outside_of_runtimes(run), 7);
    }

    #[tokio::test]
    async fn a_second_tracing_subscriber_is_named_as_the_reason() {
        struct Logs;
        #[crate::async_trait]
        impl crate::App for Logs {
            async fn start(_host: &Host) -> Result<Self, Error> {
                panic!("Unable to install global subscriber: SetGlobalDefaultError(\"…\")");
            }
            async fn call(&self, _request: crate::Request) -> Result<crate::Response, Error> {
                Err(Error::from_status(http::StatusCode::NOT_FOUND))
            }
        }
        let host = Host::builder(Paradigm::LongRunning, "test").build().expect("a host");
        let failure = start(Factory::<Logs>::app(), &host).await.map(drop).expect_err("a panic");
        assert!(failure.to_string().contains("remove it"), "{failure}");
    }

    #[tokio::test]
    async fn check_says_if_an_app_needs_what_its_host_has_not() {
        struct Chat;
        #[crate::async_trait]
        impl crate::App for Chat {
            const NEEDS_WEBSOCKETS: bool = true;
            async fn start(_host: &Host) -> Result<Self, Error> {
                Ok(Self)
            }
            async fn call(&self, _request: crate::Request) -> Result<crate::Response, Error> {
                Err(Error::from_status(http::StatusCode::NOT_FOUND))
            }
        }
        for (paradigm, said) in [(Paradigm::Serverless, true), (Paradigm::LongRunning, false)] {
            let host = Host::builder(paradigm, "test").build().expect("a host");
            let report = check(Factory::<Chat>::app(), &host).await.expect("it starts");
            assert_eq!(report.contains("websockets: "), said, "{report}");
        }
    }
}
