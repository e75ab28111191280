//! The environment of the process: read once, here and nowhere else.
#![expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use std::ffi::OsString;
use std::io::IsTerminal as _;

use anyhost_core::{ConfigError, Settings};
use listenfd::ListenFd;

use crate::folders;

/// The command line, the program's own name first.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// Whether the process runs at a terminal, where no load balancer sends it requests.
pub(crate) fn is_a_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// The settings of this process: its variables, over them what the files of its configuration say, over
/// these its credentials. Called again, it finds what the files say then.
///
/// # Errors
/// [`ConfigError`] names the file that cannot be read.
pub(crate) fn settings() -> Result<Settings, ConfigError> {
    let variables = Settings::from_vars(std::env::vars_os());
    let files = folders::read(&variables)?;
    let files = files.into_iter().map(|(name, value)| (name.into(), value.into()));
    Ok(Settings::from_vars(std::env::vars_os().chain(files)))
}

/// The descriptors that were handed over; from then on the environment does not name them.
pub(crate) fn descriptors() -> ListenFd {
    ListenFd::from_env()
}
