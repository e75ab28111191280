//! How often and how soon a request to the Runtime API is tried again.

use std::time::Duration;

/// The first wait; each later one is twice as long.
const FIRST: Duration = Duration::from_millis(50);

/// How many times a request is tried again: the last after 50 + 100 + 200 + 400 + 800 ms, all in all little
/// more than 1.5 seconds. An API that is away for longer does not come back for this process.
const TRIES: u32 = 5;

/// A bounded number of ever longer waits.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tried: u32,
}

impl Backoff {
    /// Waits before the next try; returns false if no try is left.
    pub(crate) async fn wait(&mut self) -> bool {
        if self.tried == TRIES {
            return false;
        }
        tokio::time::sleep(FIRST * 2_u32.pow(self.tried)).await;
        self.tried += 1;
        true
    }

    /// Resets the backoff after a success.
    pub(crate) fn reset(&mut self) {
        self.tried = 0;
    }

    /// Returns whether a request was tried more than once.
    pub(crate) fn tried(&self) -> bool {
        self.tried > 0
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_of_five_tries_waits_twice_as_long() {
        let mut backoff = Backoff::default();
        for _ in 0..2 {
            let mut waits = Vec::new();
            loop {
                let begun = Instant::now();
                if !backoff.wait().await {
                    break;
                }
                waits.push(begun.elapsed().as_millis());
            }
            // Tokio's timer counts whole milliseconds, and is never early.
            let expected = [50, 100, 200, 400, 800];
            let late = waits.iter().zip(expected).map(|(wait, wanted)| wait - wanted);
            assert!(waits.len() == 5 && late.max() <= Some(1), "{waits:?}");
            backoff.reset();
        }
    }
}
