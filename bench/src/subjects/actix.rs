//! actix-web, with deadpool-postgres and prepared statements that are kept.

use actix_web::error::{ErrorInternalServerError, ErrorNotFound};
use actix_web::web::{Bytes, Data, Json, JsonConfig, PayloadConfig};
use actix_web::{App, HttpResponse, HttpServer, Responder, rt::System, web};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::{NoTls, Row};

use super::{HELLO, ID, Message, Note, ONE, PAGE, TWENTY, announce};

/// The pool; `None` if there is no database.
type Database = Data<Option<Pool>>;

pub(super) fn serve(database: Option<&str>) -> Result<(), String> {
    let url = database.map(str::to_owned);
    System::new().block_on(async {
        let pool = url.map(|url| pool(&url)).transpose()?;
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::new(pool.clone()))
                .app_data(PayloadConfig::new(8 << 20))
                .app_data(JsonConfig::default())
                .route("/hello", web::get().to(hello))
                .route("/json", web::post().to(json))
                .route("/upload", web::post().to(upload))
                .route("/hello/{own}", web::get().to(hello))
                .route("/json/{own}", web::post().to(json))
                .route("/upload/{own}", web::post().to(upload))
                .route("/note", web::get().to(note))
                .route("/twenty", web::get().to(twenty))
                .route("/list", web::get().to(list))
        });
        let server = server.bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        announce(server.addrs()[0])?;
        server.disable_signals().run().await.map_err(|error| error.to_string())
    })
}

fn pool(url: &str) -> Result<Pool, String> {
    let config = url.parse::<tokio_postgres::Config>().map_err(|error| error.to_string())?;
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, recycling);
    Pool::builder(manager).build().map_err(|error| error.to_string())
}

async fn hello() -> impl Responder {
    HELLO
}

async fn json(message: Json<Message>) -> impl Responder {
    message
}

async fn upload(body: Bytes) -> String {
    body.len().to_string()
}

async fn note(database: Database) -> actix_web::Result<HttpResponse> {
    let client = client(&database).await?;
    let statement = client.prepare_cached(ONE).await.map_err(ErrorInternalServerError)?;
    let row = client.query_one(&statement, &[&ID]).await.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().json(of(&row)))
}

async fn twenty(database: Database) -> actix_web::Result<HttpResponse> {
    let client = client(&database).await?;
    let statement = client.prepare_cached(ONE).await.map_err(ErrorInternalServerError)?;
    let mut notes = Vec::with_capacity(TWENTY as usize);
    for id in 1..=TWENTY {
        let row = client.query_one(&statement, &[&id]).await.map_err(ErrorInternalServerError)?;
        notes.push(of(&row));
    }
    Ok(HttpResponse::Ok().json(notes))
}

async fn list(database: Database) -> actix_web::Result<HttpResponse> {
    let client = client(&database).await?;
    let statement = client.prepare_cached(PAGE).await.map_err(ErrorInternalServerError)?;
    let rows = client.query(&statement, &[&0_i64]).await.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().json(rows.iter().map(of).collect::<Vec<_>>()))
}

async fn client(database: &Database) -> actix_web::Result<deadpool_postgres::Client> {
    let pool = database.as_ref().as_ref().ok_or_else(|| ErrorNotFound("no database"))?;
    pool.get().await.map_err(ErrorInternalServerError)
}

fn of(row: &Row) -> Note {
    Note { id: row.get(0), title: row.get(1), body: row.get(2) }
}
