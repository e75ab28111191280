//! The functions that a program's `main` calls, the same for each adapter.

/// Defines the three functions of an adapter's crate that a `main` function calls, `run`, `serve` and `launch`.
///
/// `$host` is what the documentation says after "Runs an App on". `$outcome` is a function from a
/// [`Factory`](crate::adapter::Factory) to a `Result<Exit, Failure>`.
///
/// ```
/// use anyhost_core::adapter::{Exit, Factory, Failure, Handler, entry_points};
///
/// fn outcome<H: Handler>(_factory: Factory<H>) -> Result<Exit, Failure> {
///     Ok(Exit::Done)
/// }
///
/// entry_points!("a platform of your own", outcome);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! entry_points {
    ($host:literal, $outcome:path) => {
        #[doc = ::std::concat!("Runs an App on ", $host, ": everything that a `main` function does.")]
        ///
        /// The first word of the command line is a verb: `serve` (the default), `migrate` or `check`. Everything else is
        /// read from the environment. If the process cannot serve, one line on stderr says why, and the exit code tells
        /// the phase.
        #[must_use = "return the exit code from `main`"]
        pub fn run<A: $crate::App>() -> ::std::process::ExitCode {
            launch($crate::adapter::Factory::<A>::app())
        }

        /// Runs a `tower::Service`, such as an axum `Router`, as [`run`] runs an App. `start` makes the service, once
        /// per process and before the first request.
        #[must_use = "return the exit code from `main`"]
        pub fn serve<F, S>(start: F) -> ::std::process::ExitCode
        where
            F: ::std::ops::AsyncFnOnce(&$crate::Host) -> ::std::result::Result<S, $crate::Error>
                + ::std::marker::Send
                + 'static,
            $crate::adapter::ServiceHandler<S>: $crate::adapter::Handler,
        {
            launch($crate::adapter::Factory::service(start))
        }

        /// Runs what a factory makes, as [`run`] and [`serve`] do.
        #[must_use = "return the exit code from `main`"]
        pub fn launch<H: $crate::adapter::Handler>(
            factory: $crate::adapter::Factory<H>,
        ) -> ::std::process::ExitCode {
            $crate::adapter::outside_of_runtimes(|| $crate::adapter::conclude($outcome(factory)))
        }
    };
}
