#![doc = include_str!("../README.md")]

mod api;
mod input;
mod note;
mod schema;
mod store;

use anyhost::db::{Db, Kind, kind};
use anyhost::{
    App, ConfigError, Error, Host, Request, Response, async_trait, call_service, name_routes,
};
use axum::Router;
use sqlx::{Postgres, Sqlite};

/// The SQLite file if `DATABASE_URL` is not set: nothing to install.
const EMBEDDED: &str = "sqlite:notes.db?mode=rwc";

/// A small JSON service for notes, on SQLite or PostgreSQL.
#[derive(Clone, Debug)]
pub struct Notes(Router);

#[async_trait]
impl App for Notes {
    async fn start(host: &Host) -> Result<Self, Error> {
        let router = match kind(host.settings())? {
            // An embedded database has no other moment for migrations than this.
            None | Some(Kind::Sqlite) => {
                Self::migrate(host).await?;
                api::router(Db::<Sqlite>::builder(host).url_or(EMBEDDED).open().await?)
            }
            Some(Kind::Postgres) => {
                let db = Db::<Postgres>::open(host).await?;
                db.check_schema(&schema::POSTGRES).await?;
                api::router(db)
            }
            Some(Kind::MySql) => return Err(no_mysql().into()),
        };
        Ok(Self(name_routes(router)))
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        call_service(&self.0, request).await
    }

    async fn migrate(host: &Host) -> Result<(), Error> {
        match kind(host.settings())? {
            None | Some(Kind::Sqlite) => {
                Db::<Sqlite>::builder(host).url_or(EMBEDDED).migrate(&schema::SQLITE).await?;
            }
            Some(Kind::Postgres) => Db::<Postgres>::migrate(host, &schema::POSTGRES).await?,
            Some(Kind::MySql) => return Err(no_mysql().into()),
        }
        Ok(())
    }
}

fn no_mysql() -> ConfigError {
    ConfigError::new("DATABASE_URL", "notes has a schema for PostgreSQL and SQLite, not for MySQL")
}
