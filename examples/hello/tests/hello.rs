//! The router as each host asks it.

use anyhost_test::{Conformance, TestHost, get, post};

#[tokio::test]
async fn it_greets() {
    let app = TestHost::long_running().serve(hello::start).await;
    assert_eq!(app.get("/").await.expect(200).text(), "hello from test\n");
    assert_eq!(app.send(post("/", "hello yourself")).await.expect(405).one("allow"), "GET,HEAD");
    app.stop().await.assert_clean();
}

#[tokio::test]
async fn every_door_gives_the_same_answers() {
    Conformance::new([get("/"), get("/missing"), post("/", "x")]).check_service(hello::start).await;
}
