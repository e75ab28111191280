//! Reads the environment of the process; no other file of this crate reads it.
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

/// Reads the settings of this process: its variables, overridden by the files of `ConfigurationDirectory=`, overridden
/// by those of `LoadCredential=`. Each call reads the files again.
///
/// # Errors
/// [`ConfigError`] names the file that cannot be read.
pub(crate) fn settings() -> Result<Settings, ConfigError> {
    let variables = Settings::from_vars(std::env::vars_os());
    let files = folders::read(&variables)?;
    let files = files.into_iter().map(|(name, value)| (name.into(), value.into()));
    Ok(Settings::from_vars(std::env::vars_os().chain(files)))
}

/// Takes the descriptors that systemd passed, and removes their variables from the environment.
pub(crate) fn descriptors() -> ListenFd {
    ListenFd::from_env()
}
