//! The smallest function on poem-lambda.

use poem::handler;

#[handler]
fn hello() -> &'static str {
    "Hello, World!"
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), poem_lambda::Error> {
    poem_lambda::run(hello).await
}
