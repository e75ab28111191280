//! Errors and panics are answered as for every App, and the thread keeps serving.

use actix_web::http::header::HeaderValue;
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpResponse, error, web};
use anyhost_actix::Problem;
use anyhost_core::{Body, BodyError, Context, Error};
use futures_util::StreamExt;
use http::StatusCode;

use crate::{RunningApp, application, get, post, text};

application!(Fails, {
    App::new()
        .wrap(DefaultHeaders::new().add(("x-added", "1")))
        .wrap(actix_web::middleware::from_fn(
            async |request: actix_web::dev::ServiceRequest,
                   next: actix_web::middleware::Next<_>| {
                if request.path() == "/refused" {
                    return Err(error::ErrorForbidden("not for you"));
                }
                next.call(request).await
            },
        ))
        .route("/problem", web::get().to(problem))
        .route("/cause", web::get().to(cause))
        .route("/own", web::get().to(own))
        .route("/panic", web::get().to(panics))
        .route("/odd-panic", web::get().to(odd))
        .route("/body-panic", web::get().to(body_panics))
        .route("/read", web::post().to(read))
        .route("/websocket", web::get().to(HttpResponse::SwitchingProtocols))
        .route("/", web::get().to(HttpResponse::Ok))
});

async fn problem() -> Result<HttpResponse, Problem> {
    let busy =
        Error::new(StatusCode::CONFLICT, "the name is taken").with_extension("field", "name");
    let busy = busy.with_header(http::header::RETRY_AFTER, http::HeaderValue::from_static("3"));
    Err(busy.into())
}

async fn cause() -> Result<HttpResponse, Problem> {
    Err(std::io::Error::other("the password is hunter2"))?
}

async fn own() -> Result<HttpResponse, actix_web::Error> {
    Err(error::ErrorImATeapot("short and stout"))
}

async fn panics() -> HttpResponse {
    panic!("on purpose")
}

async fn odd() -> HttpResponse {
    std::panic::panic_any(HeaderValue::from_static("not a text"))
}

async fn body_panics() -> HttpResponse {
    let chunks = futures_util::stream::iter(0..3).then(|n| async move {
        tokio::task::yield_now().await;
        assert!(n < 2, "on purpose");
        Ok::<_, std::io::Error>(web::Bytes::from_static(b"chunk"))
    });
    HttpResponse::Ok().streaming(chunks)
}

async fn read(mut payload: web::Payload) -> Result<HttpResponse, Problem> {
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        length += chunk?.len();
    }
    Ok(HttpResponse::Ok().body(length.to_string()))
}

#[tokio::test]
async fn a_problem_is_the_hosts_with_what_middleware_has_added() {
    let fails = RunningApp::<Fails>::start().await;
    let response = fails.get("/problem").await;
    assert_eq!(response.status(), 409);
    assert_eq!(
        (&response.headers()["retry-after"], &response.headers()["x-added"]),
        (&"3".parse().expect("a value"), &"1".parse().expect("a value"))
    );
    let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
    let problem: serde_json::Value = serde_json::from_str(&text(response).await).expect("JSON");
    assert_eq!(
        (&problem["detail"], &problem["field"]),
        (&"the name is taken".into(), &"name".into())
    );
    assert_eq!(problem["request_id"], id);
}

#[tokio::test]
async fn the_cause_of_a_problem_is_not_sent() {
    let fails = RunningApp::<Fails>::start().await;
    let response = fails.get("/cause").await;
    assert_eq!(response.status(), 500);
    assert!(!text(response).await.contains("hunter2"));
}

#[tokio::test]
async fn errors_of_actix_web_and_of_middleware_answer_as_they_say() {
    let fails = RunningApp::<Fails>::start().await;
    let teapot = fails.get("/own").await;
    assert_eq!((teapot.status().as_u16(), text(teapot).await), (418, "short and stout".into()));
    let refused = fails.get("/refused").await;
    assert_eq!((refused.status().as_u16(), text(refused).await), (403, "not for you".into()));
}

#[tokio::test]
async fn a_panic_is_a_500_and_its_thread_lives() {
    let fails = RunningApp::<Fails>::start().await;
    for target in ["/panic", "/odd-panic", "/panic"] {
        let response = fails.get(target).await;
        assert_eq!(response.status(), 500, "{target}");
        assert!(!text(response).await.contains("on purpose"));
        assert_eq!(fails.get("/").await.status(), 200, "after {target}");
    }
}

#[tokio::test]
async fn a_body_that_panics_breaks_off_and_its_thread_lives() {
    let fails = RunningApp::<Fails>::start().await;
    let response = fails.get("/body-panic").await;
    assert_eq!(response.status(), 200);
    assert!(response.into_body().bytes().await.is_err());
    assert_eq!(fails.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_request_body_that_breaks_off_is_the_clients_fault() {
    let fails = RunningApp::<Fails>::start().await;
    let chunks = [Ok("half"), Err(BodyError::broken("the client is gone"))];
    let broken = Body::stream(futures_util::stream::iter(chunks));
    assert_eq!(fails.send(post("/read", "text/plain", broken)).await.status(), 400);
    assert_eq!(fails.send(get("/")).await.status(), 200);
}

#[tokio::test]
async fn a_websocket_is_refused_and_a_status_that_is_not_final_is_a_500() {
    let fails = RunningApp::<Fails>::start().await;
    let mut request = get("/websocket");
    request.extensions_mut().insert(Context::fresh().with_upgrades());
    assert_eq!(fails.send(request).await.status(), 501);
    assert_eq!(fails.send(get("/websocket")).await.status(), 500);
}
