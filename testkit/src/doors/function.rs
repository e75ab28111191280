//! The doors of a serverless host: a request as an event, by the Lambda adapter's own conversion, and its answer.

use std::sync::Arc;

use anyhost_core::Host;
use anyhost_core::adapter::Handler;
use anyhost_lambda::answer_event;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::events::Source;
use crate::{Door, Facts, Request, Response};

/// An App of the test behind one source of events.
pub(crate) struct Function<H> {
    pub(crate) app: Arc<H>,
    pub(crate) host: Host,
    pub(crate) runtime: Handle,
    /// Lambda gives a process one invocation at a time.
    pub(crate) turn: Arc<Mutex<()>>,
    pub(crate) source: &'static dyn Source,
}

impl<H: Handler> Door for Function<H> {
    fn send(&self, request: &Request) -> Result<Response, String> {
        let event = self.source.event(request).into();
        let answer = self.runtime.block_on(async {
            let _turn = self.turn.lock().await;
            answer_event(&self.host, &*self.app, &event).await
        });
        let answer = answer.map_err(|error| format!("the invocation failed: {error}"))?;
        self.source.answer(&answer)
    }

    fn facts(&self) -> Facts {
        self.source.facts()
    }
}
