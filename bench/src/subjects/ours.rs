//! An App on `anyhost-server`.

use std::time::Duration;

use anyhost_core::adapter::{Factory, LogFormat, Verb};
use anyhost_core::db::Db;
use anyhost_core::{
    App, Body, Error, Host, Paradigm, Request, Response, Settings, async_trait, call_service,
};
use anyhost_server::{Beside, Config, Program, Running, bind_tcp};
use axum::Router;
use http::header::{CONTENT_TYPE, HeaderValue};
use sqlx::Postgres;

use super::{HELLO, Message, announce, notes};

struct Subject {
    notes: Option<Router>,
}

#[async_trait]
impl App for Subject {
    async fn start(host: &Host) -> Result<Self, Error> {
        let notes = match host.settings().text("DATABASE_URL") {
            Some(_) => Some(notes::router(Db::<Postgres>::open(host).await?)),
            None => None,
        };
        Ok(Self { notes })
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        // As a router would: `/hello` and what is below it.
        let place = request.uri().path().split('/').nth(1).unwrap_or_default();
        match (place, &self.notes) {
            ("hello", _) => Ok(typed("text/plain; charset=utf-8", HELLO)),
            ("json", _) => {
                let message: Message = serde_json::from_slice(&request.into_body().bytes().await?)?;
                Ok(typed("application/json", serde_json::to_vec(&message)?))
            }
            ("upload", _) => {
                let length = request.into_body().bytes().await?.len();
                Ok(typed("text/plain; charset=utf-8", length.to_string()))
            }
            (_, Some(notes)) => call_service(notes, request).await,
            (_, None) => Err(Error::from_status(http::StatusCode::NOT_FOUND)),
        }
    }
}

fn typed(kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(super) fn serve(database: Option<&str>) -> Result<(), String> {
    serve_app::<Subject>(database)
}

/// Serves any App as this one is served.
pub(super) fn serve_app<A: App>(database: Option<&str>) -> Result<(), String> {
    let level = [("LOG_LEVEL", "error"), ("LOG_FORMAT", "json")];
    let settings = level.into_iter().chain(database.map(|url| ("DATABASE_URL", url)));
    let settings = Settings::from_pairs(settings);
    let logs =
        anyhost_server::logs(&settings, LogFormat::Json).map_err(|error| error.to_string())?;
    let host = Host::builder(Paradigm::LongRunning, "bench")
        .grace(Duration::from_secs(1))
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    let bind = || {
        let listener = bind_tcp(([127, 0, 0, 1], 0).into())?;
        // Fails if the process that started this one has ended.
        let _ = announce(&listener);
        Ok(vec![listener])
    };
    let program = Program { host, config: Config::default(), logs };
    let beside = |running: Running| -> Beside { Box::pin(async { running.hangups.ignore() }) };
    program
        .run(Factory::<A>::app(), Verb::Serve, bind, beside)
        .map_err(|failure| failure.to_string())?;
    Ok(())
}
