//! The current request: one task-local with its context and its deadline.

use std::time::Instant;

use crate::Context;

tokio::task_local! {
    static CURRENT: Current;
}

/// The request and the deadline that the running code works under, as far as there are any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Current {
    pub(crate) context: Option<Context>,
    pub(crate) deadline: Option<Instant>,
}

impl Current {
    /// Returns what the running code works for; nothing outside of every request and deadline.
    pub(crate) fn get() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Returns the deadline alone.
    pub(crate) fn deadline() -> Option<Instant> {
        CURRENT.try_with(|current| current.deadline).ok().flatten()
    }

    /// Sets the request.
    pub(crate) fn with_context(mut self, context: Context) -> Self {
        self.context = Some(context);
        self
    }

    /// Sets the deadline, unless there is an earlier one: an inner deadline never extends an outer one.
    pub(crate) fn with_deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = [self.deadline, deadline].into_iter().flatten().min();
        self
    }

    /// Runs a future that works for this.
    pub(crate) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// Runs a function that works for this.
    pub(crate) fn sync_scope<T>(self, call: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, call)
    }
}
