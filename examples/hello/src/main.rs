//! An axum Router on every host, in ten lines.

use anyhost::Host;
use axum::Router;
use axum::routing::get;

fn main() -> std::process::ExitCode {
    anyhost::serve(async |host: &Host| {
        let greeting = format!("hello from {}\n", host.platform());
        Ok(Router::new().route("/", get(async || greeting)))
    })
}
