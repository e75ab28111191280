//! No TLS: what `tls` is without the feature of the same name.

use std::convert::Infallible;

use anyhost_core::{ConfigError, Settings};

/// There is no certificate.
#[derive(Clone, Debug)]
pub struct Tls(Infallible);

impl Tls {
    /// Returns `None`.
    ///
    /// # Errors
    /// [`ConfigError`] if `TLS_CERTIFICATE` or `TLS_KEY` is set: this program cannot do what they ask for.
    pub fn from_settings(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        match ["TLS_CERTIFICATE", "TLS_KEY"].into_iter().find(|name| settings.text(name).is_some())
        {
            None => Ok(None),
            Some(name) => {
                let problem = "is set, and this program is built without the feature `tls`";
                Err(ConfigError::new(name, problem))
            }
        }
    }

    /// Reads the files again.
    #[must_use]
    pub fn reload(&self) -> bool {
        match self.0 {}
    }

    pub(crate) async fn follow(self) {
        match self.0 {}
    }
}
