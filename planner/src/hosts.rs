//! Hosts and price lists, read from data files; every parameter and price has a source and a date.

mod catalog;
mod host;
mod prices;
mod sourced;

pub use catalog::{Catalog, CatalogError};
pub use host::{
    Balancing, BillItem, Burst, Fleet, FleetParameters, FunctionParameters, Functions, Host,
    ItemPrice, Model, Scaling, Size,
};
pub use prices::{BillLine, Per, Price, REGIONS};
pub use sourced::{Date, Measured, Sourced};
