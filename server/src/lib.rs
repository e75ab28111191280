#![doc = include_str!("../README.md")]

mod accept;
mod admin;
mod config;
mod connection;
mod connections;
mod descriptors;
mod drain;
mod health;
mod limit;
mod listen;
mod logs;
mod metrics;
mod program;
mod rate;
mod request;
mod runtime;
mod server;
mod shared;
mod signals;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/none.rs"]
mod tls;
mod trust;

pub use admin::AdminAddress;
pub use config::Config;
pub use drain::Drained;
pub use health::Probes;
pub use limit::MaxInFlight;
pub use listen::{Listener, bind_everywhere, bind_tcp, bind_unix};
pub use logs::logs;
pub use program::{Beside, Program, Running};
pub use rate::MinBodyRate;
pub use server::Server;
pub use signals::{Hangups, stop_signal};
pub use tls::Tls;
pub use trust::{Networks, TrustedProxies};
