//! The routes that ask the database, as an axum Router over any sqlx executor.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use sqlx::{Executor, Postgres};

use super::{ID, Note, ONE, PAGE, TWENTY};

/// The routes over a pool, ours or sqlx's: both are executors by reference.
pub(super) fn router<P>(pool: P) -> Router
where
    P: Clone + Send + Sync + 'static,
    for<'p> &'p P: Executor<'p, Database = Postgres>,
{
    Router::new()
        .route("/note", get(note::<P>))
        .route("/twenty", get(twenty::<P>))
        .route("/list", get(list::<P>))
        .with_state(pool)
}

async fn note<P>(State(pool): State<P>) -> Result<Json<Note>, StatusCode>
where
    for<'p> &'p P: Executor<'p, Database = Postgres>,
{
    let note = sqlx::query_as(ONE).bind(ID).fetch_one(&pool).await;
    note.map(Json).map_err(failed)
}

async fn twenty<P>(State(pool): State<P>) -> Result<Json<Vec<Note>>, StatusCode>
where
    for<'p> &'p P: Executor<'p, Database = Postgres>,
{
    let mut notes = Vec::with_capacity(TWENTY as usize);
    for id in 1..=TWENTY {
        notes.push(sqlx::query_as(ONE).bind(id).fetch_one(&pool).await.map_err(failed)?);
    }
    Ok(Json(notes))
}

async fn list<P>(State(pool): State<P>) -> Result<Json<Vec<Note>>, StatusCode>
where
    for<'p> &'p P: Executor<'p, Database = Postgres>,
{
    let notes = sqlx::query_as(PAGE).bind(0_i64).fetch_all(&pool).await;
    notes.map(Json).map_err(failed)
}

fn failed(_: sqlx::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
