//! The routes.

use std::sync::Arc;

use anyhost::Error;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{StatusCode, Uri};
use serde::Serialize;

use crate::input::{Draft, Page};
use crate::note::Note;
use crate::store::Store;

/// A page of notes, and where the next one begins.
#[derive(Debug, Serialize)]
struct List {
    notes: Vec<Note>,
    next: Option<i64>,
}

/// The routes below except this one, described in OpenAPI.
const OPENAPI: &str = include_str!("../openapi.json");

type Notes = State<Arc<dyn Store>>;

/// The last part of a path, if its bytes are UTF-8.
type Id = Result<Path<String>, PathRejection>;

pub(crate) fn router(store: impl Store) -> Router {
    let store: Arc<dyn Store> = Arc::new(store);
    Router::new()
        .route("/notes", get(list).post(create))
        .route("/notes/{id}", get(read).put(replace).delete(delete))
        .route("/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI)))
        .fallback(async |uri: Uri| missing(format!("nothing is at {}", uri.path())))
        .method_not_allowed_fallback(async || Error::from_status(StatusCode::METHOD_NOT_ALLOWED))
        // The host limits bodies already, for every door alike.
        .layer(DefaultBodyLimit::disable())
        .with_state(store)
}

async fn create(State(notes): Notes, body: Body) -> Result<Response, Error> {
    let note = notes.create(Draft::parse(&read_all(body).await?)?).await?;
    let location = format!("/notes/{}", note.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(note)).into_response())
}

async fn list(State(notes): Notes, RawQuery(query): RawQuery) -> Result<Json<List>, Error> {
    let page = Page::parse(query.as_deref())?;
    let mut found = notes.list(page).await?;
    // One more than the page holds was asked for, so that an exact last page has no next one.
    let more = found.len() as i64 > page.limit;
    if more {
        found.pop();
    }
    let next = found.last().filter(|_| more).map(|note| note.id);
    Ok(Json(List { notes: found, next }))
}

async fn read(State(notes): Notes, id: Id) -> Result<Json<Note>, Error> {
    let id = parse(id)?;
    notes.read(id).await?.map(Json).ok_or_else(|| no_such_note(id))
}

async fn replace(State(notes): Notes, id: Id, body: Body) -> Result<Json<Note>, Error> {
    let id = parse(id)?;
    let draft = Draft::parse(&read_all(body).await?)?;
    notes.replace(id, draft).await?.map(Json).ok_or_else(|| no_such_note(id))
}

async fn delete(State(notes): Notes, id: Id) -> Result<StatusCode, Error> {
    let id = parse(id)?;
    if notes.delete(id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_such_note(id)) }
}

/// The whole body, by the host's own type, whose errors know their status.
async fn read_all(body: Body) -> Result<Bytes, Error> {
    Ok(anyhost::Body::new(body).bytes().await?)
}

/// A path that names no id names no note; of two spellings of a number, only the one in `Location` does.
fn parse(id: Id) -> Result<i64, Error> {
    let Ok(Path(id)) = id else { return Err(missing("the path names no note".into())) };
    let number = id.parse().ok().filter(|number: &i64| number.to_string() == id);
    number.ok_or_else(|| missing(format!("{id:?} is not the id of a note")))
}

fn no_such_note(id: i64) -> Error {
    missing(format!("there is no note {id}"))
}

fn missing(detail: String) -> Error {
    Error::new(StatusCode::NOT_FOUND, detail)
}
