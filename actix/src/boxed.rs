//! An actix-web application without its type, and its services once they run on a thread.

use std::cell::OnceCell;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{
    AppConfig, Extensions, Service as _, ServiceFactory, ServiceRequest, ServiceResponse,
};
use actix_web::web::{Data, FormConfig, JsonConfig, PayloadConfig};
use actix_web::{App, HttpResponse};
use anyhost_core::{Context, Error};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use crate::caller;

type StartFuture = LocalBoxFuture<'static, Result<Service, Error>>;

/// The call of the application's services for one request.
pub(crate) type HandlerFuture = LocalBoxFuture<'static, HttpResponse<BoxBody>>;

/// An `actix_web::App` whatever middleware it is wrapped in: made by `.into()`.
pub struct BoxedApp(Box<dyn FnOnce(usize) -> StartFuture>);

impl BoxedApp {
    /// Starts the application's services on the current thread, with the host's limit on bodies in bytes.
    pub(crate) async fn start(self, max_body: usize) -> Result<Service, Error> {
        self.0(max_body).await
    }
}

impl<T, B> From<App<T>> for BoxedApp
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    T::Service: 'static,
    T::Future: 'static,
    B: MessageBody + 'static,
{
    fn from(app: App<T>) -> Self {
        Self(Box::new(move |max_body| start(app, max_body).boxed_local()))
    }
}

impl fmt::Debug for BoxedApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxedApp")
    }
}

/// The application's services on one thread; a clone is the same services.
#[derive(Clone)]
pub(crate) struct Service(Rc<dyn Fn(Request) -> HandlerFuture>);

impl Service {
    /// Answers a request. An error of the application is turned into its own response.
    pub(crate) fn call(&self, request: Request) -> HandlerFuture {
        self.0(request)
    }
}

async fn start<T, B>(app: App<T>, max_body: usize) -> Result<Service, Error>
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    T::Service: 'static,
    T::Future: 'static,
    B: MessageBody + 'static,
{
    let limits = OnceCell::new();
    let limits = Rc::new(limits);
    let app = app.wrap_fn(move |mut request, service| {
        caller::believe_the_host(&mut request);
        let limits = Rc::clone(limits.get_or_init(|| Rc::new(missing_limits(&request, max_body))));
        request.add_data_container(limits);
        service.call(request)
    });
    let service = app.into_factory().new_service(AppConfig::default()).await;
    let service = service.map_err(|()| {
        Error::internal(
            "the application's services could not be built; a line of actix-web's log says why",
        )
    })?;
    let service = Rc::new(service);
    Ok(Service(Rc::new(move |request| {
        let service = Rc::clone(&service);
        Box::pin(async move {
            let ready = poll_fn(|cx| service.poll_ready(cx)).await;
            let outcome = match ready {
                Ok(()) => service.call(request).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(response) => {
                    say_route(&response);
                    response.into_parts().1.map_into_boxed_body()
                }
                Err(error) => HttpResponse::from_error(error),
            }
        })
    })))
}

/// Tells the host the pattern of the resource that answered.
fn say_route<B>(response: &ServiceResponse<B>) {
    if let Some(context) = Context::current()
        && context.wants_route()
        && let Some(pattern) = response.request().match_pattern()
    {
        context.set_route(&pattern);
    }
}

/// The host's limit for the extractors of whole bodies for which the application has set none: their own
/// defaults differ from each other and from the host's.
fn missing_limits(request: &ServiceRequest, max_body: usize) -> Extensions {
    fn is_set<C: 'static>(request: &ServiceRequest) -> bool {
        request.app_data::<C>().is_some() || request.app_data::<Data<C>>().is_some()
    }
    let mut limits = Extensions::new();
    if !is_set::<PayloadConfig>(request) {
        limits.insert(PayloadConfig::new(max_body));
    }
    if !is_set::<JsonConfig>(request) {
        limits.insert(JsonConfig::default().limit(max_body));
    }
    if !is_set::<FormConfig>(request) {
        limits.insert(FormConfig::default().limit(max_body));
    }
    limits
}
