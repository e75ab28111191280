//! The doors of the kit: the example in this process, on a runtime that all of them share.

use std::sync::{Arc, LazyLock};

use anyhost_actix::Actix;
use anyhost_core::{App, Paradigm};
use anyhost_test::{DoorKind, Running, TestHost};
use tokio::runtime::{Builder, Runtime};

use super::{Door, Example, Facts, MAX_BODY};
use crate::wire::{Request, Response};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime needs threads and no more")
});

/// An App and a door to it.
struct InProcess<A> {
    door: Arc<dyn Door>,
    _app: Running<A>,
}

pub(super) fn open(door: DoorKind, example: Example) -> Box<dyn Door> {
    match example {
        Example::Echo => start::<echo::Echo>(door),
        Example::EchoActix => start::<Actix<echo_actix::Echo>>(door),
        Example::Notes => start::<notes::Notes>(door),
    }
}

fn start<A: App>(door: DoorKind) -> Box<dyn Door> {
    let host = match door.paradigm() {
        Paradigm::LongRunning => TestHost::long_running(),
        Paradigm::Serverless => TestHost::serverless(),
    };
    let host = host.setting("MAX_BODY", MAX_BODY).sqlite();
    RUNTIME.block_on(async {
        let app = host.start::<A>().await;
        Box::new(InProcess { door: app.door(door), _app: app }) as Box<dyn Door>
    })
}

impl<A: App> Door for InProcess<A> {
    fn send(&self, request: &Request) -> Result<Response, String> {
        self.door.send(request)
    }

    fn exchange(&self, bytes: &[u8]) -> Result<Vec<Response>, String> {
        self.door.exchange(bytes)
    }

    fn exchange_cut(&self, bytes: &[u8]) -> Result<Vec<Response>, String> {
        self.door.exchange_cut(bytes)
    }

    fn facts(&self) -> Facts {
        self.door.facts()
    }

    fn log(&self) -> String {
        "(in this process)".into()
    }
}
