//! An application that cannot be built does not start, and says why.

use actix_web::{App, web};
use anyhost_actix::{Actix, Application, BoxedApp};
use anyhost_core::{App as _, Error, Host, async_trait};
use http::StatusCode;

use crate::{application, host, in_time};

application!(NoData, {
    App::new()
        .data_factory(async || Err::<u8, _>(std::io::Error::other("no data")))
        .route("/", web::get().to(async || ""))
});

application!(Panics, if true { panic!("on purpose") } else { App::new() });

struct NoStart;

#[async_trait]
impl Application for NoStart {
    async fn start(_host: &Host) -> Result<Self, Error> {
        Err(Error::new(StatusCode::NOT_IMPLEMENTED, "not today"))
    }

    fn app(&self) -> BoxedApp {
        App::new().into()
    }
}

async fn why<A: Application>() -> String {
    let outcome = in_time(Actix::<A>::start(&host(2, &[]))).await;
    outcome.err().expect("it does not start").to_string()
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_start_is_an_error() {
    assert!(why::<NoData>().await.contains("could not be built"));
    assert!(why::<Panics>().await.contains("could not build the application"));
    assert_eq!(why::<NoStart>().await, "not today");
}
