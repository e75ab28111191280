//! The format and the level of the log as the settings of a long-running host say them.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use anyhost_core::adapter::{LogFilter, LogFormat, Logs};
use anyhost_core::{ConfigError, Settings};

/// The level of `LOG_LEVEL`, else of `RUST_LOG` (default `info`; also directives such as `info,sqlx=debug`) in the format
/// of `LOG_FORMAT`: `text`, `json`, `google`, `journald` or `auto`, the default, which is text on a
/// terminal, `journald` if stdout is a stream of the journal, and else what the platform reads.
///
/// # Errors
/// [`ConfigError`] names the variable that is wrong.
pub fn logs(settings: &Settings, platform: LogFormat) -> Result<Logs, ConfigError> {
    let format = match settings.text("LOG_FORMAT") {
        None | Some("auto") if io::stdout().is_terminal() => LogFormat::Text,
        None | Some("auto") if to_the_journal(settings) => LogFormat::Journald,
        None | Some("auto") => platform,
        Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some("google") => LogFormat::Google,
        Some("journald") => LogFormat::Journald,
        Some(other) => {
            let problem = format!("expected auto, text, json, google or journald, found {other:?}");
            return Err(ConfigError::new("LOG_FORMAT", problem));
        }
    };
    let filter = LogFilter::from_settings(settings, &["LOG_LEVEL"])?;
    let project = settings.text("GOOGLE_CLOUD_PROJECT").map(str::to_owned);
    Ok(Logs { format, filter, project })
}

/// Whether stdout is the stream that systemd has connected to the journal: the variable alone may be left
/// over from another process (systemd.exec(5)).
fn to_the_journal(settings: &Settings) -> bool {
    let Some((device, inode)) =
        settings.text("JOURNAL_STREAM").and_then(|text| text.split_once(':'))
    else {
        return false;
    };
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    stdout
        .and_then(|stdout| stdout.metadata())
        .is_ok_and(|stdout| device.parse() == Ok(stdout.dev()) && inode.parse() == Ok(stdout.ino()))
}
