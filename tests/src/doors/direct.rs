//! The direct door: the App in this process, behind what all doors share and nothing else.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use anyhost_core::adapter::{Arrival, Caller, answer};
use anyhost_core::{App, Body, Context, Host, Paradigm, Scheme, Settings};
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{Door, Facts, MAX_BODY};
use crate::wire::{Ending, Request, Response};

/// An App in this process.
pub(super) struct Direct<A> {
    app: A,
    host: Host,
    runtime: Runtime,
    _folder: TempDir,
}

impl<A: App> Direct<A> {
    pub(super) fn open() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime needs threads and no more");
        let folder = TempDir::new().expect("a folder for temporary files");
        let database = format!("sqlite:{}?mode=rwc", folder.path().join("notes.db").display());
        let settings =
            Settings::from_pairs([("MAX_BODY", MAX_BODY.to_string()), ("DATABASE_URL", database)]);
        let host = Host::builder(Paradigm::LongRunning, "direct").settings(settings).build();
        let host = host.expect("a size is a size");
        let app = runtime.block_on(A::start(&host)).expect("the App starts");
        Self { app, host, runtime, _folder: folder }
    }
}

impl<A: App> Door for Direct<A> {
    fn send(&self, request: &Request) -> Result<Response, String> {
        let request = self.translate(request)?;
        self.runtime.block_on(async {
            let response = answer(&self.app, self.host.max_body(), request).await;
            Ok(read(response).await)
        })
    }

    fn facts(&self) -> Facts {
        Facts { client_ip: Some("192.0.2.1"), scheme: "http", host: "shop.example", adds: &[] }
    }

    fn log(&self) -> String {
        "(in this process)".into()
    }
}

impl<A: App> Direct<A> {
    fn translate(&self, request: &Request) -> Result<anyhost_core::Request, String> {
        let body = if request.chunked {
            let chunks: Vec<_> = request.body.chunks(7).map(<[u8]>::to_vec).collect();
            Body::stream(futures_util::stream::iter(chunks.into_iter().map(Ok::<_, String>)))
        } else {
            Body::from(request.body.clone())
        };
        let mut translated = anyhost_core::Request::new(body);
        *translated.method_mut() = request.method.parse().map_err(|_| "no method".to_owned())?;
        *translated.uri_mut() = request.target.parse().map_err(|_| "no target".to_owned())?;
        let host = self.facts().host;
        let headers = translated.headers_mut();
        if request.first("host").is_none() {
            headers.append("host", HeaderValue::from_static(host));
        }
        for (name, value) in &request.headers {
            let name: HeaderName = name.parse().map_err(|_| format!("{name} is no name"))?;
            let value = HeaderValue::from_bytes(value).map_err(|_| format!("value of {name}"))?;
            headers.append(name, value);
        }
        if request.says_its_length() {
            headers.append("content-length", HeaderValue::from(request.body.len()));
        }
        let address = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        let caller = Caller { address, scheme: Scheme::Http, host: None };
        let (parts, body) = translated.into_parts();
        let parts = Arrival::new(Context::fresh(), caller).admit(parts);
        let parts = parts.map_err(|refusal| format!("{:?}", refusal.error()))?;
        Ok(anyhost_core::Request::from_parts(parts, body))
    }
}

async fn read(response: anyhost_core::Response) -> Response {
    let (parts, mut body) = response.into_parts();
    let mut read = Response::new(parts.status.as_u16());
    read.headers = owned(&parts.headers);
    let mut first = None;
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => {
                read.spread = first.get_or_insert_with(Instant::now).elapsed();
                read.body.extend_from_slice(&data);
            }
            Ok(Err(frame)) => {
                read.trailers = owned(&frame.into_trailers().unwrap_or_default());
            }
            Err(_) => {
                read.ending = Ending::BrokenOff;
                break;
            }
        }
    }
    read
}

fn owned(headers: &http::HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}
