//! Every page of the guide with Rust code, and the README, as documentation whose examples are tests.

#[cfg(doctest)]
#[doc = include_str!("src/adapters.md")]
mod adapters {}

#[cfg(doctest)]
#[doc = include_str!("src/background-work.md")]
mod background_work {}

#[cfg(doctest)]
#[doc = include_str!("src/coming-from.md")]
mod coming_from {}

#[cfg(doctest)]
#[doc = include_str!("src/connections-long-running.md")]
mod connections_long_running {}

#[cfg(doctest)]
#[doc = include_str!("src/first-service.md")]
mod first_service {}

#[cfg(doctest)]
#[doc = include_str!("src/long-running.md")]
mod long_running {}

#[cfg(doctest)]
#[doc = include_str!("src/monitoring.md")]
mod monitoring {}

#[cfg(doctest)]
#[doc = include_str!("src/several-databases.md")]
mod several_databases {}

#[cfg(doctest)]
#[doc = include_str!("src/testing.md")]
mod testing {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
