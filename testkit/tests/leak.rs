//! A connection that an App does not give back is found when it stops.

use std::sync::Mutex;

use anyhost_core::db::{Conn, Db};
use anyhost_core::{App, Body, Error, Host, Request, Response, async_trait};
use anyhost_test::TestHost;
use sqlx::Sqlite;

struct Leaky(Db<Sqlite>, Mutex<Vec<Conn<Sqlite>>>);

#[async_trait]
impl App for Leaky {
    async fn start(host: &Host) -> Result<Self, Error> {
        Ok(Self(Db::open(host).await?, Mutex::default()))
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        let mut conn = self.0.conn().await?;
        let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&mut *conn).await?;
        if request.uri().path() == "/leak" {
            self.1.lock().map_err(|_| Error::internal("poisoned"))?.push(conn);
        }
        Ok(Response::new(Body::from(one.to_string())))
    }
}

#[tokio::test]
async fn a_connection_that_is_not_given_back_is_found_with_its_place() {
    for host in [TestHost::long_running(), TestHost::serverless()] {
        let host = host.grace(std::time::Duration::from_secs(2)).sqlite();
        for (path, leaks) in [("/fine", 0), ("/leak", 1)] {
            let app = host.start::<Leaky>().await;
            assert_eq!(app.get(path).await.expect(200).text(), "1");
            let report = app.stop().await;
            assert_eq!(report.held.len(), leaks, "{path}: {report}");
            for pool in &report.held {
                assert!(pool.places[0].contains("leak.rs"), "{report}");
            }
        }
    }
}
