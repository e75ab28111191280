//! The address of the Runtime API.

use std::net::SocketAddr;

use anyhost_core::Setting;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

/// The address of the Runtime API: `host:port` on AWS, a URL with a path from `cargo lambda watch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    name: String,
    port: u16,
    host: HeaderValue,
    /// The prefix of every path, without a slash at its end.
    base: String,
}

impl Endpoint {
    /// The host and port to connect to.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.name, self.port)
    }

    /// The `Host` header.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// A path of the API as the target of a request.
    pub(super) fn uri(&self, path: &str) -> Uri {
        let target = format!("{}{path}", self.base);
        // An id from the network may contain any bytes; if it makes no valid path, the request goes to `/`, which the API refuses.
        let target = PathAndQuery::try_from(target);
        Uri::from(target.unwrap_or_else(|_| PathAndQuery::from_static("/")))
    }
}

impl Setting for Endpoint {
    fn expected() -> String {
        "host:port or an http URL, as Lambda sets it".into()
    }

    fn parse(text: &str) -> Option<Self> {
        // AWS's form is parsed without a URL parser, whose pages a cold process would have to load.
        if let Ok(address) = text.parse::<SocketAddr>()
            && address.port() != 0
        {
            let host = HeaderValue::from_str(text).ok()?;
            let (name, port) = (address.ip().to_string(), address.port());
            return Some(Self { name, port, host, base: String::new() });
        }
        let with_scheme = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let uri: Uri = with_scheme.parse().ok()?;
        if uri.scheme() != Some(&Scheme::HTTP) || uri.query().is_some() {
            return None;
        }
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, port)) if !port.contains(']') => port.parse().ok()?,
            _ => 80,
        };
        if name.is_empty() || port == 0 {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            port,
            host: HeaderValue::from_str(authority.as_str()).ok()?,
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u16, &str)>) {
        let endpoint = Endpoint::parse(text);
        let found = endpoint.as_ref().map(|it| {
            let (name, port) = it.address();
            (name, port, it.base.as_str())
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn it_is_an_address_or_a_url() {
        check("127.0.0.1:9001", Some(("127.0.0.1", 9001, "")));
        check("[::1]:9001", Some(("::1", 9001, "")));
        check("127.0.0.1:0", None);
        check("http://127.0.0.1:9000/.rt/notes", Some(("127.0.0.1", 9000, "/.rt/notes")));
        check("http://localhost:9000/.rt/", Some(("localhost", 9000, "/.rt")));
        check("localhost", Some(("localhost", 80, "")));
        for text in
            ["", "https://localhost:9000", "a b", "host:port", "host:99999", ":80", "u:p@h:1"]
        {
            check(text, None);
        }
    }

    #[test]
    fn a_path_stands_behind_the_base() {
        let endpoint = Endpoint::parse("http://h:1/.rt").expect("a URL");
        assert_eq!(endpoint.uri("/x/next"), "/.rt/x/next");
        assert_eq!(endpoint.uri("/\r\n"), "/");
    }
}
