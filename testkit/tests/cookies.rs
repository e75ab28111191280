//! A client that keeps cookies is for tests of a login.

use anyhost_core::{App, Body, Error, Host, Request, Response, async_trait};
use anyhost_test::{DoorKind, TestHost};

/// Answers with the cookies of the request, and sets or deletes two.
struct Login;

#[async_trait]
impl App for Login {
    async fn start(_: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        let came = request.headers().get("cookie").map_or(&b""[..], |value| value.as_bytes());
        let mut response = Response::new(Body::from(came.to_vec()));
        let set = match request.uri().path() {
            "/login" => &["user=ferris; HttpOnly; Path=/", "flash=hello"][..],
            "/read" => &["flash=; Path=/; Max-Age=0"][..],
            _ => &[],
        };
        for cookie in set {
            response.headers_mut().append("set-cookie", cookie.parse()?);
        }
        Ok(response)
    }
}

#[tokio::test]
async fn a_client_sends_back_the_cookies_that_it_was_given() {
    for (host, door) in [
        (TestHost::long_running(), DoorKind::Http1),
        (TestHost::long_running(), DoorKind::Http2),
        (TestHost::serverless(), DoorKind::HttpV2),
        (TestHost::serverless(), DoorKind::AlbMulti),
    ] {
        let app = host.start::<Login>().await;
        let browser = app.through(door).with_cookies();
        assert_eq!(browser.get("/login").await.expect(200).text(), "", "{door}");
        assert_eq!(browser.get("/read").await.text(), "flash=hello; user=ferris", "{door}");
        assert_eq!(browser.get("/").await.text(), "user=ferris", "{door}");
        assert_eq!(app.through(door).get("/").await.text(), "", "{door}: another client");
        app.stop().await.assert_clean();
    }
}
