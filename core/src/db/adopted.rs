//! Pools of other libraries: planned here, or only told of, they count for what concerns the whole process.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::databases::{DynDatabase, Server, Share};
use super::{Drained, Error, Plan};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A plan that was made for a pool of another library.
#[derive(Clone)]
pub(crate) struct Planned {
    plan: Plan,
    server: Server,
}

impl Planned {
    pub(super) fn new(plan: Plan, server: Server) -> Self {
        Self { plan, server }
    }

    pub(super) fn into_plan(self) -> Plan {
        self.plan
    }
}

impl DynDatabase for Planned {
    fn ready(&self, _within: Duration) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn close(&self, _within: Duration) -> BoxFuture<'_, Drained> {
        Box::pin(std::future::ready(Drained::default()))
    }

    fn plan(&self) -> String {
        format!("for a pool of another library: {}", self.plan)
    }

    fn share(&self) -> Option<Share> {
        Some(Share { server: self.server.clone(), size: self.plan.size() })
    }
}

/// Something that an App holds beside its databases, by its own ways to ask and to close it.
pub(crate) struct Adopted {
    name: String,
    ping: Box<dyn Fn() -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>,
    close: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Adopted {
    pub(crate) fn new<E: Into<BoxError>>(
        name: String,
        ping: impl Fn() -> BoxFuture<'static, Result<(), E>> + Send + Sync + 'static,
        close: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self
    where
        E: 'static,
    {
        let ping = move || -> BoxFuture<'static, Result<(), BoxError>> {
            let answer = ping();
            Box::pin(async move { answer.await.map_err(Into::into) })
        };
        Self { name, ping: Box::new(ping), close: Box::new(close) }
    }
}

impl DynDatabase for Adopted {
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

    fn close(&self, within: Duration) -> BoxFuture<'_, Drained> {
        Box::pin(async move {
            let begun = Instant::now();
            let closed = timeout(within, (self.close)()).await.is_ok();
            Drained::of_adopted(self.name.clone(), closed, begun.elapsed())
        })
    }

    fn plan(&self) -> String {
        format!("{}: a pool of its own, beside the plan", self.name)
    }
}
