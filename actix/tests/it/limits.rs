//! The limit on request bodies is the host's, unless the application sets one itself.

use actix_web::{App, HttpResponse, web};
use anyhost_core::Body;
use serde::Deserialize;

use crate::{RunningApp, application, host, post, text};

#[derive(Deserialize)]
struct Text {
    text: String,
}

application!(Reads, {
    App::new()
        .route("/bytes", web::post().to(|body: web::Bytes| async move { body.len().to_string() }))
        .route("/string", web::post().to(|body: String| async move { body.len().to_string() }))
        .route(
            "/json",
            web::post().to(|body: web::Json<Text>| async move { body.text.len().to_string() }),
        )
        .route(
            "/form",
            web::post().to(|body: web::Form<Text>| async move { body.text.len().to_string() }),
        )
        .service(web::scope("/small").app_data(web::PayloadConfig::new(1000)).route(
            "/bytes",
            web::post().to(|body: web::Bytes| async move { body.len().to_string() }),
        ))
        .route("/unread", web::post().to(HttpResponse::Ok))
});

application!(Sets, {
    App::new()
        .app_data(web::Data::new(web::JsonConfig::default().limit(1000)))
        .app_data(web::PayloadConfig::new(64 << 20))
        .route("/bytes", web::post().to(|body: web::Bytes| async move { body.len().to_string() }))
        .route(
            "/json",
            web::post().to(|body: web::Json<Text>| async move { body.text.len().to_string() }),
        )
});

const LIMIT: usize = 5 << 20;
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn with_limit() -> anyhost_core::Host {
    host(1, &[("MAX_BODY", "5M")])
}

/// A body that does not say its length.
fn chunks(bytes: &str) -> Body {
    let chunks: Vec<_> = bytes.as_bytes().chunks(10_000).map(<[u8]>::to_vec).collect();
    Body::stream(futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)))
}

#[tokio::test]
async fn a_body_up_to_the_hosts_limit_is_read_by_every_extractor() {
    let reads = RunningApp::<Reads>::on(with_limit()).await;
    let long = "x".repeat(LIMIT - 20);
    for (target, kind, body) in [
        ("/bytes", "text/plain", long.clone()),
        ("/string", "text/plain", long.clone()),
        ("/json", JSON, format!(r#"{{"text":"{long}"}}"#)),
        ("/form", FORM, format!("text={long}")),
    ] {
        for body in [Body::from(body.clone()), chunks(&body)] {
            let response = reads.send(post(target, kind, body)).await;
            assert_eq!(response.status(), 200, "{target}");
            assert_eq!(text(response).await, long.len().to_string(), "{target}");
        }
    }
}

#[tokio::test]
async fn a_body_over_the_hosts_limit_is_the_hosts_413() {
    let reads = RunningApp::<Reads>::on(with_limit()).await;
    let sets = RunningApp::<Sets>::on(with_limit()).await;
    let long = "x".repeat(LIMIT + 1);
    for target in ["/bytes", "/unread"] {
        let refused = reads.send(post(target, "text/plain", long.clone())).await;
        assert_eq!(refused.status(), 413, "{target}");
    }
    for refused in [
        reads.send(post("/bytes", "text/plain", chunks(&long))).await,
        sets.send(post("/bytes", "text/plain", chunks(&long))).await,
    ] {
        assert_eq!(refused.status(), 413);
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_limit_of_the_application_stays() {
    let (reads, sets) =
        (RunningApp::<Reads>::on(with_limit()).await, RunningApp::<Sets>::on(with_limit()).await);
    let long = "x".repeat(2000);
    let json = format!(r#"{{"text":"{long}"}}"#);
    assert_eq!(sets.send(post("/json", JSON, json.clone())).await.status(), 413);
    assert_eq!(sets.send(post("/bytes", JSON, json)).await.status(), 200);
    assert_eq!(reads.send(post("/small/bytes", "text/plain", long.clone())).await.status(), 413);
    assert_eq!(reads.send(post("/bytes", "text/plain", long)).await.status(), 200);
}
