//! The notes as their clients see them, on SQLite and on PostgreSQL, through every door.

use std::time::Duration;

use anyhost_test::{Conformance, Request, TestHost, delete, get, post, put};
use notes::Notes;
use serde_json::json;

/// A note is written, read, refused, replaced and deleted. The times of a note are no part of it.
fn requests() -> Vec<Request> {
    vec![
        get("/notes"),
        post("/notes", "").json(&json!({"title": "", "body": "no title"})),
        post("/notes", "not JSON"),
        get("/notes/1"),
        get("/notes?limit=no"),
        put("/notes/1", "").json(&json!({"title": "Milk", "body": "none left"})),
        delete("/notes/1", ""),
        get("/nothing/here?q=%20"),
    ]
}

#[tokio::test]
async fn a_note_is_written_read_and_deleted() {
    let app = TestHost::long_running().sqlite().start::<Notes>().await;
    let draft = json!({"title": "Milk", "body": "two litres"});
    let created = app.send(post("/notes", "").json(&draft)).await.expect(201);
    assert_eq!(created.one("location"), "/notes/1");
    assert_eq!(created.json()["title"], "Milk");
    app.get("/notes/1").await.expect_json(200, &created.json());
    let problem = app.send(post("/notes", "").json(&json!({"title": "", "body": ""}))).await;
    assert_eq!(problem.problem(422)["field"], "title");
    app.send(delete("/notes/1", "")).await.expect(204);
    app.stop().await.assert_clean();
}

#[tokio::test]
async fn a_function_reads_on_after_a_night_in_the_freezer() {
    let app = TestHost::serverless().postgres().migrated().start::<Notes>().await;
    let draft = json!({"title": "Milk", "body": "two litres"});
    let created = app.send(post("/notes", "").json(&draft)).await.expect(201);
    app.freeze(Duration::from_secs(12 * 3600)).await;
    app.get("/notes/1").await.expect_json(200, &created.json());
    app.stop().await.assert_clean();
}

#[tokio::test]
async fn every_door_gives_the_same_answers() {
    Conformance::new(requests()).host(TestHost::sqlite).check::<Notes>().await;
}
