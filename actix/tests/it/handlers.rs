//! What actix-web's users write works unchanged: extractors, data, scopes, guards, middleware, error handlers.

use actix_web::dev::Service;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{
    DefaultHeaders, ErrorHandlerResponse, ErrorHandlers, Logger, NormalizePath,
};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, guard, web};
use anyhost_core::Context;
use serde::{Deserialize, Serialize};

use crate::{RunningApp, application, get, post, text, with};

#[derive(Deserialize, Serialize)]
struct Order {
    item: String,
    count: u32,
}

application!(Shop, {
    App::new()
        .wrap(ErrorHandlers::new().handler(actix_web::http::StatusCode::CONFLICT, |response| {
            Ok(ErrorHandlerResponse::Response(
                response
                    .map_body(|head, _| {
                        head.headers_mut().insert(
                            HeaderName::from_static("x-handled"),
                            HeaderValue::from_static("1"),
                        );
                        actix_web::body::BoxBody::new("handled")
                    })
                    .map_into_right_body(),
            ))
        }))
        .wrap(DefaultHeaders::new().add(("x-everywhere", "1")))
        .wrap(Logger::default())
        .wrap(NormalizePath::trim())
        .wrap_fn(|request, service| {
            request.extensions_mut().insert(7_u8);
            service.call(request)
        })
        .app_data(web::Data::new(String::from("shared")))
        .service(
            web::scope("/orders")
                .route("/{item}/{count}", web::get().to(path))
                .route("", web::post().guard(guard::Header("x-really", "yes")).to(order))
                .route("", web::get().to(query)),
        )
        .route("/form", web::post().to(form))
        .route("/data", web::get().to(data))
        .route("/id", web::get().to(id))
        .route("/conflict", web::get().to(HttpResponse::Conflict))
});

async fn path(path: web::Path<(String, u32)>) -> web::Json<Order> {
    let (item, count) = path.into_inner();
    web::Json(Order { item, count })
}

async fn order(order: web::Json<Order>) -> HttpResponse {
    HttpResponse::Created().json(order)
}

async fn query(order: web::Query<Order>) -> web::Json<Order> {
    web::Json(order.into_inner())
}

async fn form(order: web::Form<Order>) -> web::Json<Order> {
    web::Json(order.into_inner())
}

async fn data(data: web::Data<String>, number: web::ReqData<u8>) -> String {
    format!("{} {}", data.as_str(), *number)
}

async fn id(context: web::ReqData<Context>, request: HttpRequest) -> String {
    let current = Context::current().expect("the handler works for a request");
    assert_eq!(current.request_id(), context.request_id());
    assert!(request.extensions().get::<Context>().is_some());
    context.request_id().to_owned()
}

const BOOK: &str = r#"{"item":"book","count":2}"#;

#[tokio::test]
async fn extractors_scopes_and_guards_work() {
    let shop = RunningApp::<Shop>::start().await;
    assert_eq!(text(shop.get("/orders/book/2").await).await, BOOK);
    assert_eq!(text(shop.get("/orders?item=book&count=2").await).await, BOOK);
    let form = post("/form", "application/x-www-form-urlencoded", "item=book&count=2");
    assert_eq!(text(shop.send(form).await).await, BOOK);
    assert_eq!(shop.get("/orders/book/many").await.status(), 404);
    assert_eq!(shop.get("/orders?item=book").await.status(), 400);

    let order = || post("/orders", "application/json", BOOK);
    assert_eq!(shop.send(order()).await.status(), 404, "the guard is not satisfied");
    let created = shop.send(with(order(), "x-really", "yes")).await;
    assert_eq!((created.status().as_u16(), text(created).await), (201, BOOK.into()));
}

#[tokio::test]
async fn middleware_stands_around_the_whole() {
    let shop = RunningApp::<Shop>::start().await;
    assert_eq!(text(shop.get("/data/").await).await, "shared 7");
    for target in ["/data", "/nothing", "/conflict"] {
        assert_eq!(shop.get(target).await.headers()["x-everywhere"], "1", "{target}");
    }
    let handled = shop.get("/conflict").await;
    assert_eq!(
        (handled.headers()["x-handled"].clone(), text(handled).await),
        (http::HeaderValue::from_static("1"), "handled".into())
    );
}

#[tokio::test]
async fn a_handler_has_the_context_of_its_request() {
    let shop = RunningApp::<Shop>::start().await;
    let mut request = get("/id");
    request.extensions_mut().insert(Context::new("request-7"));
    let response = shop.send(request).await;
    assert_eq!(response.headers()["x-request-id"], "request-7");
    assert_eq!(text(response).await, "request-7");
}
