//! Echo on AWS Lambda.

fn main() -> std::process::ExitCode {
    anyhost_lambda::run::<echo::Echo>()
}
