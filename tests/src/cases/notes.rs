//! An App with a database: every write in a transaction, whatever the door.

use serde_json::{Value, json};

use crate::cases::{ask, cases};
use crate::doors::Door;
use crate::wire::{Request, Response, get, post, put, request};

fn with_json(request: Request) -> Request {
    request.header("Content-Type", "application/json")
}

#[track_caller]
fn read(response: &Response) -> Value {
    assert_eq!(response.one("content-type"), "application/json");
    serde_json::from_slice(&response.body).expect("a note is JSON")
}

/// Creates a note and returns its location and its content.
#[track_caller]
fn create(door: &dyn Door, note: &Value) -> (String, Value) {
    let response = ask(door, &with_json(post("/notes", note.to_string()))).expect(201);
    (response.one("location"), read(&response))
}

cases! { Notes "notes";

fn a_note_is_created_read_changed_and_deleted(door) {
    let (location, created) = create(door, &json!({"title": "milk \u{3bb}", "body": "two"}));
    assert_eq!((&created["title"], &created["body"]), (&json!("milk \u{3bb}"), &json!("two")));
    assert_eq!(location, format!("/notes/{}", created["id"]));
    assert_eq!(read(&ask(door, &get(&location)).expect(200)), created);

    let change = json!({"title": "milk", "body": "three"}).to_string();
    let changed = read(&ask(door, &with_json(put(&location, change))).expect(200));
    assert_eq!((&changed["body"], &changed["created_at"]), (&json!("three"), &created["created_at"]));
    assert_eq!(read(&ask(door, &get(&location)).expect(200)), changed);

    let gone = ask(door, &request("DELETE", &location)).expect(204);
    assert!(gone.body.is_empty());
    ask(door, &get(&location)).problem(404);
    ask(door, &request("DELETE", &location)).problem(404);
}

fn a_page_begins_after_a_note_and_has_its_limit(door) {
    let (_, first) = create(door, &json!({"title": "first"}));
    let (_, second) = create(door, &json!({"title": "second"}));
    let (first, second) = (first["id"].as_i64().unwrap(), second["id"].as_i64().unwrap());
    assert!(first < second);
    let page = read(&ask(door, &get(&format!("/notes?after={}&limit=1", first - 1))).expect(200));
    assert_eq!(page["notes"].as_array().map(Vec::len), Some(1));
    assert_eq!((&page["notes"][0]["id"], &page["next"]), (&json!(first), &json!(first)));
    let rest = read(&ask(door, &get(&format!("/notes?limit=100&after={}", second - 1))).expect(200));
    assert_eq!(rest["notes"][0]["title"], "second");
}

fn a_refused_write_leaves_the_note_as_it_was(door) {
    let (location, created) = create(door, &json!({"title": "kept"}));
    let problem = ask(door, &with_json(put(&location, r#"{"title":""}"#))).problem(422);
    assert_eq!(problem["field"], "title");
    assert_eq!(read(&ask(door, &get(&location)).expect(200)), created);
}

fn an_over_long_title_is_refused_by_its_name(door) {
    let note = json!({"title": "x".repeat(10_000)}).to_string();
    assert_eq!(ask(door, &with_json(post("/notes", note))).problem(422)["field"], "title");
}

fn what_is_not_json_is_refused(door) {
    ask(door, &with_json(post("/notes", "{\"title\":"))).problem(400);
    ask(door, &with_json(post("/notes", ""))).problem(400);
}

fn a_note_that_is_not_there_is_404(door) {
    for path in ["/notes/9007199254740993", "/notes/none", "/notes/+1", "/notes/01", "/nothing"] {
        ask(door, &get(path)).problem(404);
    }
}

fn a_path_that_is_no_text_is_404(door) [PathEscapes] { ask(door, &get("/notes/%FF")).problem(404); }

fn a_method_that_is_not_there_is_405(door) {
    ask(door, &with_json(request("PATCH", "/notes"))).problem(405);
}

}
