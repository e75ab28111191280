//! The cookies of a client.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::{Request, Response};

/// What a client keeps: the value of each cookie by its name.
#[derive(Debug, Default)]
pub(super) struct Cookies(Mutex<BTreeMap<String, String>>);

impl Cookies {
    /// Adds the cookies to a request, as one header.
    pub(super) fn add_to(&self, request: Request) -> Request {
        let kept = self.0.lock().unwrap();
        if kept.is_empty() {
            return request;
        }
        let pairs: Vec<String> =
            kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header("cookie", pairs.join("; "))
    }

    /// Keeps what a response sets, and forgets what it deletes.
    pub(super) fn keep(&self, response: &Response) {
        let mut kept = self.0.lock().unwrap();
        for cookie in response.all("set-cookie") {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            if parts.any(|part| part.eq_ignore_ascii_case("max-age=0")) {
                kept.remove(name);
            } else {
                kept.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
