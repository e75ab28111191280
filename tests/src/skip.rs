//! Tests that this machine cannot run: each says so in one line, which `make test` counts and may forbid.

use std::io::Write;
use std::process::Command;

/// Says that the running test is skipped and why. The line goes past what captures the output of tests.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let reason = reason.trim().replace('\n', "; ");
    let line = format!("skipped: {}: {reason}\n", thread.name().unwrap_or("a test"));
    // Without a stderr the line cannot be printed.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Skips the running test if `unshare` with these arguments fails: containers and some distributions let
/// an ordinary process have no namespaces of its own.
#[must_use = "a test that is skipped returns"]
pub fn skipped_without_namespaces(arguments: &[&str]) -> bool {
    let mut command = Command::new("/usr/bin/unshare");
    let reason = match command.args(arguments).arg("/bin/true").output() {
        Ok(output) if output.status.success() => return false,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("/usr/bin/unshare cannot be started: {error}"),
    };
    skip(&reason);
    true
}
