//! An axum Router on every host, in ten lines.

use anyhost::{Error, Host};
use axum::Router;
use axum::routing::get;

/// Makes the router, once per process.
///
/// # Errors
/// None.
pub async fn start(host: &Host) -> Result<Router, Error> {
    let greeting = format!("hello from {}\n", host.platform());
    Ok(Router::new().route("/", get(async || greeting)))
}
