//! The kit's hosts behave as real hosts do: doors, freezes, stops, limits.

use std::time::Duration;

use anyhost_core::adapter::HostHandles as _;
use anyhost_core::db::Db;
use anyhost_core::{App, Body, Context, Error, Host, Paradigm, Request, Response, async_trait};
use anyhost_test::servers::Postgres;
use anyhost_test::{DoorKind, Ending, TestHost, get, post};
use futures_util::{StreamExt, stream};
use serde_json::json;
use sqlx::Sqlite;

struct Shop(Db<Sqlite>);

#[async_trait]
impl App for Shop {
    async fn start(host: &Host) -> Result<Self, Error> {
        host.need_body(7 << 20);
        host.settings().require::<u16>("PAGE_SIZE")?;
        Ok(Self(Db::open(host).await?))
    }

    async fn call(&self, request: Request) -> Result<Response, Error> {
        let context = Context::current().ok_or_else(|| Error::internal("no context"))?;
        match request.uri().path() {
            "/one" => {
                let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&self.0).await?;
                Ok(Response::new(Body::from(json!({ "one": one }).to_string())))
            }
            "/length" => {
                let body = request.into_body().bytes().await?;
                Ok(Response::new(Body::from(body.len().to_string())))
            }
            "/ticks" => {
                let endless = stream::repeat(()).then(|()| async {
                    // Time passes: an endless stream must not keep a processor busy.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Ok::<_, std::io::Error>("tick\n")
                });
                let draining = Box::pin(async move { context.draining().await });
                Ok(Response::new(Body::stream(endless.take_until(draining))))
            }
            _ => std::future::pending().await,
        }
    }
}

fn shop(host: TestHost) -> TestHost {
    host.setting("PAGE_SIZE", 10).sqlite()
}

#[tokio::test]
async fn every_door_leads_to_the_same_app() {
    for paradigm in [Paradigm::LongRunning, Paradigm::Serverless] {
        let host = match paradigm {
            Paradigm::LongRunning => TestHost::long_running(),
            Paradigm::Serverless => TestHost::serverless(),
        };
        let app = shop(host).start::<Shop>().await;
        let own = |door: &DoorKind| door.paradigm() == paradigm || *door == DoorKind::Direct;
        for door in DoorKind::ALL.into_iter().filter(own) {
            app.through(door).get("/one").await.expect_json(200, &json!({"one": 1}));
        }
        let stats = app.host().databases().stats();
        assert_eq!(stats[0].created, 1, "one pool behind all of them: {stats:?}");
        app.stop().await.assert_clean();
    }
}

#[tokio::test]
async fn a_start_that_fails_says_what_an_operator_reads() {
    let failure = TestHost::serverless().sqlite().try_start::<Shop>().await.map(drop);
    let failure = failure.expect_err("PAGE_SIZE is missing");
    assert_eq!(failure.exit().code(), 78);
    assert!(failure.to_string().starts_with("PAGE_SIZE: is not set"), "{failure}");
}

#[tokio::test]
async fn a_connection_is_pinged_after_a_freeze_and_not_between_two_requests() {
    let app = shop(TestHost::serverless()).start::<Shop>().await;
    let pings = || app.host().databases().stats()[0].pings;
    app.get("/one").await.expect(200);
    let before = pings();
    app.freeze(Duration::from_secs(3600)).await;
    app.get("/one").await.expect(200);
    assert_eq!(pings(), before + 1);
    app.stop().await.assert_clean();
}

#[tokio::test]
#[should_panic(expected = "a long-running host is never frozen")]
async fn a_long_running_host_is_not_frozen() {
    let app = shop(TestHost::long_running()).start::<Shop>().await;
    app.freeze(Duration::from_secs(1)).await;
}

#[tokio::test]
#[should_panic(expected = "TestHost::serverless()")]
async fn a_door_of_functions_leads_to_no_server() {
    let app = shop(TestHost::long_running()).start::<Shop>().await;
    let _ = app.through(DoorKind::HttpV2);
}

#[tokio::test]
async fn a_request_that_does_not_end_is_reported() {
    let host = shop(TestHost::long_running()).grace(Duration::from_secs(2));
    let app = host.start::<Shop>().await;
    let client = app.through(DoorKind::Http1);
    let asking = tokio::spawn(async move { client.try_send(get("/never")).await });
    while app.host().lifecycle().in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    let report = app.stop().await;
    assert_eq!(report.unfinished, 1, "{report}");
    assert!(asking.await.expect("no panic").is_err(), "the client is cut off");
}

#[tokio::test]
async fn an_endless_stream_ends_when_the_drain_begins() {
    let app = shop(TestHost::long_running()).grace(Duration::from_secs(60)).start::<Shop>().await;
    let client = app.through(DoorKind::Http1);
    let asking = tokio::spawn(async move { client.get("/ticks").await });
    while app.host().lifecycle().in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    app.stop().await.assert_clean();
    let response = asking.await.expect("no panic").expect(200);
    assert_eq!(response.ending, Ending::Whole);
}

#[tokio::test]
async fn an_app_raises_the_limit_of_bodies_and_the_operator_has_the_last_word() {
    let large = || post("/length", vec![b'x'; 7 << 20]);
    let app = shop(TestHost::long_running()).start::<Shop>().await;
    assert_eq!(app.send(large()).await.expect(200).text(), (7 << 20).to_string());
    app.stop().await.assert_clean();
    let host = shop(TestHost::long_running()).setting("MAX_BODY", "1M");
    let app = host.start::<Shop>().await;
    let problem = app.send(large()).await.problem(413);
    assert_eq!(problem["limit"], 1 << 20);
    assert!(problem["detail"].to_string().contains("MAX_BODY"), "{problem}");
    app.stop().await.assert_clean();
}

#[tokio::test]
async fn a_background_job_runs_beside_requests_and_ends_with_the_drain() {
    struct Worker(std::sync::Arc<()>);

    #[async_trait]
    impl App for Worker {
        async fn start(host: &Host) -> Result<Self, Error> {
            let held = std::sync::Arc::new(());
            let job = std::sync::Arc::clone(&held);
            host.spawn("worker", async move {
                let _job = job;
                std::future::pending::<()>().await;
            });
            Ok(Self(held))
        }

        async fn call(&self, _: Request) -> Result<Response, Error> {
            let jobs = std::sync::Arc::strong_count(&self.0) - 1;
            Ok(Response::new(Body::from(jobs.to_string())))
        }
    }

    let app = TestHost::long_running().start::<Worker>().await;
    assert_eq!(app.get("/").await.expect(200).text(), "1");
    app.stop().await.assert_clean();
    let app = TestHost::serverless().start::<Worker>().await;
    assert_eq!(app.get("/").await.expect(200).text(), "0");
    app.stop().await.assert_clean();
}

#[tokio::test]
async fn a_throwaway_database_of_postgresql_is_empty_and_ones_own() {
    if !Postgres::is_installed() {
        println!("skipped: PostgreSQL is not installed");
        return;
    }
    let [one, other] = [(); 2].map(|()| Postgres::shared().database());
    assert_ne!(one, other);
}
