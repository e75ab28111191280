//! Which events are written: a level, and further levels for single targets.

use std::fmt;

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::{ConfigError, Settings};

const RUST_LOG: &str = "RUST_LOG";

/// The events that are written.
///
/// Lines of the crate `h2` are left out unless they are asked for by name: a client decides how many there are.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// The variables that may say it.
    pub(super) variables: &'static [&'static str],
    directives: Vec<Directive>,
    pub(super) targets: Targets,
}

/// The level of all targets, or of one.
#[derive(Clone, Debug)]
struct Directive {
    target: Option<String>,
    level: LevelFilter,
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
        // A directive of `RUST_LOG` may be a target alone, as everywhere. Elsewhere it is a level: any word would be a
        // target, and `LOG_LEVEL=verbose` would silence everything but that one.
        let directives: Option<Vec<_>> = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| Directive::parse(part, variable == RUST_LOG))
            .collect();
        let Some(directives) = directives.filter(|directives| !directives.is_empty()) else {
            let expected = "expected off, error, warn, info, debug or trace, or directives such as info,sqlx=debug";
            return Err(ConfigError::new(variable, format!("{expected}, found {text:?}")));
        };
        let targets = Targets::new().with_target("h2", LevelFilter::OFF);
        let targets =
            directives.iter().fold(targets, |targets, directive| match directive.target.clone() {
                Some(target) => targets.with_target(target, directive.level),
                None => targets.with_default(directive.level),
            });
        Ok(Self { variables, directives, targets })
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.directives.iter().map(|Directive { target, level }| match target {
            Some(target) => format!("{target}={level}"),
            None => level.to_string(),
        });
        f.write_str(&shown.collect::<Vec<_>>().join(","))
    }
}

impl Directive {
    /// Returns a directive, or `None` if it is none. What other loggers know beside targets and levels, such as
    /// spans, fields and patterns, would match no target, and the log would be silent.
    fn parse(text: &str, may_be_target: bool) -> Option<Self> {
        let target = |name: &str| {
            let fits = |c: char| c.is_alphanumeric() || "_:-.".contains(c);
            (!name.is_empty() && name.chars().all(fits)).then(|| name.to_owned())
        };
        match text.split_once('=') {
            Some((name, level)) => {
                Some(Self { target: Some(target(name.trim())?), level: parse_level(level.trim())? })
            }
            None => match parse_level(text) {
                Some(level) => Some(Self { target: None, level }),
                // tracing numbers its levels, too.
                None if may_be_target => match text.parse() {
                    Ok(level) => Some(Self { target: None, level }),
                    Err(_) => Some(Self { target: Some(target(text)?), level: LevelFilter::TRACE }),
                },
                None => None,
            },
        }
    }
}

fn parse_level(text: &str) -> Option<LevelFilter> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Some(LevelFilter::OFF),
        "error" | "fatal" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
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
        assert!(shown(&[("RUST_LOG", "4")]).contains("debug"));
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        for wrong in ["verbose", "info,loud", "="] {
            assert_eq!(filter(&[("LOG_LEVEL", wrong)]).expect_err(wrong).variable(), "LOG_LEVEL");
        }
        for right in ["debug", "INFO", "FATAL", "info,sqlx=debug", "off", "info,sqlx=fatal"] {
            filter(&[("LOG_LEVEL", right)]).expect(right);
        }
        assert_eq!(filter(&[("RUST_LOG", "shop=loud")]).expect_err("wrong").variable(), "RUST_LOG");
    }

    #[test]
    fn directives_that_match_no_target_are_refused() {
        for wrong in [
            "[",
            "[request]",
            "shop[request]=debug",
            "[{id}]=debug",
            "info/pattern",
            "*=debug",
            "=",
            "=debug",
            "shop=",
            "shop=debug=info",
            "\"info\"",
            "two words",
            ",",
            "shop=loud",
            "debug;shop=info",
        ] {
            let error = filter(&[("RUST_LOG", wrong)]).expect_err(wrong).to_string();
            assert!(error.starts_with("RUST_LOG: expected "), "{error}");
        }
    }

    #[test]
    fn spaces_and_empty_directives_change_nothing() {
        let filter = filter(&[("RUST_LOG", " info , sqlx = debug,,my-shop::cart=Trace,hyper,")])
            .expect("valid");
        assert_eq!(filter.to_string(), "info,sqlx=debug,my-shop::cart=trace,hyper=trace");
        let shows = |target, level| filter.targets.would_enable(target, &level);
        assert!(shows("shop", tracing::Level::INFO) && !shows("shop", tracing::Level::DEBUG));
        assert!(shows("sqlx::query", tracing::Level::DEBUG));
        assert!(!shows("h2", tracing::Level::ERROR));
    }
}
