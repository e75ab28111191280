//! The echo on a PaaS.

use std::process::ExitCode;

fn main() -> ExitCode {
    anyhost_paas::run::<echo::Echo>()
}
