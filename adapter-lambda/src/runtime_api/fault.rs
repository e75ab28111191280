//! Errors between this process and the Runtime API.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// A request to the Runtime API that failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No connection to this address.
    Connect(String, std::io::Error),
    /// The connection broke, or the reply was not HTTP.
    Http(hyper::Error),
    /// A status that the API does not define.
    Status(StatusCode),
    /// An event without a required header.
    Missing(&'static str),
    /// No reply within this time.
    NoReply(Duration),
    /// No event is available at present.
    NoEvent,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the Lambda Runtime API ")?;
        match self {
            Self::Connect(address, error) => {
                write!(f, "cannot be reached: {address} (AWS_LAMBDA_RUNTIME_API): {error}")
            }
            Self::Http(error) => {
                write!(f, "broke the connection: {error}")?;
                match std::error::Error::source(error) {
                    Some(cause) => write!(f, ": {cause}"),
                    None => Ok(()),
                }
            }
            Self::Status(status) => write!(f, "answered {status}"),
            Self::Missing(header) => write!(f, "sent an event without {header}"),
            Self::NoReply(time) => write!(f, "sent no reply in {} s", time.as_secs()),
            Self::NoEvent => f.write_str("has no event"),
        }
    }
}

impl std::error::Error for Fault {}
