//! A function on lambda_http, axum and `sqlx::SqlitePool`, as guides show it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Router, routing};
use lambda_http::{Error, run};
use sqlx::SqlitePool;

async fn note(State(pool): State<SqlitePool>) -> Result<String, StatusCode> {
    let query = sqlx::query_scalar("SELECT title FROM notes WHERE id = $1").bind(7_i64);
    query.fetch_one(&pool).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Its only argument; a guide's function would read the environment.
    let url = std::env::args().nth(1).unwrap_or_default();
    let pool = SqlitePool::connect(&url).await?;
    run(Router::new().route("/{*path}", routing::any(note)).with_state(pool)).await
}
