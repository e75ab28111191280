//! The program `anyhost`: which paradigm for which traffic.

use std::process::ExitCode;

fn main() -> ExitCode {
    anyhost_planner::main()
}
