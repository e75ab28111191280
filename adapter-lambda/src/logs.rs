//! The format and the level of the log as Lambda's settings and the user's say them.

use anyhost_core::adapter::{LogFilter, LogFormat, Logs};
use anyhost_core::{ConfigError, Settings};

/// The level of `AWS_LAMBDA_LOG_LEVEL`, else of `LOG_LEVEL`, else of `RUST_LOG` (default `info`; also directives such as
/// `info,sqlx=debug`), in the format of `AWS_LAMBDA_LOG_FORMAT`, else of `LOG_FORMAT` (`text` or `json`, default text).
///
/// # Errors
/// [`ConfigError`] names the variable that is wrong.
pub(crate) fn logs(settings: &Settings) -> Result<Logs, ConfigError> {
    let filter = LogFilter::from_settings(settings, &["AWS_LAMBDA_LOG_LEVEL", "LOG_LEVEL"])?;
    let set = ["AWS_LAMBDA_LOG_FORMAT", "LOG_FORMAT"]
        .into_iter()
        .find_map(|variable| settings.text(variable).map(|format| (variable, format)));
    let format = match set {
        None => LogFormat::LambdaText,
        Some((_, format)) if format.eq_ignore_ascii_case("text") => LogFormat::LambdaText,
        Some((_, format)) if format.eq_ignore_ascii_case("json") => LogFormat::LambdaJson,
        Some((variable, format)) => {
            let problem = format!("expected text or json, found {format:?}");
            return Err(ConfigError::new(variable, problem));
        }
    };
    Ok(Logs { format, filter, project: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lambda_says_comes_first() {
        let settings = Settings::from_pairs([
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("LOG_FORMAT", "text"),
            ("AWS_LAMBDA_LOG_LEVEL", "FATAL"),
            ("LOG_LEVEL", "info,sqlx=debug"),
            ("RUST_LOG", "trace"),
        ]);
        let logs = logs(&settings).expect("valid");
        assert_eq!(logs.format, LogFormat::LambdaJson);
        assert_eq!(logs.filter.to_string(), "error");
    }

    #[test]
    fn a_level_that_is_none_names_its_variable() {
        for variable in ["AWS_LAMBDA_LOG_LEVEL", "LOG_LEVEL", "AWS_LAMBDA_LOG_FORMAT", "LOG_FORMAT"]
        {
            let error = logs(&Settings::from_pairs([(variable, "verbose")])).expect_err("wrong");
            assert!(error.to_string().starts_with(&format!("{variable}: expected ")), "{error}");
        }
    }
}
