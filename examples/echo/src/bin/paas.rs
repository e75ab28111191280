//! Echo on a PaaS: Heroku, Kubernetes, Cloud Run and their like.

fn main() -> std::process::ExitCode {
    anyhost_paas::run::<echo::Echo>()
}
