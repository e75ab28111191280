//! The life of a Lambda process, on a Runtime API that fails in every way.

mod end;
mod events;
mod faults;
mod function;
mod init;
mod invoke;
mod streaming;
mod thaw;
