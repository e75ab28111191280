//! The guestbook as a host sees it: signed, read, and refusing what is empty.

use anyhost_actix::Actix;
use anyhost_core::adapter::{HostHandles as _, answer};
use anyhost_core::{App, Body, Host, Paradigm, Request, Settings};
use guestbook::Guestbook;
use serde_json::{Value, json};

async fn send(app: &Actix<Guestbook>, body: Option<Value>) -> (u16, Value) {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = "/entries/".parse().expect("a target");
    if let Some(body) = body {
        *request.method_mut() = http::Method::POST;
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert("content-type", json);
        *request.body_mut() = Body::from(body.to_string());
    }
    let response = answer(app, 1 << 20, request).await;
    let status = response.status().as_u16();
    let body = response.into_body().bytes().await.expect("a whole body");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

#[tokio::test]
async fn an_entry_is_written_and_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("guestbook.db").display());
    let host = Host::builder(Paradigm::LongRunning, "test")
        .settings(Settings::from_pairs([("DATABASE_URL", url)]))
        .build()
        .expect("valid settings");
    let app = Actix::<Guestbook>::start(&host).await.expect("it starts");

    assert_eq!(send(&app, None).await, (200, json!([])));
    let entry = json!({"id": 1, "name": "Ada", "text": "I was here"});
    let draft = json!({"name": "Ada", "text": "I was here"});
    assert_eq!(send(&app, Some(draft)).await, (201, entry.clone()));
    let (status, problem) = send(&app, Some(json!({"name": "Ada", "text": " "}))).await;
    assert_eq!((status, &problem["field"]), (422, &json!("text")));
    assert_eq!(send(&app, None).await, (200, json!([entry])));
    app.stop().await;
    host.databases().close(std::time::Duration::from_secs(1)).await;
}
