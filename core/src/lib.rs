#![doc = include_str!("../README.md")]

pub mod adapter;
mod answer;
mod app;
mod databases;
#[cfg(feature = "db")]
#[cfg_attr(
    not(any(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(unused, reason = "without a driver there is nothing to open")
)]
pub mod db;
#[cfg(not(feature = "db"))]
#[path = "db/none.rs"]
mod db;
mod deadline;
mod entry_points;
mod epoch;
mod error;
mod exit;
mod factory;
mod handler;
mod histogram;
mod host;
mod http;
mod jobs;
mod lifecycle;
mod logs;
mod paradigm;
mod process_metrics;
mod program;
mod request_counts;
mod service;
mod settings;
#[cfg(feature = "opentelemetry")]
mod telemetry;
#[cfg(not(feature = "opentelemetry"))]
#[path = "telemetry/none.rs"]
mod telemetry;

pub use app::App;
pub use error::Error;
pub use host::{Host, Resources};
pub use http::{Body, BodyError, Context, Request, Response, Scheme};
pub use jobs::JobOutput;
pub use lifecycle::{InFlight, Lifecycle, Phase};
pub use paradigm::Paradigm;
pub use service::{AppService, call_service};
pub use settings::{ByteSize, ConfigError, Setting, Settings};

// For the modules of this crate; outside it these names are in the room `adapter`.
use adapter::*;

/// The attribute that lets a trait have `async` methods: `#[anyhost_core::async_trait] impl App for …`.
pub use async_trait::async_trait;
