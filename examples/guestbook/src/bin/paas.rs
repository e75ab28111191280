//! The guestbook on a PaaS: Heroku, Kubernetes, Cloud Run and their like.

use anyhost_actix::Actix;

fn main() -> std::process::ExitCode {
    anyhost_paas::run::<Actix<guestbook::Guestbook>>()
}
