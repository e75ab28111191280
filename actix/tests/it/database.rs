//! A `Db` in a handler: actix-web's own `web::Data` extracts it.

use actix_web::{App, HttpResponse, web};
use anyhost_actix::{Application, BoxedApp, Problem};
use anyhost_core::adapter::HostHandles as _;
use anyhost_core::db::Db;
use anyhost_core::{Error, Host, async_trait};
use sqlx::Sqlite;

use crate::{RunningApp, host, text};

struct Notes {
    db: web::Data<Db<Sqlite>>,
}

#[async_trait]
impl Application for Notes {
    async fn start(host: &Host) -> Result<Self, Error> {
        Ok(Self { db: web::Data::new(Db::open(host).await?) })
    }

    fn app(&self) -> BoxedApp {
        App::new().app_data(self.db.clone()).route("/{left}/{right}", web::get().to(sum)).into()
    }

    async fn stop(&self) {
        self.db.close(std::time::Duration::ZERO).await;
    }
}

async fn sum(
    db: web::Data<Db<Sqlite>>,
    numbers: web::Path<(i64, i64)>,
) -> Result<HttpResponse, Problem> {
    let mut tx = db.begin().await?;
    let sum: i64 = sqlx::query_scalar("SELECT $1 + $2")
        .bind(numbers.0)
        .bind(numbers.1)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().body(sum.to_string()))
}

#[tokio::test]
async fn a_handler_queries_and_a_closed_database_is_a_503() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("notes.db").display());
    let notes = RunningApp::<Notes>::on(host(2, &[("DATABASE_URL", &url)])).await;
    assert_eq!(text(notes.get("/2/3").await).await, "5");

    notes.0.1.databases().close(std::time::Duration::ZERO).await;
    let refused = notes.get("/2/3").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(text(refused).await.contains("the database is not available"));
}
