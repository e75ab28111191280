//! Notes on a VM, under systemd.

fn main() -> std::process::ExitCode {
    anyhost_vm::run::<notes::Notes>()
}
