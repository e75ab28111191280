//! An API Gateway REST API: path encoded and without its stage, query decoded, both kinds of maps.

use super::json::Object;
use super::{Source, answer, front};
use crate::{Facts, Request, Response};

const HOST: &str = "r4kq2v6a1b.execute-api.eu-west-1.amazonaws.com";

/// A REST API whose stage stands in the client's path and whose binary media types are `*/*`.
#[derive(Clone, Copy, Debug)]
pub struct RestV1;

impl Source for RestV1 {
    fn facts(&self) -> Facts {
        Facts { client_ip: Some(front::CLIENT), scheme: "https", host: HOST, adds: front::ADDS }
    }

    fn event(&self, request: &Request) -> String {
        let headers = front::headers(request, HOST, "https");
        let query = front::decoded_query(request);
        let path = request.path();
        let (body, is_base64) = front::base64(request);
        let body = Some(body).filter(|body| !body.is_empty());
        let identity = Object::new()
            .with("accessKey", None::<&str>)
            .with("accountId", None::<&str>)
            .with("sourceIp", front::CLIENT)
            .with("userAgent", None::<&str>);
        let context = Object::new()
            .with("resourceId", "2gxmpl")
            .with("resourcePath", "/{proxy+}")
            .with("httpMethod", &request.method)
            .with("extendedRequestId", "JKJaXmPLvHcESHA=")
            .with("requestTime", "21/Nov/2026:20:00:00 +0000")
            .with("path", format!("/live{path}"))
            .with("accountId", "123456789012")
            .with("protocol", "HTTP/1.1")
            .with("stage", "live")
            .with("domainPrefix", "r4kq2v6a1b")
            .with("requestTimeEpoch", 1_795_204_800_000_u64)
            .with("requestId", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
            .with_object("identity", identity)
            .with("domainName", HOST)
            .with("apiId", "r4kq2v6a1b");
        Object::new()
            .with("resource", "/{proxy+}")
            .with("path", path)
            .with("httpMethod", &request.method)
            .with_map("headers", &front::last(&headers))
            .with_map("multiValueHeaders", &front::all(&headers))
            .with_map("queryStringParameters", &front::last(&query))
            .with_map("multiValueQueryStringParameters", &front::all(&query))
            .with_map("pathParameters", &[("proxy".to_owned(), path.trim_start_matches('/'))])
            .with("stageVariables", None::<&str>)
            .with_object("requestContext", context)
            .with("isBase64Encoded", is_base64 && body.is_some())
            .with("body", body)
            .end()
    }

    fn answer(&self, bytes: &[u8]) -> Result<Response, String> {
        answer::rest(bytes)
    }
}
