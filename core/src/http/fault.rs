//! A client's fault in its request body, recorded for the host even if the App hides the error.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::{BodyError, Error};

/// A client's fault in its request body. The first fault is kept.
#[derive(Debug, Default)]
pub(crate) struct Fault(AtomicU8);

const TOO_LARGE: u8 = 1;
const BROKEN: u8 = 2;
const TIMED_OUT: u8 = 3;

impl Clone for Fault {
    fn clone(&self) -> Self {
        Self(AtomicU8::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Fault {
    /// Notes the fault that an error of a request body stands for, if the client is to blame for it.
    pub(crate) fn note(&self, error: &BodyError) {
        let kind = match error {
            error if error.is_too_large() => TOO_LARGE,
            error if error.is_broken() => BROKEN,
            error if error.is_timed_out() => TIMED_OUT,
            _ => return,
        };
        // One request has one body, so nothing else writes at the same time.
        let _ = self.0.compare_exchange(0, kind, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Returns whether a fault was recorded.
    pub(crate) fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Returns the error response for the client; `max_body` is the limit in bytes.
    pub(crate) fn to_error(&self, max_body: usize) -> Option<Error> {
        let error = match self.0.load(Ordering::Relaxed) {
            TOO_LARGE => BodyError::too_large(max_body),
            BROKEN => BodyError::broken("the client's"),
            TIMED_OUT => BodyError::timed_out(),
            _ => return None,
        };
        Some(error.to_response())
    }
}
