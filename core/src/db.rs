//! How an App holds database connections on a host: the connection strategy.

mod clock;
mod conn;
mod connect;
mod credentials;
mod drained;
mod driver;
mod error;
mod executor;
mod handle;
mod held;
mod keep;
mod migrate;
mod plan;
mod pool;
mod queue;
mod session;
mod settings;
mod shelf;
mod slot;
mod statement;
mod stats;
mod tls;
mod tx;

pub use conn::Conn;
pub use credentials::{Password, Passwords};
pub use drained::Drained;
pub use driver::{Driver, Limits};
pub use error::{Error, PoolState};
pub use handle::Db;
pub use held::Databases;
pub(crate) use held::Held;
pub use plan::{Inputs, Plan, Statements};
pub use session::Session;
pub use settings::{Kind, Pooler, kind};
pub use stats::{Closed, Metric, Reading, Stats, Times};
pub use tx::Tx;
