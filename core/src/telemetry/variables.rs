//! The standard variables that say what is exported, <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use crate::{ConfigError, Exit, Failure, Settings};

/// A signal with its own variables.
pub(super) struct Signal {
    exporter: &'static str,
    endpoint: &'static str,
    protocol: &'static str,
    /// Whether it is sent as soon as there is a collector; else its exporter must be asked for.
    by_default: bool,
}

pub(super) const TRACES: Signal = Signal {
    exporter: "OTEL_TRACES_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    by_default: true,
};

pub(super) const METRICS: Signal = Signal {
    exporter: "OTEL_METRICS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    by_default: true,
};

pub(super) const LOGS: Signal = Signal {
    exporter: "OTEL_LOGS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    // Lines on stdout are collected nearly everywhere: each event would be there twice.
    by_default: false,
};

impl Signal {
    /// Whether the settings ask for this signal.
    pub(super) fn wanted(&self, settings: &Settings) -> Result<bool, ConfigError> {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, settings.text(name)?)))
        };
        if settings.get::<bool>("OTEL_SDK_DISABLED")? == Some(true) {
            return Ok(false);
        }
        let asked = match settings.text(self.exporter) {
            None => false,
            Some("otlp") => true,
            Some("none") => return Ok(false),
            Some(other) => {
                let problem = format!("expected otlp or none, found {other:?}");
                return Err(ConfigError::new(self.exporter, problem));
            }
        };
        let endpoint = first([self.endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT"]);
        // Without an endpoint the SDK takes the standard's, http://localhost:4318.
        if !asked && (!self.by_default || endpoint.is_none()) {
            return Ok(false);
        }
        if let Some((name, endpoint)) = endpoint
            && !endpoint.starts_with("http://")
        {
            let problem = "expected http://, the address of a collector beside this process";
            return Err(ConfigError::new(name, problem));
        }
        match first([self.protocol, "OTEL_EXPORTER_OTLP_PROTOCOL"]) {
            None | Some((_, "http/protobuf")) => Ok(true),
            Some((name, other)) => {
                let problem = format!("expected http/protobuf, found {other:?}");
                Err(ConfigError::new(name, problem))
            }
        }
    }

    /// The failure of an exporter that the SDK cannot build.
    pub(super) fn failed(&self, error: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::Config, format!("{}: {error}", self.endpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(signal: &Signal, pairs: &[(&str, &str)]) -> Result<bool, ConfigError> {
        signal.wanted(&Settings::from_pairs(pairs.iter().copied()))
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    #[test]
    fn a_signal_is_sent_where_the_standard_variables_say_so() {
        for signal in [TRACES, METRICS, LOGS] {
            let (default, asked) = (Ok(signal.by_default), (signal.exporter, "otlp"));
            assert_eq!(ask(&signal, &[]), Ok(false));
            assert_eq!(ask(&signal, &[ENDPOINT]), default);
            assert_eq!(ask(&signal, &[(signal.endpoint, "http://[::1]:4318/v1/x")]), default);
            assert_eq!(ask(&signal, &[ENDPOINT, (signal.exporter, "none")]), Ok(false));
            assert_eq!(ask(&signal, &[ENDPOINT, asked]), Ok(true));
            assert_eq!(ask(&signal, &[asked]), Ok(true));
            assert_eq!(ask(&signal, &[asked, ("OTEL_SDK_DISABLED", "true")]), Ok(false));
        }
        assert_eq!(ask(&METRICS, &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]), Ok(true));
    }

    #[test]
    fn what_is_not_built_in_is_an_error_that_names_the_variable() {
        for signal in [TRACES, METRICS, LOGS] {
            for wrong in [
                (signal.endpoint, "https://far.example"),
                (signal.protocol, "grpc"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                (signal.exporter, "zipkin"),
            ] {
                let pairs = [ENDPOINT, (signal.exporter, "otlp"), wrong];
                let error = ask(&signal, &pairs).expect_err("not built in");
                assert_eq!(error.variable(), wrong.0);
            }
        }
    }
}
