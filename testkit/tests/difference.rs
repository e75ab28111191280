//! A difference that was planted between two doors is found.

use anyhost_core::{App, Body, Context, Error, Host, Request, Response, async_trait};
use anyhost_test::{Conformance, DoorKind, conformance, get};

struct HostDependent;

#[async_trait]
impl App for HostDependent {
    async fn start(_host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        // A planted fault: the answer depends on the host.
        let event = Context::get(&request).and_then(Context::event);
        let planted = request.uri().path() == "/cart" && event.is_some();
        Ok(Response::new(Body::from(if planted { "a function" } else { "a shop" })))
    }
}

#[tokio::test]
async fn a_planted_difference_is_found_and_shown() {
    let differences =
        Conformance::new([get("/"), get("/cart")]).differences::<HostDependent>().await;
    assert_eq!(differences.len(), 7, "each source of events: {differences:?}");
    let shown = differences[0].to_string();
    for part in ["GET /cart", "direct", "lambda_rest_v1", "-a shop", "+a function"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[tokio::test]
async fn answers_that_agree_and_differences_with_a_reason_pass() {
    conformance!(HostDependent, [get("/"), get("/a%20b?q=1")]).await;
    let events = DoorKind::ALL.into_iter().filter(|door| door.source().is_some());
    let excepting = |all: Conformance, door| all.except(door, "/cart", "planted by this test");
    events.fold(Conformance::new([get("/cart")]), excepting).check::<HostDependent>().await;
}
