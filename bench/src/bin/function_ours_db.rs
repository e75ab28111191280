//! A function on `anyhost-lambda` that asks a database.

use std::process::ExitCode;

use anyhost_core::db::Db;
use anyhost_core::{App, Body, Error, Host, Request, Response, async_trait};

struct Notes(Db<sqlx::Postgres>);

#[async_trait]
impl App for Notes {
    async fn start(host: &Host) -> Result<Self, Error> {
        Ok(Self(Db::open(host).await?))
    }

    async fn call(&self, _: Request) -> Result<Response, Error> {
        let query = sqlx::query_scalar("SELECT title FROM notes WHERE id = $1").bind(7_i64);
        let title: String = query.fetch_one(&self.0).await?;
        Ok(Response::new(Body::from(title)))
    }
}

fn main() -> ExitCode {
    anyhost_lambda::run::<Notes>()
}
