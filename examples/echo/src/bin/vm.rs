//! Echo on a VM, under systemd.

fn main() -> std::process::ExitCode {
    anyhost_vm::run::<echo::Echo>()
}
