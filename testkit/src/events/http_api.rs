//! API Gateway HTTP APIs and Function URLs: one shape, told apart by the domain, and the older one.

use super::json::Object;
use super::{Source, answer, front};
use crate::{Facts, Request, Response};

const API_HOST: &str = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com";
const URL_HOST: &str = "tq3xkz7yjv4ds6wm2r5f.lambda-url.eu-west-1.on.aws";

const fn facts(host: &'static str) -> Facts {
    Facts { client_ip: Some(front::CLIENT), scheme: "https", host, adds: front::ADDS }
}

/// An HTTP API with a named stage, which stands before the path; the path is decoded.
#[derive(Clone, Copy, Debug)]
pub struct HttpV2;

impl Source for HttpV2 {
    fn facts(&self) -> Facts {
        facts(API_HOST)
    }

    fn event(&self, request: &Request) -> String {
        let path = format!("/live{}", front::decoded_path(request));
        version_2(request, API_HOST, "live", &path, false)
    }

    fn answer(&self, bytes: &[u8]) -> Result<Response, String> {
        answer::version_2(bytes)
    }
}

/// A Function URL; the path is as the client wrote it.
#[derive(Clone, Copy, Debug)]
pub struct FunctionUrl;

impl Source for FunctionUrl {
    fn facts(&self) -> Facts {
        facts(URL_HOST)
    }

    fn event(&self, request: &Request) -> String {
        version_2(request, URL_HOST, "$default", request.path(), true)
    }

    fn answer(&self, bytes: &[u8]) -> Result<Response, String> {
        answer::version_2(bytes)
    }
}

/// An HTTP API that speaks payload format 1.0: path and query decoded.
#[derive(Clone, Copy, Debug)]
pub struct HttpV1;

impl Source for HttpV1 {
    fn facts(&self) -> Facts {
        facts(API_HOST)
    }

    fn event(&self, request: &Request) -> String {
        let headers = front::headers(request, API_HOST, "https");
        let query = front::decoded_query(request);
        let path = front::decoded_path(request);
        let (body, is_base64) = front::text_or_base64(request);
        let body = Some(body).filter(|body| !body.is_empty());
        let identity = Object::new()
            .with("accessKey", None::<&str>)
            .with("sourceIp", front::CLIENT)
            .with("userAgent", "");
        let context = Object::new()
            .with("accountId", "123456789012")
            .with("apiId", "a1b2c3d4e5")
            .with("domainName", API_HOST)
            .with("domainPrefix", "a1b2c3d4e5")
            .with("extendedRequestId", "request-id")
            .with("httpMethod", &request.method)
            .with_object("identity", identity)
            .with("path", &path)
            .with("protocol", "HTTP/1.1")
            .with("requestId", "id=")
            .with("requestTime", "21/Nov/2026:20:00:00 +0000")
            .with("requestTimeEpoch", 1_795_204_800_000_u64)
            .with("resourceId", None::<&str>)
            .with("resourcePath", "$default")
            .with("stage", "$default");
        Object::new()
            .with("version", "1.0")
            .with("resource", "$default")
            .with("path", &path)
            .with("httpMethod", &request.method)
            .with_map("headers", &front::last(&headers))
            .with_map("multiValueHeaders", &front::all(&headers))
            .with_map("queryStringParameters", &front::last(&query))
            .with_map("multiValueQueryStringParameters", &front::all(&query))
            .with_object("requestContext", context)
            .with("pathParameters", None::<&str>)
            .with("stageVariables", None::<&str>)
            .with("isBase64Encoded", is_base64 && body.is_some())
            .with("body", body)
            .end()
    }

    fn answer(&self, bytes: &[u8]) -> Result<Response, String> {
        answer::rest(bytes)
    }
}

fn version_2(
    request: &Request,
    host: &str,
    stage: &str,
    path: &str,
    cookie_header_stays: bool,
) -> String {
    let headers = front::lowercased(front::headers(request, host, "https"));
    let cookies: Vec<String> = headers
        .iter()
        .filter(|(name, _)| name == "cookie")
        .flat_map(|(_, value)| value.split(';'))
        .map(|cookie| cookie.trim().to_owned())
        .collect();
    let kept = headers.into_iter().filter(|(name, _)| cookie_header_stays || name != "cookie");
    let kept: Vec<_> = kept.collect();
    let (body, is_base64) = front::text_or_base64(request);
    let http = Object::new()
        .with("method", &request.method)
        .with("path", path)
        .with("protocol", "HTTP/1.1")
        .with("sourceIp", front::CLIENT)
        .with("userAgent", "");
    let context = Object::new()
        .with("accountId", "123456789012")
        .with("apiId", host.split('.').next())
        .with("domainName", host)
        .with("domainPrefix", host.split('.').next())
        .with_object("http", http)
        .with("requestId", "JKJaXmPLvHcESHA=")
        .with("routeKey", "$default")
        .with("stage", stage)
        .with("time", "21/Nov/2026:20:00:00 +0000")
        .with("timeEpoch", 1_795_204_800_000_u64);
    let mut event = Object::new()
        .with("version", "2.0")
        .with("routeKey", "$default")
        .with("rawPath", path)
        .with("rawQueryString", request.query().unwrap_or_default());
    if !cookies.is_empty() {
        event = event.with("cookies", cookies);
    }
    event = event.with_map("headers", &front::joined(&kept));
    let query = front::decoded_query(request);
    if !query.is_empty() {
        event = event.with_map("queryStringParameters", &front::joined(&query));
    }
    event = event.with_object("requestContext", context);
    if !body.is_empty() {
        event = event.with("body", &body);
    }
    event.with("isBase64Encoded", is_base64 && !body.is_empty()).end()
}
