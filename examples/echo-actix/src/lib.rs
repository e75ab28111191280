//! Echo once more, as an actix-web application.
//!
//! `/r/<shape>` answers one of the shapes of `shapes.rs`; every other request is answered with what the
//! handler saw of it, as JSON: what `seen.rs` says.
//!
//! ```text
//! cargo run -p echo-actix --bin echo-actix-paas
//! curl -i 'localhost:8080/any/path?a=1&a=2' -d body
//! curl -i localhost:8080/r/twocookies
//! ```

mod seen;
mod shapes;

use actix_web::{App, web};
use anyhost_actix::{Application, BoxedApp};
use anyhost_core::{Error, Host, async_trait};

/// The application: it holds nothing, because what it answers depends on the request alone.
#[derive(Debug)]
pub struct Echo;

#[async_trait]
impl Application for Echo {
    async fn start(_host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    fn app(&self) -> BoxedApp {
        App::new()
            .route("/r/{shape:.*}", web::to(shapes::shape))
            .default_service(web::to(seen::seen))
            .into()
    }
}
