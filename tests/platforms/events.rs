//! Events as AWS delivers them to a Function URL, and answers as Lambda takes them.

use anyhost_tests::wire::{Response, SeenRequest};
use serde_json::{Value, json};

/// The event for a GET.
pub(crate) fn get(path: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "host": "abc123.lambda-url.eu-central-1.on.aws",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https"
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc123",
            "domainName": "abc123.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "abc123",
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "test"
            },
            "requestId": "0f1e2d3c-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000_u64
        },
        "isBase64Encoded": false
    })
}

/// The function's answer, taken from the response of Lambda's API.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Value);

impl Answer {
    #[track_caller]
    pub(crate) fn new(response: &Response) -> Self {
        match serde_json::from_slice(&response.body) {
            Ok(answer) => Self(answer),
            Err(error) => panic!("{error}, in {}", String::from_utf8_lossy(&response.body)),
        }
    }

    /// The status for the client.
    pub(crate) fn status(&self) -> u64 {
        self.0["statusCode"].as_u64().unwrap_or_default()
    }

    /// The body, which must be text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        assert_ne!(self.0["isBase64Encoded"], true, "{}", self.0);
        self.0["body"].as_str().unwrap_or_default()
    }

    /// The request that the App saw, taken from the echo's answer.
    #[track_caller]
    pub(crate) fn seen(&self) -> SeenRequest {
        assert_eq!(self.status(), 200, "{}", self.0);
        SeenRequest::parse(self.text().as_bytes())
    }

    /// The problem of an error's answer.
    #[track_caller]
    pub(crate) fn problem(&self, status: u64) -> Value {
        assert_eq!(self.status(), status, "{}", self.0);
        assert_eq!(self.0["headers"]["content-type"], "application/problem+json", "{}", self.0);
        let problem: Value = serde_json::from_str(self.text()).expect("a problem is JSON");
        assert_eq!(problem["status"], status, "{problem}");
        problem
    }
}
