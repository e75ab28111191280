//! The echo on a VM.

use std::process::ExitCode;

fn main() -> ExitCode {
    anyhost_vm::run::<echo::Echo>()
}
