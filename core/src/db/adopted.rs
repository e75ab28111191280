//! Pools of other libraries: they count for the plan, or for readiness and the drain.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::databases::{DynDatabase, Server, Share};
use super::{CloseReport, Error, Plan};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A plan that was made for a pool of another library.
#[derive(Clone)]
pub(crate) struct ForeignPlan {
    plan: Plan,
    server: Server,
}

impl ForeignPlan {
    pub(super) fn new(plan: Plan, server: Server) -> Self {
        Self { plan, server }
    }

    pub(super) fn into_plan(self) -> Plan {
        self.plan
    }
}

impl DynDatabase for ForeignPlan {
    fn ready(&self, _within: Duration) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn close(&self, _within: Duration) -> BoxFuture<'_, CloseReport> {
        Box::pin(std::future::ready(CloseReport::default()))
    }

    fn plan(&self) -> String {
        format!("for a pool of another library: {}", self.plan)
    }

    fn share(&self) -> Option<Share> {
        Some(Share { server: self.server.clone(), size: self.plan.size() })
    }
}

/// Something that an App holds beside its databases, by its own ways to ask and to close it.
pub(crate) struct ForeignPool {
    name: String,
    ping: Box<dyn Fn() -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>,
    close: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

impl ForeignPool {
    pub(crate) fn new<E>(
        name: String,
        ping: impl Fn() -> BoxFuture<'static, Result<(), E>> + Send + Sync + 'static,
        close: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self
    where
        E: Into<BoxError> + 'static,
    {
        let ping = move || -> BoxFuture<'static, Result<(), BoxError>> {
            let answer = ping();
            Box::pin(async move { answer.await.map_err(Into::into) })
        };
        Self { name, ping: Box::new(ping), close: Box::new(close) }
    }
}

impl DynDatabase for ForeignPool {
    fn ready(&self, within: Duration) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let cause: BoxError = match timeout(within, (self.ping)()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => format!("no answer within {} ms", within.as_millis()).into(),
            };
            Err(Error::Adopted { name: self.name.clone(), cause: Arc::from(cause) })
        })
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, CloseReport> {
        Box::pin(async move {
            let begun = Instant::now();
            let closed = timeout(within, (self.close)()).await.is_ok();
            CloseReport::of_adopted(self.name.clone(), closed, begun.elapsed())
        })
    }

    fn plan(&self) -> String {
        format!("{}: a pool of its own, beside the plan", self.name)
    }
}
