//! How many requests are answered at once, and how that number finds itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhost_core::Setting;

/// How many requests are answered at once; beyond it the client gets 503 at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxInFlight {
    /// No limit.
    #[default]
    Any,
    /// This number of requests.
    Fixed(usize),
    /// The number that the App answers without a queue, found from the durations of its answers.
    Auto,
}

impl Setting for MaxInFlight {
    fn expected() -> String {
        "auto or a whole number of at least 1".into()
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            _ => text.parse().ok().filter(|most| *most > 0).map(Self::Fixed),
        }
    }
}

/// The limit, and how many requests run under it.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    most: AtomicUsize,
    running: Arc<AtomicUsize>,
}

/// The place of one request under the limit; free again when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Option<Arc<AtomicUsize>>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(running) = &self.0 {
            running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl ConcurrencyLimit {
    pub(crate) fn new(setting: MaxInFlight) -> Self {
        let most = match setting {
            MaxInFlight::Any => usize::MAX,
            MaxInFlight::Fixed(most) => most,
            MaxInFlight::Auto => FIRST as usize,
        };
        Self { most: AtomicUsize::new(most), running: Arc::default() }
    }

    /// Takes a place for a request; `None` if all are taken. Requests are counted only if there is a limit.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        let Some(most) = self.most() else { return Some(Permit(None)) };
        let one_more = |running: usize| (running < most).then_some(running + 1);
        self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Permit(Some(Arc::clone(&self.running))))
    }

    /// The requests that run now; 0 without a limit.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// The most there may be, if there is a limit.
    pub(crate) fn most(&self) -> Option<usize> {
        Some(self.most.load(Ordering::Relaxed)).filter(|most| *most < usize::MAX)
    }

    /// Adapts the limit, for ever. `answered` returns how many requests the App has answered, and the time that took them
    /// together.
    pub(crate) async fn adapt(&self, answered: impl Fn() -> (u64, Duration)) {
        let mut gradient = Gradient::default();
        let ((mut last, mut last_time), mut busiest) = (answered(), 0);
        loop {
            for _ in 0..LOOKS {
                tokio::time::sleep(WINDOW / LOOKS).await;
                busiest = busiest.max(self.running());
            }
            let (now, time) = answered();
            // Few answers tell little: the window goes on.
            if now - last < FEW {
                continue;
            }
            let mean = time.saturating_sub(last_time).as_secs_f64() / (now - last) as f64;
            self.most.store(gradient.window(mean, busiest), Ordering::Relaxed);
            (last, last_time, busiest) = (now, time, 0);
        }
    }
}

/// The shortest time over which answers are taken together.
const WINDOW: Duration = Duration::from_millis(100);
/// How often the requests in flight are looked at in that time.
const LOOKS: u32 = 5;
/// The fewest answers in a window that may change the limit.
const FEW: u64 = 10;
/// The limit before anything is known.
const FIRST: f64 = 64.0;
const LEAST: f64 = 8.0;
const MOST: f64 = 10_000.0;
/// How much longer than usual answers may take before the limit goes down.
const TOLERANCE: f64 = 1.5;
/// The part of a new opinion in the limit.
const SMOOTHING: f64 = 0.2;
/// Windows that the usual time is the mean of.
const USUAL: f64 = 600.0;

/// The limit by the gradient of answer times: Netflix's `Gradient2Limit` over windows, with its constants but
/// for the room to grow, the square root of the limit as in its first `GradientLimit`,
/// <https://github.com/Netflix/concurrency-limits>.
///
/// The current time of answers is compared with the usual time. If it is no longer, requests do not queue and the
/// limit grows; if it is longer, requests queue somewhere, and the limit shrinks in proportion.
#[derive(Debug)]
struct Gradient {
    limit: f64,
    usual: f64,
    windows: f64,
}

impl Default for Gradient {
    fn default() -> Self {
        Self { limit: FIRST, usual: 0.0, windows: 0.0 }
    }
}

impl Gradient {
    /// Returns the limit after a window: `mean` is the mean duration of an answer in seconds, `busiest` the most requests
    /// in flight.
    fn window(&mut self, mean: f64, busiest: usize) -> usize {
        let mean = mean.max(1e-6);
        self.windows = (self.windows + 1.0).min(USUAL);
        self.usual += (mean - self.usual) / self.windows;
        // After a long time of load the usual must find back to what it was.
        if self.usual / mean > 2.0 {
            self.usual *= 0.95;
        }
        // The load is far below the limit, so the times say nothing about it.
        if (busiest as f64) < self.limit / 2.0 {
            return self.limit as usize;
        }
        let gradient = (TOLERANCE * self.usual / mean).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + self.limit.sqrt();
        self.limit = (self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING).clamp(LEAST, MOST);
        self.limit as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers `fast` requests at once in 10 ms; more wait for each other.
    fn served(gradient: &mut Gradient, fast: f64, offered: f64, windows: usize) -> f64 {
        for _ in 0..windows {
            let in_flight = gradient.limit.min(offered);
            let mean = 0.010 * (in_flight / fast).max(1.0);
            gradient.window(mean, in_flight as usize);
        }
        gradient.limit
    }

    #[test]
    fn it_grows_while_answers_stay_fast_and_shrinks_when_they_queue() {
        let mut gradient = Gradient::default();
        let calm = served(&mut gradient, 1000.0, 500.0, 300);
        assert!(calm >= 500.0, "{calm}");
        // The server becomes many times slower, and requests pile up.
        let slow = served(&mut gradient, 50.0, 5000.0, 30);
        assert!(slow < calm / 2.0, "{slow}");
        // And it comes back.
        let again = served(&mut gradient, 1000.0, 500.0, 600);
        assert!(again >= 500.0, "{again}");
    }

    #[test]
    fn a_flood_from_the_first_moment_is_held_near_what_the_server_can() {
        let mut gradient = Gradient::default();
        served(&mut gradient, 100.0, 20.0, 50);
        let flooded = served(&mut gradient, 100.0, 100_000.0, 600);
        assert!((50.0..1000.0).contains(&flooded), "{flooded}");
    }

    #[test]
    fn an_idle_server_keeps_its_limit() {
        let mut gradient = Gradient::default();
        assert_eq!(served(&mut gradient, 100.0, 3.0, 1000), FIRST);
    }
}
