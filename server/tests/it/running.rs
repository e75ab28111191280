//! A server in this process, on a free port, stopped by hand.

use std::net::SocketAddr;
use std::time::Duration;

use anyhost_core::adapter::Failure;
use anyhost_core::{Host, Paradigm, Settings};
use anyhost_server::{Config, Drained, Server, bind_tcp};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::subject::Subject;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) host: Host,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<Drained, Failure>>,
}

impl Running {
    /// A server with these settings, ready to be asked.
    pub(crate) async fn with(pairs: &[(&str, &str)]) -> Self {
        let running = Self::starting(pairs);
        running.host.lifecycle().wait_for(anyhost_core::Phase::Ready).await;
        running
    }

    /// A server with these settings, whose App may not have started.
    pub(crate) fn starting(pairs: &[(&str, &str)]) -> Self {
        let settings = Settings::from_pairs(pairs.iter().copied());
        let config = Config { workers: Some(2), ..Config::default() };
        let config = config.with(&settings).expect("a configuration");
        let grace = settings.get("SHUTDOWN_GRACE").expect("a duration");
        let host = Host::builder(Paradigm::LongRunning, "test")
            .grace(grace.unwrap_or(Duration::from_secs(10)))
            .settings(settings)
            .build()
            .expect("a host");
        let listener = bind_tcp(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = listener.tcp_address().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(host.clone(), config).listen(listener);
        let server = tokio::spawn(server.run::<Subject>(async {
            let _ = stopped.await;
        }));
        Self { address, host, stop: Some(stop), server }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Says stop and does not wait.
    pub(crate) fn say_stop(&mut self) {
        let _ = self.stop.take().expect("stopped once").send(());
    }

    /// Waits for the end.
    pub(crate) async fn end(self) -> Drained {
        self.server.await.expect("the server does not panic").expect("the App starts")
    }

    pub(crate) async fn stop(mut self) -> Drained {
        self.say_stop();
        self.end().await
    }
}
