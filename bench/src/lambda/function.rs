//! A process that serves Lambda's Runtime API.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::runtime_api::RuntimeApi;
use crate::histogram::Histogram;
use crate::results::Turn;
use crate::{machine, process};

/// A function in a process of its own, on a Runtime API of its own; killed when dropped.
pub(super) struct Function {
    child: Child,
    api: RuntimeApi,
    started: Instant,
}

impl Function {
    pub(super) fn start(program: &str) -> Self {
        Self::start_with(program, &[], &[])
    }

    /// Starts the function with arguments and further environment variables.
    pub(super) fn start_with(
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let path = machine::sibling(program).expect("it was built with this program");
        let api = RuntimeApi::start();
        let mut command = Command::new(path);
        command.env_clear().envs([
            ("AWS_LAMBDA_RUNTIME_API", api.address()),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench".into()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".into()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench".into()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".into()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
            ("AWS_REGION", "eu-west-1".into()),
        ]);
        command.args(arguments).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().expect("it can be started");
        Self { child, api, started }
    }

    /// The time from its start to its first poll.
    pub(super) fn first_poll(&mut self) -> Duration {
        self.api.polled().saturating_duration_since(self.started)
    }

    /// The time from its start to the answer to its first event.
    pub(super) fn first_answer(&mut self, event: &str) -> Duration {
        let polled = self.first_poll();
        polled + self.api.invoke(event)
    }

    /// Its resident memory, in bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        process::memory(self.child.id())
    }

    /// Freezes it for this time, as Lambda does between invocations, and returns how long the next invocation takes.
    #[expect(clippy::disallowed_methods, reason = "a freeze is time that passes")]
    pub(super) fn thaw(
        &mut self,
        frozen: Duration,
        event: &str,
        meanwhile: impl FnOnce(),
    ) -> Duration {
        self.api.polled();
        self.signal(Signal::STOP);
        meanwhile();
        std::thread::sleep(frozen);
        self.signal(Signal::CONT);
        self.api.invoke(event)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is our child and lives");
    }

    /// Sends it one event after the other.
    pub(super) fn invoke(&mut self, event: &str, time: Duration) -> Turn {
        self.api.polled();
        let pid = self.child.id();
        let cpu = process::cpu(pid);
        let begun = Instant::now();
        let mut histogram = Histogram::default();
        while begun.elapsed() < time {
            histogram.add(self.api.invoke(event));
        }
        let mut turn = histogram.turn(begun.elapsed());
        turn.cpu_seconds = process::cpu(pid).zip(cpu).map(|(now, then)| now - then);
        turn.memory = self.memory();
        turn
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
