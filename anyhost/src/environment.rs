//! Reads the environment once, to choose the adapter. Each adapter reads its own settings.
#![expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use anyhost_core::Settings;

/// The variables of this process.
pub(crate) fn settings() -> Settings {
    Settings::from_vars(std::env::vars_os())
}
