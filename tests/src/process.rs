//! Programs of this workspace as child processes: built once, and watched by the kit.

mod binary;
mod readme;

pub use anyhost_test::process::{Log, PATIENCE, Process, Signal};
pub use binary::{binary, builder, program_path};
pub use readme::readme_program;
