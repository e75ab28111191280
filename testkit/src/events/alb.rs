//! An Application Load Balancer: path and query as the client wrote them, one kind of maps.

use super::json::Object;
use super::{Source, answer, front};
use crate::{Facts, Request, Response};

const HOST: &str = "shop-1234567890.eu-west-1.elb.amazonaws.com";

const FACTS: Facts =
    Facts { client_ip: Some(front::CLIENT), scheme: "http", host: HOST, adds: front::ADDS };

/// A target group with single-value headers: of repeated names only the last value comes through.
#[derive(Clone, Copy, Debug)]
pub struct AlbSingle;

impl Source for AlbSingle {
    fn facts(&self) -> Facts {
        FACTS
    }

    fn event(&self, request: &Request) -> String {
        let (headers, query) = maps(request);
        let (headers, query) = (front::last(&headers), front::last(&query));
        event(request, |event| {
            // Unlike API Gateway it sends an empty object if there is no query.
            let query = query.iter().fold(Object::new(), |object, (n, v)| object.with(n, v));
            event.with_object("queryStringParameters", query).with_map("headers", &headers)
        })
    }

    fn answer(&self, bytes: &[u8]) -> Result<Response, String> {
        answer::alb_single(bytes)
    }
}

/// A target group with multi-value headers.
#[derive(Clone, Copy, Debug)]
pub struct AlbMulti;

impl Source for AlbMulti {
    fn facts(&self) -> Facts {
        FACTS
    }

    fn event(&self, request: &Request) -> String {
        let (headers, query) = maps(request);
        let (headers, query) = (front::all(&headers), front::all(&query));
        event(request, |event| {
            let query = query.iter().fold(Object::new(), |object, (n, v)| object.with(n, v));
            event
                .with_object("multiValueQueryStringParameters", query)
                .with_map("multiValueHeaders", &headers)
        })
    }

    fn answer(&self, bytes: &[u8]) -> Result<Response, String> {
        answer::alb_multi(bytes)
    }
}

type Pairs = Vec<(String, String)>;

fn maps(request: &Request) -> (Pairs, Pairs) {
    (front::lowercased(front::headers(request, HOST, "http")), front::query(request))
}

fn event(request: &Request, maps: impl FnOnce(Object) -> Object) -> String {
    let arn =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop/d3b07384d113edec";
    let elb = Object::new().with("targetGroupArn", arn);
    let event = Object::new()
        .with_object("requestContext", Object::new().with_object("elb", elb))
        .with("httpMethod", &request.method)
        .with("path", request.path());
    let (body, is_base64) = front::text_or_base64(request);
    let is_base64 = is_base64 && !body.is_empty();
    maps(event).with("body", body).with("isBase64Encoded", is_base64).end()
}
