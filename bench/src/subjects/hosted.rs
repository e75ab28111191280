//! An actix-web application on `anyhost-server`.

use actix_web::{App, web};
use anyhost_actix::{Actix, Application, BoxedApp};
use anyhost_core::{Error, Host, async_trait};

use super::{HELLO, ours};

struct Subject;

#[async_trait]
impl Application for Subject {
    async fn start(_: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    fn app(&self) -> BoxedApp {
        App::new()
            .route("/hello", web::get().to(async || HELLO))
            .route("/hello/{own}", web::get().to(async || HELLO))
            .into()
    }
}

pub(super) fn serve() -> Result<(), String> {
    ours::serve_app::<Actix<Subject>>(None)
}
