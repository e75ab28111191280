//! How an App holds database connections on a host: the connection strategy.

#[cfg(all(feature = "any", any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
mod any;
mod builder;
mod conn;
mod connect;
mod credentials;
mod driver;
mod error;
mod executor;
mod foreign_plan;
mod handle;
mod lease;
mod memory;
mod migrate;
mod plan;
mod pool;
mod pool_state;
mod pooled;
mod savepoint;
mod session;
mod settings;
mod shares;
mod sql;
mod tx;
mod watchdog;

#[cfg(all(feature = "any", any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
pub use any::AnyDb;
pub use builder::DbBuilder;
pub use conn::Conn;
pub use credentials::{Password, PasswordProvider};
pub use driver::{Driver, Limits};
pub use error::Error;
pub use handle::Db;
pub(crate) use memory::Memory;
pub use plan::{Inputs, Plan, Statements};
pub use pool_state::PoolState;
pub use savepoint::Savepoint;
pub use session::Session;
pub use settings::{Kind, Pooler, kind};
pub(crate) use shares::Server;
pub use tx::Tx;

pub use crate::databases::{CloseCounts, CloseReport, Databases, Metric, Reading, Stats, Times};
