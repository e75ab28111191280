#![doc = include_str!("../README.md")]

mod answer;
mod app;
#[cfg_attr(
    not(any(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(unused, reason = "without a driver there is nothing to open")
)]
pub mod db;
mod deadline;
mod epoch;
mod error;
mod exit;
mod host;
mod http;
mod life;
mod paradigm;
mod program;
mod service;
mod settings;
mod worker;

pub use answer::{answer, refuse};
pub use app::App;
pub use deadline::{remaining, within};
pub use epoch::Epoch;
pub use error::{Error, PROBLEM_JSON};
pub use exit::{Exit, Failure, conclude};
pub use host::{Host, HostBuilder, Resources};
pub use http::{
    Arrival, Body, BodyError, Caller, Context, DEFAULT_MAX_BODY, Refusal, Request, Response,
    Scheme, is_hop_by_hop, is_host, strip_hop_by_hop,
};
pub use life::{InFlight, Life, Phase};
pub use paradigm::Paradigm;
pub use program::{Verb, check, migrate, start};
pub use service::call_service;
pub use settings::{ByteSize, ConfigError, Misspelt, Setting, Settings};
pub(crate) use worker::STUCK;
pub use worker::{AtWork, Worker};

/// The attribute that lets a trait have `async` methods: `#[anyhost_core::async_trait] impl App for …`.
pub use async_trait::async_trait;
