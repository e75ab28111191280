//! A plan for a pool of another library: it counts for the databases that are opened later on the same server.

use std::time::Duration;

use futures_core::future::BoxFuture;

use super::Plan;
use super::shares::Server;
use crate::databases::{CloseReport, DynDatabase};

/// A plan that was made for a pool of another library.
#[derive(Clone)]
pub(crate) struct ForeignPlan {
    pub(super) plan: Plan,
    pub(super) server: Server,
}

impl DynDatabase for ForeignPlan {
    fn close(&self, _within: Duration) -> BoxFuture<'_, CloseReport> {
        Box::pin(std::future::ready(CloseReport::default()))
    }

    fn plan(&self) -> String {
        format!("for a pool of another library: {}", self.plan)
    }

    fn share(&self) -> Option<(Server, usize)> {
        Some((self.server.clone(), self.plan.size()))
    }
}
