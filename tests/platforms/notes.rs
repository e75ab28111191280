//! Checks that `notes` must pass on every host.

use std::path::Path;

use anyhost_tests::process::{PATIENCE, Process};
use anyhost_tests::servers::Postgres;
use anyhost_tests::wire::{Request, Response, delete, get, post, put};
use serde_json::{Value, json};

use crate::artefact::bootstrap;

/// The URL of a new database with the schema of `notes`, brought in by the released program.
pub(crate) fn database(server: &Postgres) -> String {
    let url = server.database();
    let environment = [("DATABASE_URL", url.as_str())];
    let program = bootstrap("notes-lambda");
    let migrate = Process::start(&program, &["migrate"], Path::new("/"), &environment);
    let status = migrate.wait_for_exit(PATIENCE);
    assert!(status.success(), "{status}: {}", migrate.log().text());
    url
}

/// Creates, lists, changes and deletes a note, and makes the mistakes that clients make.
#[track_caller]
pub(crate) fn live(send: impl Fn(&Request) -> Response) {
    let draft = json!({ "title": "Brötchen & Milch", "body": "zwei\nLiter" });
    let created = send(&sent(post("/notes", draft.to_string()))).expect(201);
    let place = created.one("location");
    let note = json(&created);
    assert_eq!(place, format!("/notes/{}", note["id"]));
    assert_eq!((&note["title"], &note["body"]), (&draft["title"], &draft["body"]));
    assert_eq!(json(&send(&get(&place)).expect(200)), note);

    let page = json(&send(&get("/notes?limit=100&after=0")).expect(200));
    assert!(page["notes"].as_array().unwrap().contains(&note), "{page}");

    let draft = json!({ "title": "Brot", "body": "" });
    let changed = json(&send(&sent(put(&place, draft.to_string()))).expect(200));
    assert_eq!((&changed["id"], &changed["title"]), (&note["id"], &draft["title"]));
    assert_eq!(json(&send(&get(&place)).expect(200)), changed);

    let refused = send(&sent(post("/notes", r#"{"title":"","body":""}"#))).problem(422);
    assert_eq!(refused["field"], "title");
    let broken = send(&sent(post("/notes", "{"))).problem(400);
    assert!(broken["detail"].is_string(), "{broken}");

    let deleted = send(&delete(&place, "")).expect(204);
    assert_eq!(deleted.body, b"");
    let missing = send(&get(&place)).problem(404);
    assert!(missing["detail"].is_string(), "{missing}");
    let page = json(&send(&get("/notes?limit=100")).expect(200));
    assert!(!page["notes"].as_array().unwrap().contains(&changed), "{page}");
}

fn sent(request: Request) -> Request {
    request.header("Content-Type", "application/json")
}

#[track_caller]
fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("the body is JSON")
}
