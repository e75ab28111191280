//! The lines a child process has written.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The lines of a process, in the order in which they arrived. A clone is the same log.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<LogState>);

#[derive(Debug, Default)]
struct LogState {
    written: Mutex<LogLines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LogLines {
    lines: Vec<String>,
    open: usize,
}

impl Log {
    /// Takes in the lines of one output until it ends.
    pub(super) fn follow(&self, output: impl Read + Send + 'static) {
        self.written().open += 1;
        let log = self.clone();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                log.written().lines.push(text);
                log.0.changed.notify_all();
            }
            log.written().open -= 1;
            log.0.changed.notify_all();
        });
    }

    /// Everything written so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.written().lines.join("\n")
    }

    /// The lines written so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.written().lines.clone()
    }

    /// Waits for the first line that is wanted, those already written among them; `None` if the
    /// process has ended or the time is over without one.
    pub fn wait_for(&self, patience: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + patience;
        let mut read = 0;
        let mut written = self.written();
        loop {
            if let Some(line) = written.lines[read..].iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            read = written.lines.len();
            let left = until.saturating_duration_since(Instant::now());
            if written.open == 0 || left.is_zero() {
                return None;
            }
            let woken = self.0.changed.wait_timeout(written, left);
            written = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until everything has been read that was written, but no longer than this.
    pub(super) fn wait_for_end(&self, patience: Duration) {
        let _ = self.wait_for(patience, |_| false);
    }

    fn written(&self) -> MutexGuard<'_, LogLines> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
