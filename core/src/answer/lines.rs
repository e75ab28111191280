//! Log lines of failed requests: one for each, but one a second if all fail for want of the same thing.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::Error;
use crate::logs::to_stderr_unless;

/// How long one log line stands for all requests that are refused with the same text.
const PERIOD: Duration = Duration::from_secs(1);

/// The target of these log lines, by which subscribers filter them.
const TARGET: &str = "anyhost_core::adapter::answer";

/// The number of different texts that are counted separately.
const KINDS: usize = 8;

/// Logs why a request failed. Every one is to be found if the log's level is `debug`.
pub(super) fn log(id: &str, error: &Error) {
    let status = error.status();
    let more = match status {
        // A request for something that this service does not offer is no failure of the service.
        StatusCode::NOT_IMPLEMENTED => None,
        // An outage or too much load fails all requests that come, for one reason.
        StatusCode::SERVICE_UNAVAILABLE => {
            let mut said = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
            said.again(error.to_string(), Instant::now())
        }
        status if status.is_server_error() => Some(0),
        _ => None,
    };
    let status = status.as_u16();
    if more.is_some() {
        let heard = tracing::enabled!(target: TARGET, tracing::Level::ERROR);
        to_stderr_unless(heard, || format!("error: {status} to request {id}: {}", error.report()));
    }
    match more {
        Some(0) => tracing::error!(target: TARGET, request_id = id, status, "{}", error.report()),
        Some(more) => {
            tracing::error!(target: TARGET, request_id = id, status, more, "{}", error.report())
        }
        None => tracing::debug!(target: TARGET, request_id = id, status, "{}", error.report()),
    }
}

static RECENT: Mutex<RecentLines> = Mutex::new(RecentLines(Vec::new()));

/// The texts that were logged recently.
struct RecentLines(Vec<Line>);

struct Line {
    words: String,
    at: Instant,
    /// The number of refusals with this text that were not logged since.
    more: u64,
}

impl RecentLines {
    /// How many with these words were not logged since the last that was, if this one is to be; `None`
    /// if that is too recent.
    fn again(&mut self, words: String, now: Instant) -> Option<u64> {
        if let Some(line) = self.0.iter_mut().find(|line| line.words == words) {
            if now.saturating_duration_since(line.at) < PERIOD {
                line.more += 1;
                return None;
            }
            line.at = now;
            return Some(std::mem::take(&mut line.more));
        }
        if self.0.len() == KINDS {
            let oldest = (0..KINDS).min_by_key(|index| self.0[*index].at).unwrap_or_default();
            self.0.swap_remove(oldest);
        }
        self.0.push(Line { words, at: now, more: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_stands_for_all_with_the_same_words() {
        let mut said = RecentLines(Vec::new());
        let now = Instant::now();
        assert_eq!(said.again("away".into(), now), Some(0));
        for _ in 0..1000 {
            assert_eq!(said.again("away".into(), now + PERIOD / 2), None);
        }
        assert_eq!(said.again("full".into(), now + PERIOD / 2), Some(0));
        assert_eq!(said.again("away".into(), now + PERIOD), Some(1000));
        assert_eq!(said.again("away".into(), now + 2 * PERIOD), Some(0));
        for number in 0..100 {
            assert_eq!(said.again(number.to_string(), now + 3 * PERIOD), Some(0));
        }
        assert!(said.0.len() <= KINDS);
    }
}
