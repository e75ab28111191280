//! Chooses the adapter that runs this process, by variables that its host sets.

use std::fmt;

use anyhost_core::{ConfigError, Setting, Settings};

/// The variable that overrides what is found.
const OVERRIDE: &str = "ANYHOST_ADAPTER";

/// An adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Paas,
    Vm,
    Lambda,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paas => "paas",
            Self::Vm => "vm",
            Self::Lambda => "lambda",
        })
    }
}

impl Setting for Adapter {
    fn expected() -> String {
        "paas, vm or lambda".into()
    }

    fn parse(text: &str) -> Option<Self> {
        let named = |adapter: &Self| text.eq_ignore_ascii_case(&adapter.to_string());
        [Self::Paas, Self::Vm, Self::Lambda].into_iter().find(named)
    }
}

/// An adapter and the sign that it was chosen by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) adapter: Adapter,
    /// The variable that is the sign; `None` if there is none.
    sign: Option<&'static str>,
}

impl Choice {
    /// The error for a program that was built without the adapter.
    #[cfg(any(test, not(all(feature = "paas", feature = "vm", feature = "lambda"))))]
    pub(crate) fn not_built(&self) -> ConfigError {
        let Self { adapter, sign } = self;
        let sign = sign.unwrap_or(OVERRIDE);
        ConfigError::new(
            sign,
            format!(
                "this host needs the adapter {adapter}, and the program was built without it; switch on the \
                 feature `{adapter}` of the crate anyhost"
            ),
        )
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { adapter, sign } = self;
        match sign {
            Some(sign) => write!(f, "{adapter} ({sign} is set)"),
            None => write!(f, "{adapter} (no sign of AWS Lambda or systemd)"),
        }
    }
}

/// Chooses the adapter: the one that `ANYHOST_ADAPTER` names, else the one whose sign is found first.
///
/// systemd's `INVOCATION_ID` is inherited by everything that a service starts, such as a shell. `SYSTEMD_EXEC_PID` names
/// the one process that systemd itself started.
///
/// # Errors
/// [`ConfigError`] if `ANYHOST_ADAPTER` names none.
pub(crate) fn choose(settings: &Settings, process: u32) -> Result<Choice, ConfigError> {
    let chosen = |adapter, sign| Ok(Choice { adapter, sign: Some(sign) });
    if let Some(adapter) = settings.get(OVERRIDE)? {
        return chosen(adapter, OVERRIDE);
    }
    let is_set = |sign: &&str| settings.text(sign).is_some();
    if let Some(sign) = ["AWS_LAMBDA_RUNTIME_API"].iter().find(|sign| is_set(sign)) {
        return chosen(Adapter::Lambda, sign);
    }
    if let Some(sign) = ["NOTIFY_SOCKET", "LISTEN_FDS"].iter().find(|sign| is_set(sign)) {
        return chosen(Adapter::Vm, sign);
    }
    let started_by_systemd = settings.text("INVOCATION_ID").is_some()
        && settings.text("SYSTEMD_EXEC_PID").and_then(|id| id.parse().ok()) == Some(process);
    if started_by_systemd {
        return chosen(Adapter::Vm, "SYSTEMD_EXEC_PID");
    }
    Ok(Choice { adapter: Adapter::Paas, sign: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: u32 = 4711;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &str) {
        let settings = Settings::from_pairs(variables.iter().copied());
        let choice = choose(&settings, PROCESS).expect("valid");
        assert_eq!(choice.to_string(), expected, "{variables:?}");
    }

    #[test]
    fn an_adapter_is_chosen_by_what_its_host_sets() {
        let nothing = "paas (no sign of AWS Lambda or systemd)";
        check(&[], nothing);
        check(&[("PORT", "8080"), ("DYNO", "web.1")], nothing);
        check(
            &[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")],
            "lambda (AWS_LAMBDA_RUNTIME_API is set)",
        );
        check(&[("NOTIFY_SOCKET", "/run/systemd/notify")], "vm (NOTIFY_SOCKET is set)");
        check(&[("LISTEN_FDS", "1"), ("LISTEN_PID", "4711")], "vm (LISTEN_FDS is set)");
        let invocation = ("INVOCATION_ID", "0123456789abcdef0123456789abcdef");
        check(&[invocation, ("SYSTEMD_EXEC_PID", "4711")], "vm (SYSTEMD_EXEC_PID is set)");
        // Inherited from a service that started something else, such as a terminal.
        check(&[invocation, ("SYSTEMD_EXEC_PID", "815")], nothing);
        check(&[invocation], nothing);
    }

    #[test]
    fn a_named_adapter_wins_over_every_sign() {
        check(
            &[("ANYHOST_ADAPTER", "VM"), ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")],
            "vm (ANYHOST_ADAPTER is set)",
        );
        let settings = Settings::from_pairs([("ANYHOST_ADAPTER", "heroku")]);
        let error = choose(&settings, PROCESS).expect_err("no such adapter");
        assert_eq!(
            error.to_string(),
            r#"ANYHOST_ADAPTER: expected paas, vm or lambda, found "heroku""#
        );
    }

    #[test]
    fn a_missing_adapter_is_named_with_its_sign() {
        let choice = Choice { adapter: Adapter::Lambda, sign: Some("AWS_LAMBDA_RUNTIME_API") };
        assert_eq!(
            choice.not_built().to_string(),
            "AWS_LAMBDA_RUNTIME_API: this host needs the adapter lambda, and the program was built without it; \
             switch on the feature `lambda` of the crate anyhost"
        );
    }
}
