//! The largest request body: set by the operator, else by the App, else the default.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http::DEFAULT_MAX_BODY;
use crate::{ByteSize, ConfigError, Paradigm, Settings};

/// The largest event of AWS Lambda, in bytes.
const LAMBDA: usize = 6 << 20;

/// The largest request body in bytes.
#[derive(Debug)]
pub(super) struct MaxBody {
    setting: Option<usize>,
    /// The size that the App needs; 0 if it has not set one.
    needed: AtomicUsize,
}

impl MaxBody {
    /// # Errors
    /// [`ConfigError`] if `MAX_BODY` is not a size.
    pub(super) fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let setting = settings.get::<ByteSize>("MAX_BODY")?;
        let setting = setting.map(|ByteSize(bytes)| usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(Self { setting, needed: AtomicUsize::new(0) })
    }

    pub(super) fn bytes(&self) -> usize {
        self.setting.unwrap_or_else(|| match self.needed.load(Ordering::Relaxed) {
            0 => DEFAULT_MAX_BODY,
            needed => needed,
        })
    }

    pub(super) fn need(&self, bytes: usize) {
        self.needed.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Says how large bodies may be, if the App needs large ones.
    pub(super) fn say(&self, paradigm: Paradigm) {
        let needed = self.needed.load(Ordering::Relaxed);
        let limit = self.bytes();
        if needed == 0 {
            return;
        }
        if limit < needed {
            tracing::warn!(
                "the App needs request bodies of {needed} bytes, and MAX_BODY allows {limit}: larger ones get 413"
            );
        } else if paradigm == Paradigm::Serverless && needed > LAMBDA {
            tracing::warn!(
                "the App needs request bodies of {needed} bytes, and AWS Lambda delivers {LAMBDA} at most"
            );
        } else {
            tracing::info!("request bodies may have {limit} bytes, as the App needs it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(setting: &str, needed: usize) -> usize {
        let settings = Settings::from_pairs([("MAX_BODY", setting)]);
        let limit = MaxBody::from_settings(&settings).expect("valid");
        limit.need(needed);
        limit.bytes()
    }

    #[test]
    fn the_operator_comes_before_the_app_and_the_app_before_the_default() {
        assert_eq!(limit("", 0), DEFAULT_MAX_BODY);
        assert_eq!(limit("", 64 << 20), 64 << 20);
        assert_eq!(limit("1M", 64 << 20), 1 << 20);
        assert_eq!(limit("1G", 64 << 20), 1 << 30);
    }
}
