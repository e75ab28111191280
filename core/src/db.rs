//! How an App holds database connections on a host: the connection strategy.

mod conn;
mod connect;
mod credentials;
mod databases;
mod driver;
mod error;
mod executor;
mod handle;
mod migrate;
mod plan;
mod pool;
mod session;
mod settings;
mod statement;
mod tls;
mod tx;
mod watchdog;
mod writers;

pub use conn::Conn;
pub use credentials::{Password, Passwords};
pub use databases::Databases;
pub(crate) use databases::Held;
pub use driver::{Driver, Limits};
pub use error::Error;
pub use handle::Db;
pub use plan::{Inputs, Plan, Statements};
pub use pool::{Closed, Drained, Metric, PoolState, Reading, Stats, Times};
pub use session::Session;
pub use settings::{Kind, Pooler, kind};
pub use tx::Tx;
