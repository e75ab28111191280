//! A factory: the value from which an adapter makes the handler of a process.

use std::ffi::OsString;
use std::fmt;
use std::pin::Pin;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::{App, Error, Failure, Handler, Host, ServiceHandler, Verb};

type Step<T> = Box<dyn FnOnce(Host) -> Outcome<T> + Send>;
type Outcome<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Starts the [`Handler`] of a process, and migrates its database: an adapter needs one for each program.
#[must_use = "a factory does nothing until a host starts it"]
pub struct Factory<H> {
    start: Step<H>,
    migrate: Step<()>,
    adapter: Option<String>,
    verb: Option<Verb>,
}

impl<A: App> Factory<A> {
    /// The factory of an App: [`App::start`] and [`App::migrate`].
    pub fn app() -> Self {
        Self {
            start: Box::new(|host| Box::pin(async move { A::start(&host).await })),
            migrate: Box::new(|host| Box::pin(async move { A::migrate(&host).await })),
            adapter: None,
            verb: None,
        }
    }

    /// The factory of an App that is started by `start` instead of [`App::start`]: for what `main` knows, such as the
    /// options of a command line. The verb `migrate` is [`App::migrate`] all the same.
    ///
    /// The future of `start` need not be `Send`: it runs on a thread of its own.
    pub fn app_with<F>(start: F) -> Self
    where
        F: AsyncFnOnce(&Host) -> Result<A, Error> + Send + 'static,
    {
        Self {
            start: Box::new(|host| Box::pin(on_a_thread(start, host, |app| app))),
            ..Self::app()
        }
    }
}

impl<S> Factory<ServiceHandler<S>>
where
    ServiceHandler<S>: Handler,
{
    /// The factory of a `tower::Service`, such as an axum `Router`. It has no migrations.
    ///
    /// The future of `start` need not be `Send`: it runs on a thread of its own.
    pub fn service<F>(start: F) -> Self
    where
        F: AsyncFnOnce(&Host) -> Result<S, Error> + Send + 'static,
    {
        Self {
            start: Box::new(|host| Box::pin(on_a_thread(start, host, ServiceHandler))),
            migrate: Box::new(|_| {
                tracing::info!("this program has no migrations: nothing was done");
                Box::pin(async { Ok(()) })
            }),
            adapter: None,
            verb: None,
        }
    }
}

/// Runs `start` on a thread of its own, and ends it if this future is dropped.
async fn on_a_thread<S, H, F>(start: F, host: Host, wrap: fn(S) -> H) -> Result<H, Error>
where
    S: 'static,
    H: Handler,
    F: AsyncFnOnce(&Host) -> Result<S, Error> + Send + 'static,
{
    let (_wanted, dropped) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let thread = spawn_blocking(move || {
        runtime.block_on(async {
            tokio::select! {
                outcome = start(&host) => outcome.map(wrap),
                _ = dropped => Err(Error::internal("the start was cancelled")),
            }
        })
    });
    match thread.await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(error.into()),
        },
    }
}

impl<H: Handler> Factory<H> {
    /// The factory of a handler that has started already: for a test that puts several doors before one App. It has no
    /// migrations.
    pub fn started(handler: H) -> Self {
        Self {
            start: Box::new(|_| Box::pin(async { Ok(handler) })),
            migrate: Box::new(|_| Box::pin(async { Ok(()) })),
            adapter: None,
            verb: None,
        }
    }

    /// Says which adapter runs this program and why, for the report of the `check` verb.
    pub fn adapter(mut self, reason: impl Into<String>) -> Self {
        self.adapter = Some(reason.into());
        self
    }

    /// Does this, whatever the command line says: for a program that has read its command line itself.
    pub fn verb(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// What to do: the verb that the program has [set](Self::verb), else the one of this command line.
    ///
    /// # Errors
    /// As [`Verb::parse`].
    pub fn verb_of(&self, words: impl IntoIterator<Item = OsString>) -> Result<Verb, Failure> {
        self.verb.map_or_else(|| Verb::parse(words), Ok)
    }

    /// Which adapter runs this program and why, if it was chosen at the start.
    pub(crate) fn chosen_adapter(&self) -> Option<&str> {
        self.adapter.as_deref()
    }

    /// Starts the handler. It begins nothing before it is polled.
    pub(crate) async fn start(self, host: &Host) -> Result<H, Error> {
        (self.start)(host.clone()).await
    }

    /// Migrates the database. It begins nothing before it is polled.
    pub(crate) async fn migrate(self, host: &Host) -> Result<(), Error> {
        (self.migrate)(host.clone()).await
    }
}

impl<H> fmt::Debug for Factory<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factory").field("adapter", &self.adapter).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    use axum::Router;
    use axum::routing::get;

    use super::*;
    use crate::{Body, Exit, Paradigm, answer, check, migrate, start};

    fn host() -> Host {
        Host::builder(Paradigm::LongRunning, "test").build().expect("no settings")
    }

    #[tokio::test]
    async fn a_closure_that_borrows_the_host_makes_a_service() {
        let word = String::from("hello"); // parsed in `main`, for instance
        let factory = Factory::service(async move |host: &Host| {
            let not_send = Rc::new(());
            tokio::task::yield_now().await;
            let platform = host.platform().to_owned();
            drop(not_send);
            Ok(Router::new().route("/", get(async move || format!("{word} from {platform}"))))
        });
        let handler = start(factory, &host()).await.expect("starts");
        let response = answer(&handler, 1024, &mut http::Request::new(Body::empty())).await;
        let body = response.into_body().bytes().await.expect("buffered");
        assert_eq!(body, "hello from test");
    }

    #[tokio::test]
    async fn an_app_is_started_with_what_main_knows() {
        struct Word(String);
        #[crate::async_trait]
        impl App for Word {
            async fn start(_host: &Host) -> Result<Self, Error> {
                Err(crate::ConfigError::new("WORD", "is not set").into())
            }
            async fn call(&self, _request: crate::Request) -> Result<crate::Response, Error> {
                Ok(http::Response::new(Body::from(self.0.clone())))
            }
        }
        let word = String::from("from the command line");
        let factory =
            Factory::app_with(async move |_: &Host| Ok(Word(word))).verb(crate::Verb::Serve);
        let words = ["program", "--word", "x"].map(OsString::from);
        assert_eq!(factory.verb_of(words).expect("a verb"), crate::Verb::Serve);
        let app = start(factory, &host()).await.expect("starts");
        let response = answer(&app, 1024, &mut http::Request::new(Body::empty())).await;
        let body = response.into_body().bytes().await.expect("buffered");
        assert_eq!(body, "from the command line");
    }

    #[tokio::test]
    async fn a_panic_and_an_error_of_the_closure_fail_the_start() {
        let failing = Factory::service(async |_: &Host| -> Result<Router, Error> {
            Err(crate::ConfigError::new("COLOUR", "is not set").into())
        });
        let failure = start(failing, &host()).await.expect_err("an error");
        assert_eq!(
            (failure.exit(), failure.to_string()),
            (Exit::Config, "COLOUR: is not set".into())
        );
        let panicking = Factory::service(async |_: &Host| -> Result<Router, Error> {
            panic!("on purpose");
        });
        assert_eq!(start(panicking, &host()).await.expect_err("a panic").exit(), Exit::Start);
    }

    #[tokio::test]
    async fn a_start_that_is_dropped_ends() {
        let held = Arc::new(());
        let witness = Arc::downgrade(&held);
        let factory = Factory::service(async move |_: &Host| -> Result<Router, Error> {
            let _held = held;
            std::future::pending().await
        });
        let host = host();
        let begun = tokio::time::timeout(Duration::from_millis(50), start(factory, &host)).await;
        assert!(begun.is_err());
        tokio::time::timeout(Duration::from_secs(60), async {
            while witness.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("what the start held is released");
    }

    #[tokio::test]
    async fn a_service_has_no_migrations_and_check_names_the_adapter() {
        let factory = || Factory::service(async |_: &Host| Ok(Router::new()));
        migrate(factory(), &host()).await.expect("nothing to do");
        let report = check(factory().adapter("vm (ANYHOST_ADAPTER)"), &host()).await;
        let report = report.expect("starts");
        assert!(report.starts_with("adapter:    vm (ANYHOST_ADAPTER)\n"), "{report}");
    }
}
