//! The same on lambda_http, axum and `sqlx::Pool`, as guides show it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Router, routing};
use lambda_http::{Error, run};
use sqlx::PgPool;

async fn note(State(pool): State<PgPool>) -> Result<String, StatusCode> {
    let query = sqlx::query_scalar("SELECT title FROM notes WHERE id = $1").bind(7_i64);
    query.fetch_one(&pool).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "a guide's function reads its environment")]
async fn main() -> Result<(), Error> {
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    run(Router::new().route("/{*path}", routing::any(note)).with_state(pool)).await
}
