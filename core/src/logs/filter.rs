//! Which events are written: a level, and further levels for single targets.

use std::fmt;

use tracing_subscriber::filter::Targets;

use crate::{ConfigError, Settings};

const RUST_LOG: &str = "RUST_LOG";

/// The events that are written.
///
/// Lines of the crate `h2` are left out unless they are asked for by name: a client decides how many there are.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// The variables that may say it.
    pub(super) variables: &'static [&'static str],
    /// As it was written.
    text: String,
    pub(super) targets: Targets,
}

impl LogFilter {
    /// The filter of the first of these variables that is set, else of `RUST_LOG` (default `info`; also directives such as
    /// `info,sqlx=debug`). `fatal`, which AWS knows beside the levels of `tracing`, is `error`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub fn from_settings(
        settings: &Settings,
        variables: &'static [&'static str],
    ) -> Result<Self, ConfigError> {
        let set = variables
            .iter()
            .chain([&RUST_LOG])
            .find_map(|variable| settings.text(variable).map(|text| (*variable, text)));
        let (variable, text) = set.unwrap_or((RUST_LOG, "info"));
        let text = if text.eq_ignore_ascii_case("fatal") { "error" } else { text };
        format!("h2=off,{text}")
            .parse()
            .ok()
            // A directive of `RUST_LOG` may be a target alone, as everywhere. Elsewhere it is a level: tracing takes
            // any word for a target, and `LOG_LEVEL=verbose` would silence everything but that one.
            .filter(|_| variable == RUST_LOG || are_levels(text))
            .map(|targets| Self { variables, text: text.to_owned(), targets })
            .ok_or_else(|| {
                let expected = "expected off, error, warn, info, debug or trace";
                ConfigError::new(variable, format!("{expected}, found {text:?}"))
            })
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn are_levels(text: &str) -> bool {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |text: &str| levels.contains(&text.trim().to_ascii_lowercase().as_str());
    text.split(',').all(|part| match part.split_once('=') {
        Some((target, level)) => !target.trim().is_empty() && is_level(level),
        None => is_level(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pairs: &[(&str, &str)]) -> Result<LogFilter, ConfigError> {
        LogFilter::from_settings(&Settings::from_pairs(pairs.iter().copied()), &["LOG_LEVEL"])
    }

    #[test]
    fn rust_log_counts_if_there_is_no_log_level() {
        let shown = |pairs: &[(&str, &str)]| filter(pairs).expect("valid").targets.to_string();
        assert!(shown(&[("RUST_LOG", "shop=debug")]).contains("shop=debug"));
        assert!(shown(&[("RUST_LOG", "shop")]).contains("shop"));
        let both = shown(&[("RUST_LOG", "debug"), ("LOG_LEVEL", "warn")]);
        assert!(both.contains("warn") && !both.contains("debug"), "{both}");
        assert!(shown(&[]).contains("info"));
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        for wrong in ["verbose", "info,loud", "="] {
            assert_eq!(filter(&[("LOG_LEVEL", wrong)]).expect_err(wrong).variable(), "LOG_LEVEL");
        }
        for right in ["debug", "INFO", "FATAL", "info,sqlx=debug"] {
            filter(&[("LOG_LEVEL", right)]).expect(right);
        }
        assert_eq!(filter(&[("RUST_LOG", "shop=loud")]).expect_err("wrong").variable(), "RUST_LOG");
    }
}
