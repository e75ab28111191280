//! Echo in actix-web on a VM, under systemd.

use anyhost_actix::Actix;

fn main() -> std::process::ExitCode {
    anyhost_vm::run::<Actix<echo_actix::Echo>>()
}
