//! What is known about hosts, each parameter and price with its source and date, from a file of data.

mod catalog;
mod host;
mod sourced;

pub use catalog::{Catalog, CatalogError};
pub use host::{
    Balancing, Fleet, FleetParameters, FunctionParameters, Functions, Host, Model, Scaling, Size,
};
pub use sourced::{Date, Measured, Per, Price, Sourced};
