//! How an App holds database connections on a host.

mod error;
mod held;

pub use error::{Error, PoolState};
pub use held::Databases;
pub(crate) use held::Held;
