#![doc = include_str!("../README.md")]

mod adapter;
mod environment;
#[cfg(feature = "axum")]
mod routes;

use std::process::ExitCode;

use anyhost_core::adapter::{Handler, ServiceHandler, conclude};

pub use anyhost_core::adapter::{Factory, Verb};
#[cfg(feature = "db")]
pub use anyhost_core::db;
pub use anyhost_core::{
    App, AppService, Body, BodyError, ByteSize, ConfigError, Context, Error, Host, InFlight,
    JobOutput, Lifecycle, Paradigm, Phase, Request, Resources, Response, Scheme, Setting, Settings,
    async_trait, call_service,
};

#[cfg(feature = "axum")]
pub use routes::name_routes;

use adapter::Adapter;

/// Runs an App on the host that this process finds itself on: everything that a `main` function does.
///
/// The first word of the command line is a verb: `serve` (the default), `migrate` or `check`. Everything else is read
/// from the environment. If the process cannot serve, one line on stderr says why, and the exit code tells the phase.
///
/// The adapter is AWS Lambda's if `AWS_LAMBDA_RUNTIME_API` is set, the one for a VM if systemd started this process,
/// and the one for a PaaS otherwise. `ANYHOST_ADAPTER` (`paas`, `vm` or `lambda`) overrides that, and `check` prints it.
#[must_use = "return the exit code from `main`"]
pub fn run<A: App>() -> ExitCode {
    launch(Factory::<A>::app())
}

/// Runs a `tower::Service`, such as an axum `Router`, as [`run`] runs an App. `start` makes the service, once per process
/// and before the first request.
///
/// ```no_run
/// use anyhost::Host;
/// use axum::{Router, routing::get};
///
/// fn main() -> std::process::ExitCode {
///     anyhost::serve(async |_: &Host| Ok(Router::new().route("/", get(async || "hello"))))
/// }
/// ```
///
/// The service has no `migrate` verb: a program that migrates a database implements [`App`].
#[must_use = "return the exit code from `main`"]
pub fn serve<F, S>(start: F) -> ExitCode
where
    F: AsyncFnOnce(&Host) -> Result<S, Error> + Send + 'static,
    ServiceHandler<S>: Handler,
{
    #[cfg(feature = "axum")]
    let start = async move |host: &Host| start(host).await.map(routes::name_routes_of);
    launch(Factory::service(start))
}

/// Runs what a factory makes, as [`run`] and [`serve`] do: for a program with a command line or a configuration of its
/// own, which hands over what it has read.
///
/// ```no_run
/// use anyhost::{Factory, Host, Verb};
/// use axum::{Router, routing::get};
///
/// fn main() -> std::process::ExitCode {
///     let greeting = std::env::args().nth(1).unwrap_or_else(|| "hello".into());
///     let factory = Factory::service(async move |_: &Host| {
///         Ok(Router::new().route("/", get(async move || greeting)))
///     });
///     anyhost::launch(factory.verb(Verb::Serve))
/// }
/// ```
#[must_use = "return the exit code from `main`"]
pub fn launch<H: Handler>(factory: Factory<H>) -> ExitCode {
    let choice = match adapter::choose(&environment::settings(), std::process::id()) {
        Ok(choice) => choice,
        Err(error) => return conclude(Err(error.into())),
    };
    let factory = factory.adapter(choice.to_string());
    match choice.adapter {
        #[cfg(feature = "paas")]
        Adapter::Paas => anyhost_paas::launch(factory),
        #[cfg(feature = "vm")]
        Adapter::Vm => anyhost_vm::launch(factory),
        #[cfg(feature = "lambda")]
        Adapter::Lambda => anyhost_lambda::launch(factory),
        #[cfg(not(all(feature = "paas", feature = "vm", feature = "lambda")))]
        _ => {
            let _ = factory;
            conclude(Err(choice.not_built().into()))
        }
    }
}
