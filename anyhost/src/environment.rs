//! The environment of the process, to choose the adapter by; the adapter reads its own.
#![expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use anyhost_core::Settings;

/// The variables of this process.
pub(crate) fn settings() -> Settings {
    Settings::from_vars(std::env::vars_os())
}
