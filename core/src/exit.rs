//! The end of a process: an exit code for each phase, and one line with the reason.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use crate::{ConfigError, Error, db};

/// The reason a process ends, as an exit code a supervisor can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: everything that was accepted is finished.
    Done,
    /// 64: the command line is wrong (`EX_USAGE` of sysexits.h).
    Usage,
    /// 69: something the App needs cannot be reached, such as its database; a restart may help (`EX_UNAVAILABLE`).
    Unavailable,
    /// 70: `App::start` failed (`EX_SOFTWARE`).
    Start,
    /// 71: an address could not be bound, or the operating system refused something (`EX_OSERR`).
    Bind,
    /// 75: the grace was over before everything accepted was finished, or a signal stopped a verb that does not serve
    /// (`EX_TEMPFAIL`).
    Aborted,
    /// 76: the `migrate` verb failed (`EX_PROTOCOL`'s number; the schema is as it was).
    Migrate,
    /// 78: a setting is missing or wrong; a restart cannot help (`EX_CONFIG`).
    Config,
}

impl Exit {
    /// The number the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Start => 70,
            Self::Bind => 71,
            Self::Aborted => 75,
            Self::Migrate => 76,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a process cannot go on: the exit code and one line for the operator.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    line: String,
}

impl Failure {
    /// A failure with its exit code and the line that explains it.
    pub fn new(exit: Exit, line: impl fmt::Display) -> Self {
        // One line whatever the causes hold: a supervisor's log keeps the first line of what it is given.
        let line = line.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { exit, line }
    }

    /// A text of several lines that the user asked for, such as the help.
    pub(crate) fn text(exit: Exit, text: String) -> Self {
        Self { exit, line: text }
    }

    /// A failure in a phase, which a cause overrides if it tells more: a wrong setting is
    /// [`Exit::Config`] and an unreachable database [`Exit::Unavailable`], in whatever phase it shows.
    #[must_use]
    pub fn from_error(phase: Exit, error: &Error) -> Self {
        let Some(cause) = error.source() else { return Self::new(phase, error.report()) };
        // `&Db` wraps our errors in an `io::Error`, which skips what it wraps.
        if let Some(error) = crate::error::find::<db::Error>(cause) {
            return Self::new(error.exit().unwrap_or(phase), error);
        }
        match crate::error::find::<ConfigError>(cause) {
            Some(error) => Self::new(Exit::Config, error),
            None => Self::new(phase, error.report()),
        }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Config, error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::error::Error for Failure {}

/// The exit code of a program, with the one line that explains a failure on stderr.
///
/// What was asked for, such as the help, goes to stdout.
pub fn conclude(outcome: Result<Exit, Failure>) -> ExitCode {
    match outcome {
        Ok(Exit::Done) => Exit::Done.into(),
        Ok(exit) => {
            // Only a stop ends with such a code. The line tells the operator why the platform shows a failure.
            let code = exit.code();
            let line = format!("error: the App's stop did not end within the grace (exit {code})");
            let _ = writeln!(std::io::stderr(), "{line}");
            exit.into()
        }
        // Ignored: stderr may be closed.
        Err(failure) if failure.exit() == Exit::Done => {
            let _ = writeln!(std::io::stdout(), "{failure}");
            Exit::Done.into()
        }
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            failure.exit().into()
        }
    }
}

#[cfg(all(test, feature = "db"))]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn lost() -> db::Error {
        let cause = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        db::Error::Lost { cause: Arc::new(sqlx::Error::Io(cause)) }
    }

    #[test]
    fn a_lost_database_is_unavailable_however_it_is_wrapped() {
        let through_sqlx = Error::internal(sqlx::Error::from(lost()));
        let in_io = Error::internal(std::io::Error::other(sqlx::Error::from(lost())));
        for error in [Error::from(lost()), through_sqlx, in_io] {
            assert_eq!(Failure::from_error(Exit::Start, &error).exit(), Exit::Unavailable);
        }
        let setting = Error::internal(std::io::Error::other(ConfigError::new("A", "is wrong")));
        assert_eq!(Failure::from_error(Exit::Start, &setting).exit(), Exit::Config);
        let other = Error::internal(std::io::Error::other("something else"));
        assert_eq!(Failure::from_error(Exit::Start, &other).exit(), Exit::Start);
    }
}
