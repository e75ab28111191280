//! Reads the environment of the process once; no other file of this crate reads it.
#![expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use std::ffi::OsString;
use std::io::IsTerminal as _;

use anyhost_core::Settings;

/// The command line, the program's own name first.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// Whether the process runs at a terminal, where no router sends it requests.
pub(crate) fn is_a_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// The variables of this process.
pub(crate) fn settings() -> Settings {
    Settings::from_vars(std::env::vars_os())
}
