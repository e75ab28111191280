//! An actix-web application that sends and takes bodies of any size.

use std::process::ExitCode;

use actix_web::{App, HttpResponse, web};
use anyhost_actix::{Actix, Application, BoxedApp, Problem};
use anyhost_core::{Error, Host, async_trait};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

fn main() -> ExitCode {
    anyhost_paas::run::<Actix<Streams>>()
}

struct Streams;

#[async_trait]
impl Application for Streams {
    async fn start(_host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    fn app(&self) -> BoxedApp {
        App::new()
            .route("/send/{mebibytes}", web::get().to(send))
            .route("/count", web::post().to(count))
            .into()
    }
}

/// So many chunks of a mebibyte, each made when it is asked for.
async fn send(mebibytes: web::Path<usize>) -> HttpResponse {
    let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1 << 20])));
    HttpResponse::Ok().streaming(chunks.take(*mebibytes))
}

/// The length of the body, read a chunk at a time.
async fn count(mut body: web::Payload) -> Result<HttpResponse, Problem> {
    let mut length = 0;
    while let Some(chunk) = body.next().await {
        length += chunk?.len();
    }
    Ok(HttpResponse::Ok().body(length.to_string()))
}
