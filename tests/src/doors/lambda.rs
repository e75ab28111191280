//! The doors of a Lambda function: its process on a Runtime API that is given a client's request as an event.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhost_test::DoorKind;
use anyhost_test::events::Source;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{Door, Example, Facts, MAX_BODY};
use crate::process::Process;
use crate::runtime_api::{Answer, RuntimeApi};
use crate::wire::{Request, Response};

/// A function behind one source of events.
pub(super) struct Lambda {
    source: &'static dyn Source,
    program: PathBuf,
    api: RuntimeApi,
    runtime: Runtime,
    process: Mutex<Process>,
    folder: TempDir,
}

impl Lambda {
    pub(super) fn open(example: Example, door: DoorKind) -> Self {
        let source = door.source().expect("a door of events");
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime needs threads and no more");
        let api = RuntimeApi::start();
        let folder = TempDir::new().expect("a folder for temporary files");
        let program = example.program("lambda");
        let process = Mutex::new(start(&program, &api, &folder));
        Self { source, program, api, runtime, process, folder }
    }
}

impl Door for Lambda {
    fn send(&self, request: &Request) -> Result<Response, String> {
        let event = self.source.event(request);
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if process.exit_within(Duration::ZERO).is_some() {
            // As on AWS, a function that has ended is started again for the next event.
            *process = start(&self.program, &self.api, &self.folder);
        }
        let answer = self.runtime.block_on(async {
            tokio::select! {
                answer = self.api.send(event).answer() => Ok(answer),
                () = ended(&process) => Err("the function ended instead of answering".to_owned()),
            }
        });
        match answer? {
            Answer::Response(response) => self.source.answer(&response.body),
            Answer::Error(failed) => Err(format!("the invocation failed: {failed:?}")),
        }
    }

    fn facts(&self) -> Facts {
        self.source.facts()
    }

    fn log(&self) -> String {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).log().text()
    }
}

fn start(program: &Path, api: &RuntimeApi, folder: &TempDir) -> Process {
    let given = api.environment("example");
    let max_body = MAX_BODY.to_string();
    let mut environment: Vec<_> = given.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    environment.push(("MAX_BODY", &max_body));
    Process::start(program, &[], folder.path(), &environment)
}

/// Waits until a process has ended, by polling, because this runtime gets no event for its exit.
async fn ended(process: &Process) {
    while process.exit_within(Duration::ZERO).is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
