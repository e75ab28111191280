//! The guestbook on a VM, under systemd.

use anyhost_actix::Actix;

fn main() -> std::process::ExitCode {
    anyhost_vm::run::<Actix<guestbook::Guestbook>>()
}
