//! The direct door: the App behind the code that all doors share, without a protocol.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use anyhost_core::adapter::{Arrival, Caller, Handler, Refusal, answer};
use anyhost_core::{Body, Context, Host, Scheme};
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use tokio::runtime::Handle;

use crate::{Door, Ending, Facts, Request, Response};

/// An App of the test.
pub(crate) struct Direct<H> {
    pub(crate) app: Arc<H>,
    pub(crate) host: Host,
    pub(crate) runtime: Handle,
}

impl<H: Handler> Door for Direct<H> {
    fn send(&self, request: &Request) -> Result<Response, String> {
        let mut request = match self.translate(request)? {
            Ok(request) => request,
            Err(refusal) => return Ok(self.runtime.block_on(read(refusal.into_response()))),
        };
        self.runtime.block_on(async {
            let _running = self.host.lifecycle().track();
            let response = answer(&self.app, self.host.max_body(), &mut request).await;
            Ok(read(response).await)
        })
    }

    fn facts(&self) -> Facts {
        Facts { client_ip: Some("192.0.2.1"), scheme: "http", host: "shop.example", adds: &[] }
    }
}

impl<H: Handler> Direct<H> {
    fn translate(
        &self,
        request: &Request,
    ) -> Result<Result<anyhost_core::Request, Box<Refusal>>, String> {
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
        if request.says_its_length() && request.first("content-length").is_none() {
            headers.append("content-length", HeaderValue::from(request.body.len()));
        }
        let address = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        let caller = Caller { address, scheme: Scheme::Http, host: None };
        let context = Context::fresh().with_lifecycle(self.host.lifecycle().clone());
        let (mut parts, body) = translated.into_parts();
        let admitted = Arrival::new(context, caller).admit(&mut parts);
        Ok(admitted.map(|()| anyhost_core::Request::from_parts(parts, body)))
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
