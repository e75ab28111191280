//! axum, with `sqlx::PgPool` as its guide opens it.

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Json, Router};
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;

use super::{HELLO, Message, announce, notes};

pub(super) fn serve(database: Option<&str>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let mut router = Router::new()
            .route("/hello", get(async || HELLO))
            .route("/hello/{own}", get(async || HELLO))
            .route("/json", post(async |Json(message): Json<Message>| Json(message)))
            .route("/json/{own}", post(async |Json(message): Json<Message>| Json(message)))
            .route("/upload", post(async |body: Bytes| body.len().to_string()))
            .route("/upload/{own}", post(async |body: Bytes| body.len().to_string()))
            .layer(DefaultBodyLimit::disable());
        if let Some(url) = database {
            let pool = PgPoolOptions::new().connect(url).await;
            router = router.merge(notes::router(pool.map_err(|error| error.to_string())?));
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(|error| error.to_string())?;
        announce(listener.local_addr().map_err(|error| error.to_string())?)?;
        axum::serve(listener, router).await.map_err(|error| error.to_string())
    })
}
