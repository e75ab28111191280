#![doc = include_str!("../README.md")]

use actix_web::middleware::NormalizePath;
use actix_web::{App, HttpResponse, web};
use anyhost_actix::{Application, BoxedApp, Problem};
use anyhost_core::db::Db;
use anyhost_core::{Error, Host, async_trait};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use sqlx::{FromRow, Sqlite};

/// The database file if `DATABASE_URL` is not set: nothing to install.
const EMBEDDED: &str = "sqlite:guestbook.db?mode=rwc";

/// The schema, as migrations that travel in the program.
static SCHEMA: Migrator = sqlx::migrate!();

/// A guestbook: visitors sign it and read it.
#[derive(Debug)]
pub struct Guestbook {
    db: web::Data<Db<Sqlite>>,
}

#[async_trait]
impl Application for Guestbook {
    async fn start(host: &Host) -> Result<Self, Error> {
        // An embedded database has no other moment for migrations than this.
        Self::migrate(host).await?;
        Ok(Self { db: web::Data::new(Db::builder(host).url_or(EMBEDDED).open().await?) })
    }

    fn app(&self) -> BoxedApp {
        App::new()
            .wrap(NormalizePath::trim())
            .app_data(self.db.clone())
            .route("/entries", web::get().to(list))
            .route("/entries", web::post().to(sign))
            .into()
    }

    async fn migrate(host: &Host) -> Result<(), Error> {
        Ok(Db::<Sqlite>::builder(host).url_or(EMBEDDED).migrate(&SCHEMA).await?)
    }
}

/// What a visitor writes.
#[derive(Deserialize)]
struct Draft {
    name: String,
    text: String,
}

/// What the guestbook holds.
#[derive(FromRow, Serialize)]
struct Entry {
    id: i64,
    name: String,
    text: String,
}

async fn list(db: web::Data<Db<Sqlite>>) -> Result<HttpResponse, Problem> {
    let newest = "SELECT id, name, text FROM entries ORDER BY id DESC LIMIT 100";
    let entries: Vec<Entry> = sqlx::query_as(newest).fetch_all(db.get_ref()).await?;
    Ok(HttpResponse::Ok().json(entries))
}

async fn sign(db: web::Data<Db<Sqlite>>, draft: web::Json<Draft>) -> Result<HttpResponse, Problem> {
    if draft.text.trim().is_empty() {
        let error = Error::new(StatusCode::UNPROCESSABLE_ENTITY, "the text is empty");
        return Err(error.with_extension("field", "text").into());
    }
    let mut tx = db.begin().await?;
    let added = "INSERT INTO entries (name, text) VALUES ($1, $2) RETURNING id, name, text";
    let entry: Entry =
        sqlx::query_as(added).bind(&draft.name).bind(&draft.text).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(entry))
}
