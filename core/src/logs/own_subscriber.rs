//! Lines of ours that a tracing subscriber of the App's own drops: the ones that must be read go to stderr.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the program has a subscriber of its own.
static FOREIGN: AtomicBool = AtomicBool::new(false);

/// Tells that the program had a tracing subscriber before the adapter set up its own, which it then leaves alone. One
/// line on stderr says what its filter leaves out.
pub(super) fn keep_own_subscriber() {
    FOREIGN.store(true, Ordering::Relaxed);
    if !tracing::enabled!(target: "anyhost_server", tracing::Level::INFO) {
        to_stderr(
            "note: this program has a tracing subscriber of its own, whose filter leaves out the lines of anyhost; \
             add anyhost_core=info,anyhost_server=info to it. Errors come here instead",
        );
    }
}

/// Writes a line to stderr if the program's own subscriber leaves it out. `heard` says whether the subscriber takes it.
pub fn to_stderr_unless(heard: bool, line: impl FnOnce() -> String) {
    if !heard && FOREIGN.load(Ordering::Relaxed) {
        to_stderr(&line());
    }
}

fn to_stderr(line: &str) {
    // Ignored: stderr may be closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}
