//! What only a server has: connections, threads, limits and the end.

mod bodies;
mod client;
mod drain;
mod hostile;
mod http2;
mod listen;
mod memory;
mod pipelines;
mod process;
mod requests;
mod running;
mod settings;
#[path = "../../examples/subject.rs"]
mod subject;
mod trust;
