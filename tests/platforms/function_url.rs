//! Behind the Function URL of `cargo lambda watch`, over plain HTTP.

use std::time::Duration;

use anyhost_tests::servers::Postgres;
use anyhost_tests::wire::{EchoAnswer as _, get, post};

use crate::notes;
use crate::watch::Watch;

#[test]
fn notes_are_created_listed_changed_and_deleted() {
    let database = notes::database(Postgres::shared());
    let watch = Watch::start("notes-lambda", &[("DATABASE_URL", &database)]);
    notes::live(|request| watch.send(request));
}

#[test]
fn what_a_client_sends_reaches_the_app_and_what_the_app_answers_the_client() {
    let watch = Watch::start("echo-lambda", &[]);

    let seen = watch.send(&get("/a%20b/caf%C3%A9?q=1%202&q=3&empty")).seen();
    assert_eq!(seen.path, "/a%20b/caf%C3%A9");
    assert_eq!(seen.query.as_deref(), Some("q=1%202&q=3&empty"));

    let bytes: Vec<u8> = (0..=255).collect();
    let binary = post("/upload", bytes.clone()).header("Content-Type", "application/octet-stream");
    assert_eq!(watch.send(&binary).seen().body, bytes);

    let cookies = watch.send(&get("/r/twocookies")).expect(200).all("set-cookie");
    assert_eq!(cookies, ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; Path=/"]);
    assert_eq!(watch.send(&get("/r/bin")).expect(200).body, [0x89, 0x50, 0xff, 0x00]);
    assert_eq!(watch.send(&get("/r/text")).expect(200).body, "héllo".as_bytes());
    watch.send(&get("/r/panic")).problem(500);
}

/// Its deadline is the number 600000, a moment in 1970: were it believed, every request would be out of time.
#[test]
fn a_deadline_that_is_no_point_in_time_takes_no_time_away() {
    let watch = Watch::start("echo-lambda", &[]);
    assert_eq!(watch.send(&get("/r/slow")).expect(200).body, b"slow");
    assert!(watch.function().exit_within(Duration::ZERO).is_none());
}

#[test]
fn a_streamed_answer_arrives_piece_by_piece() {
    let watch = Watch::start("echo-lambda", &[("RESPONSE_MODE", "streaming")]);
    let events = watch.send(&get("/r/sse")).expect(200);
    assert!(events.one("content-type").starts_with("text/event-stream"));
    assert_eq!(String::from_utf8_lossy(&events.body).matches("data:").count(), 5);
    // Five events, 200 ms apart: in one piece they would come at once.
    assert!(events.spread >= Duration::from_millis(600), "within {:?}", events.spread);

    let cookies = watch.send(&get("/r/twocookies")).expect(200).all("set-cookie");
    assert_eq!(cookies, ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; Path=/"]);
    assert_eq!(watch.send(&get("/r/big7mb")).expect(200).body.len(), 7 * 1024 * 1024);
}
