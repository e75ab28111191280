//! The guestbook as its visitors see it: signed, read, and refusing what is empty, through every door.

use anyhost_actix::Actix;
use anyhost_test::{Conformance, TestHost, get, post};
use guestbook::Guestbook;
use serde_json::json;

#[tokio::test]
async fn an_entry_is_written_and_read() {
    let app = TestHost::long_running().sqlite().start::<Actix<Guestbook>>().await;
    app.get("/entries/").await.expect_json(200, &json!([]));
    let draft = json!({"name": "Ada", "text": "I was here"});
    let entry = json!({"id": 1, "name": "Ada", "text": "I was here"});
    app.send(post("/entries/", "").json(&draft)).await.expect_json(201, &entry);
    let empty = json!({"name": "Ada", "text": " "});
    assert_eq!(app.send(post("/entries/", "").json(&empty)).await.problem(422)["field"], "text");
    app.get("/entries/").await.expect_json(200, &json!([entry]));
    app.stop().await.assert_clean();
}

#[tokio::test]
async fn every_door_gives_the_same_answers() {
    let draft = json!({"name": "Ada", "text": "I was here"});
    let requests =
        [post("/entries", "").json(&draft), get("/entries"), post("/entries", "no JSON")];
    Conformance::new(requests).host(TestHost::sqlite).check::<Actix<Guestbook>>().await;
}
