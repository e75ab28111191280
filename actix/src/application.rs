//! The trait a user implements.

use anyhost_core::{Error, Host, async_trait};

use crate::BoxedApp;

/// An actix-web application that does not know what runs it.
///
/// [`Actix`](crate::Actix) makes it an App: `anyhost_paas::run::<Actix<Shop>>()`.
///
/// ```
/// use actix_web::{App, HttpResponse, web};
/// use anyhost_actix::{Application, BoxedApp};
/// use anyhost_core::{Error, Host, async_trait};
///
/// struct Shop {
///     currency: String,
/// }
///
/// #[async_trait]
/// impl Application for Shop {
///     async fn start(host: &Host) -> Result<Self, Error> {
///         Ok(Shop { currency: host.settings().text("CURRENCY").unwrap_or("EUR").to_owned() })
///     }
///
///     fn app(&self) -> BoxedApp {
///         App::new()
///             .app_data(web::Data::new(self.currency.clone()))
///             .route("/currency", web::get().to(currency))
///             .into()
///     }
/// }
///
/// async fn currency(currency: web::Data<String>) -> HttpResponse {
///     HttpResponse::Ok().body(currency.to_string())
/// }
/// ```
#[async_trait]
pub trait Application: Send + Sync + Sized + 'static {
    /// Runs once per process, before the first request: opens the database, reads settings.
    ///
    /// # Errors
    /// An error ends the process, as it does for [`App::start`](anyhost_core::App::start).
    async fn start(host: &Host) -> Result<Self, Error>;

    /// Builds the application: what an `HttpServer::new` closure returns, and `.into()`.
    ///
    /// It is called on every thread that serves, so that the services need not be `Send`. State that all
    /// threads share belongs into `self`, for instance a `web::Data` that `start` has made.
    fn app(&self) -> BoxedApp;

    /// Brings the database schema up to date; run by the `migrate` verb, never by a request. By default it does
    /// nothing, and says so in the log.
    ///
    /// # Errors
    /// An error ends the process, as it does for [`App::migrate`](anyhost_core::App::migrate).
    async fn migrate(_host: &Host) -> Result<(), Error> {
        tracing::info!("this App has no migrations: nothing was done");
        Ok(())
    }

    /// Releases what `start` acquired; bounded by the host's grace.
    async fn stop(&self) {}
}
