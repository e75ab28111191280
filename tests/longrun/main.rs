//! The long-running adapters as whole processes: behind real routers, under load, among hostile clients, to their end.
//!
//! README.md beside this file says which clause of a platform's contract is shown by which test.

mod actix;
mod callers;
mod clauses;
mod drain;
mod flood;
mod framing;
mod hostile;
mod idle;
mod lines;
mod manager;
mod monitoring;
mod one_program;
mod operators;
mod protocols;
mod readme;
mod rolling;
mod routers;
mod sockets;
mod starts;
mod sudden;
mod websockets;
