//! The smallest axum router on lambda_http: one thread, no logging set up.

use axum::Router;
use lambda_http::{Error, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(Router::new().fallback(async || "Hello, World!")).await
}
