//! Events as AWS delivers them, of any size.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The path that every event names.
pub(super) const PATH: &str = "/notes/7";

/// The source of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// API Gateway's REST API.
    Rest,
    /// API Gateway's HTTP API, payload format 2.0; a Function URL's is the same.
    Http,
    /// An Application Load Balancer.
    Alb,
}

/// An event with a body of this many bytes, in base64 unless it is empty.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    source: Source,
    body: usize,
}

impl Event {
    /// An event without a body: a small one.
    #[must_use]
    pub fn small(source: Source) -> Self {
        Self { source, body: 0 }
    }

    /// An event with 1 MiB of bytes.
    #[must_use]
    pub fn large(source: Source) -> Self {
        Self { source, body: 1 << 20 }
    }

    /// Its name in the results.
    #[must_use]
    pub fn id(&self) -> String {
        let source = match self.source {
            Source::Rest => "rest",
            Source::Http => "http",
            Source::Alb => "alb",
        };
        format!("{source}/{}", if self.body == 0 { "small" } else { "1mib" })
    }

    pub(super) fn body(&self) -> usize {
        self.body
    }

    /// The event itself.
    #[must_use]
    pub fn json(&self) -> String {
        let mut event = match self.source {
            Source::Rest => rest(),
            Source::Http => http(),
            Source::Alb => alb(),
        };
        if self.body > 0 {
            let bytes: Vec<u8> = (0..self.body).map(|at| (at * 31 % 251) as u8).collect();
            event["body"] = Value::from(STANDARD.encode(bytes));
            event["isBase64Encoded"] = Value::from(true);
        }
        event.to_string()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.body {
            0 => "a small event of ",
            _ => "an event with 1 MiB in base64 of ",
        })?;
        f.write_str(match self.source {
            Source::Rest => "a REST API",
            Source::Http => "an HTTP API",
            Source::Alb => "a load balancer",
        })
    }
}

/// The headers of a browser behind a content delivery network.
const HEADERS: [(&str, &str); 14] = [
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-GB,en;q=0.9"),
    ("cache-control", "max-age=0"),
    ("content-type", "application/octet-stream"),
    ("host", "abcdef1234.execute-api.eu-west-1.amazonaws.com"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-proto", "https"),
];

fn headers() -> Value {
    HEADERS.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

fn lists() -> Value {
    HEADERS.into_iter().map(|(name, value)| (name.to_owned(), json!([value]))).collect()
}

fn rest() -> Value {
    json!({
        "resource": "/{proxy+}", "path": PATH, "httpMethod": "POST",
        "headers": headers(), "multiValueHeaders": lists(),
        "queryStringParameters": { "page": "2", "tag": "b" },
        "multiValueQueryStringParameters": { "page": ["2"], "tag": ["a", "b"] },
        "pathParameters": { "proxy": "notes/7" }, "stageVariables": null,
        "requestContext": {
            "resourceId": "2gxmpl", "resourcePath": "/{proxy+}", "httpMethod": "POST",
            "extendedRequestId": "JJbxmplHYosFVYQ=", "requestTime": "10/Mar/2026:00:03:59 +0000",
            "path": "/notes/7", "accountId": "123456789012", "protocol": "HTTP/1.1",
            "stage": "$default", "domainPrefix": "abcdef1234",
            "requestTimeEpoch": 1_583_798_639_428_u64,
            "requestId": "77375676-xmpl-4b79-853a-f982474efe18",
            "identity": {
                "cognitoIdentityPoolId": null, "accountId": null, "cognitoIdentityId": null,
                "caller": null, "sourceIp": "203.0.113.7", "principalOrgId": null,
                "accessKey": null, "cognitoAuthenticationType": null,
                "cognitoAuthenticationProvider": null, "userArn": null,
                "userAgent": "Mozilla/5.0", "user": null
            },
            "domainName": "abcdef1234.execute-api.eu-west-1.amazonaws.com", "apiId": "abcdef1234"
        },
        "body": null, "isBase64Encoded": false
    })
}

fn http() -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": PATH,
        "rawQueryString": "page=2&tag=a&tag=b", "cookies": ["session=abc", "theme=dark"],
        "headers": headers(), "queryStringParameters": { "page": "2", "tag": "a,b" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdef1234",
            "domainName": "abcdef1234.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abcdef1234",
            "http": {
                "method": "POST", "path": PATH, "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7", "userAgent": "Mozilla/5.0"
            },
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default", "stage": "$default",
            "time": "10/Mar/2026:05:16:23 +0000", "timeEpoch": 1_583_817_383_220_u64
        },
        "isBase64Encoded": false
    })
}

fn alb() -> Value {
    json!({
        "requestContext": { "elb": {
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/t/49e9d65c45c6791a"
        } },
        "httpMethod": "POST", "path": PATH,
        "multiValueQueryStringParameters": { "page": ["2"], "tag": ["a", "b"] },
        "multiValueHeaders": lists(),
        "body": "", "isBase64Encoded": false
    })
}
