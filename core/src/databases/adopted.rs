//! A pool of another library, which counts for what concerns the whole process: readiness and the drain.

use std::time::Duration;

use futures_core::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::{BoxError, CloseReport, DynDatabase};

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
    fn ready(&self, within: Duration) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async move {
            let cause: BoxError = match timeout(within, (self.ping)()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => format!("no answer within {} ms", within.as_millis()).into(),
            };
            Err(format!("{} does not answer: {cause}", self.name).into())
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
