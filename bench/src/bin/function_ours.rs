//! The smallest function on `anyhost-lambda`.

#[path = "hello/app.rs"]
mod app;

fn main() -> std::process::ExitCode {
    anyhost_lambda::run::<app::Hello>()
}
