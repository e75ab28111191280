//! Bodies stream in both directions, only as fast as they are read, and keep their length.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use actix_web::body::SizedStream;
use actix_web::middleware::Logger;
use actix_web::{App, HttpResponse, web};
use anyhost_core::{Body, Context};
use futures_util::{StreamExt, stream};
use http::Method;
use http_body_util::BodyExt;

use crate::{RunningApp, application, eventually, get, in_time, post};

application!(Streams, {
    App::new()
        .wrap(Logger::default())
        .route("/back", web::post().to(back))
        .route("/whole", web::get().to(async || "whole"))
        .route("/sized", web::to(sized))
        .route("/short", web::get().to(short))
        .route("/endless", web::get().to(endless))
        .route("/held", web::get().to(held))
        .route("/fails", web::get().to(fails))
        .route("/id", web::get().to(id))
});

type Chunk = io::Result<web::Bytes>;

/// Sends back what it reads, a chunk at a time.
async fn back(payload: web::Payload) -> HttpResponse {
    HttpResponse::Ok().streaming(payload)
}

async fn sized() -> HttpResponse {
    let chunks = stream::iter(0..4).then(|_| async {
        tokio::task::yield_now().await;
        Chunk::Ok(web::Bytes::from_static(b"five!"))
    });
    HttpResponse::Ok().body(SizedStream::new(20, chunks.boxed_local()))
}

async fn short() -> HttpResponse {
    let chunks = stream::iter([Chunk::Ok(web::Bytes::from_static(b"five!"))]);
    HttpResponse::Ok().body(SizedStream::new(20, chunks.boxed_local()))
}

static MADE: AtomicUsize = AtomicUsize::new(0);

async fn endless() -> HttpResponse {
    let chunks = stream::repeat_with(|| {
        MADE.fetch_add(1, Ordering::SeqCst);
        Chunk::Ok(web::Bytes::from(vec![b'x'; 64 * 1024]))
    });
    HttpResponse::Ok().streaming(chunks)
}

static DROPPED: AtomicBool = AtomicBool::new(false);

struct Flag;

impl Drop for Flag {
    fn drop(&mut self) {
        DROPPED.store(true, Ordering::SeqCst);
    }
}

/// Sends one chunk and then never ends.
async fn held() -> HttpResponse {
    let flag = Flag;
    let first = stream::iter([Chunk::Ok(web::Bytes::from_static(b"first"))]);
    let never = stream::pending::<Chunk>().map(move |chunk| {
        let _held = &flag;
        chunk
    });
    HttpResponse::Ok().streaming(first.chain(never))
}

async fn fails() -> HttpResponse {
    let chunks = [Ok(web::Bytes::from_static(b"part")), Err(io::Error::other("no more"))];
    HttpResponse::Ok().streaming(stream::iter(chunks))
}

async fn id() -> HttpResponse {
    let chunks = stream::iter(0..3).then(|_| async {
        tokio::task::yield_now().await;
        let context = Context::current().expect("the body works for a request");
        Chunk::Ok(web::Bytes::from(context.request_id().to_owned()))
    });
    HttpResponse::Ok().streaming(chunks)
}

#[tokio::test]
async fn a_chunk_comes_back_before_the_next_is_sent() {
    let streams = RunningApp::<Streams>::start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<web::Bytes>>(1);
    let chunks =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let request = post("/back", "text/plain", Body::stream(chunks));
    let response = in_time(streams.send(request)).await;
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    for chunk in ["one", "two", "three"] {
        sender.send(Ok(web::Bytes::from(chunk))).await.expect("the handler reads");
        let frame = in_time(body.frame()).await.expect("a chunk").expect("no error");
        assert_eq!(frame.into_data().expect("data"), chunk);
    }
    drop(sender);
    assert!(in_time(body.frame()).await.is_none());
}

#[tokio::test]
async fn a_body_that_middleware_wraps_is_still_whole() {
    let streams = RunningApp::<Streams>::start().await;
    let response = streams.get("/whole").await;
    assert_eq!(response.into_body().into_full().expect("whole"), "whole");
}

#[tokio::test]
async fn a_stream_that_knows_its_length_says_it_to_get_and_to_head() {
    let streams = RunningApp::<Streams>::start().await;
    let response = streams.get("/sized").await;
    assert_eq!(response.body().len(), Some(20));
    assert_eq!(response.into_body().bytes().await.expect("all of it"), "five!five!five!five!");
    let mut head = get("/sized");
    *head.method_mut() = Method::HEAD;
    let response = streams.send(head).await;
    assert_eq!(response.headers()["content-length"], "20");
    assert!(response.into_body().is_empty());
}

#[tokio::test]
async fn a_stream_that_is_shorter_than_it_said_breaks_off() {
    let streams = RunningApp::<Streams>::start().await;
    let response = streams.get("/short").await;
    assert_eq!(response.body().len(), Some(20));
    assert!(in_time(response.into_body().bytes()).await.is_err());
}

#[tokio::test]
async fn nothing_is_made_that_nobody_reads() {
    let streams = RunningApp::<Streams>::start().await;
    let mut body = in_time(streams.get("/endless")).await.into_body();
    for read in 1..=100 {
        in_time(body.frame()).await.expect("endless").expect("no error");
        eventually("more is made", || MADE.load(Ordering::SeqCst) > read).await;
        let ahead = MADE.load(Ordering::SeqCst) - read;
        assert!(ahead <= 4, "{ahead} chunks ahead of the reader");
    }
}

#[tokio::test]
async fn a_body_whose_reader_is_gone_is_dropped() {
    let streams = RunningApp::<Streams>::start().await;
    let mut body = in_time(streams.get("/held")).await.into_body();
    in_time(body.frame()).await.expect("a chunk").expect("no error");
    assert!(!DROPPED.load(Ordering::SeqCst));
    drop(body);
    eventually("the stream is dropped", || DROPPED.load(Ordering::SeqCst)).await;
}

#[tokio::test]
async fn a_body_that_fails_gives_what_came_before() {
    let streams = RunningApp::<Streams>::start().await;
    let mut body = streams.get("/fails").await.into_body();
    let first = body.frame().await.expect("a chunk").expect("no error yet");
    assert_eq!(first.into_data().expect("data"), "part");
    let error = body.frame().await.expect("an error").expect_err("it fails");
    assert!(error.to_string().contains("no more"), "{error}");
}

#[tokio::test]
async fn a_body_works_for_its_request() {
    let streams = RunningApp::<Streams>::start().await;
    let mut request = get("/id");
    request.extensions_mut().insert(Context::new("r7"));
    let body = streams.send(request).await.into_body();
    assert_eq!(body.bytes().await.expect("three chunks"), "r7r7r7");
}
