//! Echo in actix-web on AWS Lambda.

use anyhost_actix::Actix;

fn main() -> std::process::ExitCode {
    anyhost_lambda::run::<Actix<echo_actix::Echo>>()
}
