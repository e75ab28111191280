//! The README's program, with the query of its peers: an axum router for every host, on the database that its URL names.

use anyhost::{Error, Host, db::AnyDb};
use axum::{Router, extract::State, routing};

fn main() -> std::process::ExitCode {
    anyhost::serve(async |host: &Host| {
        let db = AnyDb::open_or(host, "sqlite:hello.db?mode=rwc").await?;
        Ok(Router::new().route("/{*path}", routing::any(note)).with_state(db))
    })
}

async fn note(State(db): State<AnyDb>) -> Result<String, Error> {
    let query = sqlx::query_scalar("SELECT title FROM notes WHERE id = $1").bind(7_i64);
    Ok(query.fetch_one(&db).await?)
}
