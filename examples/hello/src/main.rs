//! An axum Router on every host: the adapter is chosen when the program starts.

fn main() -> std::process::ExitCode {
    anyhost::serve(hello::start)
}
