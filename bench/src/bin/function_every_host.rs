//! The smallest function as a program for every host: `anyhost` chooses the adapter when it starts.

#[path = "hello/app.rs"]
mod app;

fn main() -> std::process::ExitCode {
    anyhost::run::<app::Hello>()
}
