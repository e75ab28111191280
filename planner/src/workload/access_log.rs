//! The service time of an App, measured from the log lines of its requests.

use std::io::BufRead;

use super::Distribution;

/// Names under which loggers write how long a request took, with the factor to seconds.
const FIELDS: [(&str, f64); 8] = [
    ("duration_ms", 1e-3),
    ("elapsed_ms", 1e-3),
    ("latency_ms", 1e-3),
    ("response_time_ms", 1e-3),
    ("request_time", 1.0),
    ("upstream_response_time", 1.0),
    ("duration_s", 1.0),
    ("duration", 1.0),
];

/// Why a log gives no service time.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] std::io::Error),
    /// No line says how long a request took.
    #[error(
        "none of {lines} lines says how long a request took; known are duration_ms, elapsed_ms, latency_ms, \
         response_time_ms (milliseconds), request_time, upstream_response_time, duration_s, duration (seconds), \
         as JSON or name=value, or nginx's $request_time at the end of a line"
    )]
    NoTimes {
        /// How many lines there are.
        lines: usize,
    },
}

/// Measures service times from an access log: JSON lines, `name=value`, or nginx's `$request_time` at the end.
///
/// Gives the distribution and how many lines it is from.
///
/// # Errors
/// [`AccessLogError`] where the log cannot be read or holds no times.
pub fn measure(log: impl BufRead) -> Result<(Distribution, usize), AccessLogError> {
    let (mut values, mut lines) = (Vec::new(), 0);
    for line in log.split(b'\n') {
        let line = line?;
        lines += 1;
        values.extend(time(&String::from_utf8_lossy(&line)));
    }
    let many = values.len();
    let distribution = Distribution::measured(values).filter(|found| found.mean() > 0.0);
    distribution.map(|found| (found, many)).ok_or(AccessLogError::NoTimes { lines })
}

fn time(line: &str) -> Option<f64> {
    let line = line.trim();
    let value = if line.starts_with('{') {
        let json = serde_json::from_str::<serde_json::Value>(line).ok()?;
        let fields = json.get("fields").unwrap_or(&json);
        FIELDS.iter().find_map(|(name, factor)| {
            let value = fields.get(name).or_else(|| json.get(name))?;
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
            Some(number * factor)
        })
    } else {
        FIELDS
            .iter()
            .find_map(|(name, factor)| {
                let rest = line.split_whitespace().find_map(|word| {
                    word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='))
                })?;
                Some(rest.trim_matches(['"', ',']).parse::<f64>().ok()? * factor)
            })
            // A decimal number at the end, as in `log_format … $request_time`.
            .or_else(|| line.rsplit(' ').next().filter(|word| word.contains('.'))?.parse().ok())
    };
    value.filter(|value| value.is_finite() && *value >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_in_three_kinds_of_lines() {
        for line in [
            r#"{"level":"INFO","fields":{"status":200,"duration_ms":12.5}}"#,
            r#"{"duration_ms":"12.5"}"#,
            "INFO request method=GET duration_ms=12.5 status=200",
            r#"10.0.0.1 - - [22/Nov/2026] "GET / HTTP/1.1" 200 512 "-" "curl" 0.0125"#,
        ] {
            assert_eq!(time(line), Some(0.0125), "{line}");
        }
        assert_eq!(time("nothing of the kind 200"), None);
    }

    #[test]
    fn a_log_without_times_is_refused() {
        let error = measure("a\nb\n".as_bytes()).expect_err("no times").to_string();
        assert!(error.starts_with("none of 2 lines says how long"), "{error}");
    }
}
