//! Events as AWS makes them, and events that nobody makes, as requests.

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/events/", $name, ".json"))
    };
}

mod arbitrary;
mod canonical;

use anyhost_core::{Context, Scheme};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{EventRequest, NoRequest, TrustedHeaders, translate};
use crate::answers::Shape;

/// A request as an App sees it.
struct RequestSummary {
    shape: &'static Shape,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    context: Context,
}

impl RequestSummary {
    #[track_caller]
    fn from_event(event: impl Into<Bytes>) -> Self {
        let EventRequest { shape, method, context, request } = read(event);
        let request = request.expect("a request");
        let (parts, body) = request.into_parts();
        let headers = parts.headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Self {
            shape,
            method: method.to_string(),
            target: parts.uri.to_string(),
            headers: headers.collect(),
            body: body.into_full().expect("a body in one piece"),
            context,
        }
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let wanted = self.headers.iter().filter(|(other, _)| other == name);
        wanted.map(|(_, value)| value.as_str()).collect()
    }
}

#[track_caller]
fn read(event: impl Into<Bytes>) -> EventRequest {
    translate(&event.into(), Context::new("id"), TrustedHeaders::default()).expect("an HTTP event")
}

#[test]
fn a_health_check_has_no_host() {
    let seen = RequestSummary::from_event(fixture!("alb-health-check"));
    assert_eq!((seen.target.as_str(), seen.context.host()), ("/", None));
    assert_eq!(seen.context.client_ip(), None);
    assert!(seen.all("content-length").is_empty() && seen.body.is_empty());
}

#[test]
fn null_maps_and_odd_claims_are_accepted() {
    let seen = RequestSummary::from_event(fixture!("rest-custom-domain"));
    assert_eq!((seen.target.as_str(), seen.context.mount()), ("/v1/notes", ""));
    assert_eq!(seen.context.host(), Some("api.example.com"));
    let seen = RequestSummary::from_event(fixture!("http-2-jwt"));
    assert_eq!((seen.target.as_str(), seen.context.mount()), ("/notes/7", ""));
    assert_eq!(seen.context.client_ip().map(|ip| ip.to_string()).as_deref(), Some("2001:db8::7"));
}

/// A Function URL's event with some fields of its own.
fn event(fields: Value) -> String {
    let mut event = json!({
        "rawPath": "/",
        "requestContext": {"http": {"method": "GET"}, "domainName": "a.lambda-url.x.on.aws"},
    });
    let own = fields.as_object().expect("an object").clone();
    event.as_object_mut().expect("an object").extend(own);
    event.to_string()
}

#[test]
fn a_bad_header_costs_the_header_and_not_the_request() {
    let seen = RequestSummary::from_event(event(json!({"headers": {
        "x-null": null, "x-number": 7, "x-object": {}, "x y": "1", "": "1", "x-break": "a\r\nb: c",
        "x-empty": "", "x-utf8": "caf\u{e9}", "x-list": ["1", null, "2"], "X-Good": "1", "x-good": "2",
    }})));
    let expected: [(&str, &str); 6] = [
        ("x-empty", ""),
        ("x-good", "1"),
        ("x-good", "2"),
        ("x-list", "1"),
        ("x-list", "2"),
        ("x-utf8", "caf\u{e9}"),
    ];
    let mut found = seen.headers;
    found.sort();
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn cookies_come_exactly_once() {
    for (fields, expected) in [
        (json!({"cookies": ["a=1", "b=2"]}), vec!["a=1; b=2"]),
        (json!({"cookies": ["a=1"], "headers": {"cookie": "a=1"}}), vec!["a=1"]),
        (json!({"cookies": ["a=1", 7, null]}), vec!["a=1"]),
        (json!({"cookies": [], "headers": {"cookie": "c=3"}}), vec!["c=3"]),
        (json!({"cookies": null, "headers": {"Cookie": "c=3"}}), vec!["c=3"]),
        (json!({"headers": {"cookie": ""}}), vec![]),
        (json!({"headers": {"Cookie": "a=1", "cookie": "b=2"}}), vec!["a=1; b=2"]),
        (json!({"cookies": ["a=1\n"]}), vec![]),
        (json!({}), vec![]),
    ] {
        assert_eq!(
            RequestSummary::from_event(event(fields.clone())).all("cookie"),
            expected,
            "{fields}"
        );
    }
}

#[test]
fn headers_of_one_connection_are_not_shown() {
    let seen = RequestSummary::from_event(event(json!({"headers": {
        "connection": "close, x-kept", "keep-alive": "1", "te": "trailers", "transfer-encoding": "chunked",
        "x-kept": "1",
    }})));
    assert_eq!(seen.headers, [("x-kept".to_owned(), "1".to_owned())]);
}

#[test]
fn the_length_agrees_with_the_body() {
    let length = |fields| RequestSummary::from_event(event(fields)).all("content-length").join("|");
    assert_eq!(length(json!({"body": "abc"})), "3");
    assert_eq!(length(json!({"body": "abc", "headers": {"content-length": "4"}})), "3");
    assert_eq!(length(json!({"body": "YWJj", "isBase64Encoded": true})), "3");
    assert_eq!(length(json!({"headers": {"Content-Length": "9"}})), "0");
    assert_eq!(length(json!({"body": ""})), "");
}

#[test]
fn a_body_is_never_lost_or_changed() {
    let body = |fields| RequestSummary::from_event(event(fields)).body;
    assert_eq!(body(json!({"body": "h\u{e9}\"\\\n\u{0}"})), "h\u{e9}\"\\\n\u{0}");
    assert_eq!(body(json!({"body": "iVD/AA==", "isBase64Encoded": true})), &b"\x89P\xff\0"[..]);
    assert_eq!(body(json!({"body": "iVD/\r\nAA", "isBase64Encoded": true})), &b"\x89P\xff\0"[..]);
    assert_eq!(body(json!({"body": null, "isBase64Encoded": true})), "");
    let translated = read(event(json!({"body": "no base64!", "isBase64Encoded": true})));
    assert_eq!(translated.request.expect_err("no base64").status(), 400);
}

#[test]
fn the_stage_goes_only_where_the_gateway_put_it() {
    let target = |domain: &str, stage: &str, path: &str| {
        let seen = RequestSummary::from_event(event(json!({
            "rawPath": path,
            "requestContext": {"http": {"method": "GET"}, "domainName": domain, "stage": stage,
                "apiId": "a"},
        })));
        (seen.target, seen.context.mount().to_owned())
    };
    let own = "a.execute-api.eu-central-1.amazonaws.com";
    let is = |target: &str, mount: &str| (target.to_owned(), mount.to_owned());
    assert_eq!(target(own, "prod", "/prod/x"), is("/x", "/prod"));
    assert_eq!(target(own, "prod", "/prod"), is("/", "/prod"));
    assert_eq!(target(own, "prod", "/prod/prod/x"), is("/prod/x", "/prod"));
    assert_eq!(target(own, "prod", "/production"), is("/production", ""));
    assert_eq!(target(own, "$default", "/x"), is("/x", ""));
    assert_eq!(target("api.example.com", "prod", "/prod/x"), is("/prod/x", ""));
    assert_eq!(target(own, "prod", "/prod//a/../b\\c"), is("//a/../b%5Cc", "/prod"));
}

#[test]
fn an_emulated_function_url_gives_the_path_as_sent_and_no_tls() {
    let context = |own: Value| {
        let mut context = json!({"http": {"method": "GET"}, "domainName": "localhost"});
        let own = own.as_object().expect("an object").clone();
        context.as_object_mut().expect("an object").extend(own);
        RequestSummary::from_event(event(json!({"rawPath": "/a%20b", "requestContext": context})))
    };
    let watch = context(json!({"stage": "$default", "apiId": null}));
    assert_eq!((watch.target.as_str(), watch.context.scheme()), ("/a%20b", Scheme::Http));
    let sam = context(json!({"stage": "$default", "apiId": "1234567890"}));
    assert_eq!(sam.target, "/a%2520b");
}

#[test]
fn no_target_is_a_panic() {
    for path in ["/a b", "/\u{e9}", "/a?b#c", "", "x", "*", "//", "/%", "/%zz", "/\u{0}", "/a\nb"] {
        for domain in ["a.lambda-url.x.on.aws", "a.execute-api.x.amazonaws.com", "localhost"] {
            let context = json!({"http": {"method": "GET"}, "domainName": domain});
            let query = "a b=\u{e9}#<>\"&%zz=+";
            let fields =
                json!({"rawPath": path, "rawQueryString": query, "requestContext": context});
            let seen = RequestSummary::from_event(event(fields));
            assert!(seen.target.ends_with("?a%20b=%C3%A9%23%3C%3E%22&%zz=+"), "{}", seen.target);
        }
    }
}

#[test]
fn a_target_that_is_too_long_is_414_and_a_method_that_is_none_400() {
    let translated = read(event(json!({"rawPath": format!("/{}", "a".repeat(70_000))})));
    assert_eq!(translated.request.expect_err("too long").status(), 414);
    let translated = read(event(json!({"requestContext": {"http": {"method": "G E T"}}})));
    assert_eq!(translated.request.expect_err("no method").status(), 400);
    let seen =
        RequestSummary::from_event(event(json!({"requestContext": {"http": {"method": "PURGE"}}})));
    assert_eq!(seen.method, "PURGE");
}

#[test]
fn a_multi_value_map_wins() {
    let seen = RequestSummary::from_event(
        json!({
            "httpMethod": "GET",
            "path": "/",
            "headers": {"x-a": "2", "x-b": "3"},
            "multiValueHeaders": {"x-a": ["1", "2"]},
            "queryStringParameters": {"q": "2"},
            "multiValueQueryStringParameters": {"q": ["1", "2"]},
            "requestContext": {"stage": "prod", "identity": {"sourceIp": "test-invoke-source-ip"}},
        })
        .to_string(),
    );
    assert_eq!(seen.all("x-a"), ["1", "2"]);
    assert_eq!(seen.target, "/?q=1&q=2");
    assert_eq!(seen.context.client_ip(), None);
}

/// An event with these maps, from a REST API, an HTTP API (payload 1.0) or a load balancer.
fn event_with_maps(source: &str, maps: &Value) -> String {
    let mut event = match source {
        "alb" => json!({"requestContext": {"elb": {}}}),
        "http" => json!({"version": "1.0", "requestContext": {"stage": "prod", "identity": {}}}),
        _ => json!({"requestContext": {"stage": "prod", "identity": {}}}),
    };
    let event = event.as_object_mut().expect("an object");
    event.extend([("httpMethod".into(), "GET".into()), ("path".into(), "/".into())]);
    event.extend(maps.as_object().expect("an object").clone());
    Value::Object(event.clone()).to_string()
}

#[test]
fn what_one_of_two_maps_holds_is_not_lost() {
    for source in ["rest", "http", "alb"] {
        let shape = match source {
            "rest" => Shape::REST,
            "http" => Shape::HTTP_1,
            _ => Shape::ALB_SINGLE,
        };
        // A multi-value map that says nothing.
        for nothing in [json!({}), json!(null), json!([]), json!({"x-a": []}), json!({"q": []})] {
            let seen = RequestSummary::from_event(event_with_maps(
                source,
                &json!({
                    "headers": {"x-a": "1", "Host": "a.example"},
                    "multiValueHeaders": nothing,
                    "queryStringParameters": {"q": "1", "r": "2"},
                    "multiValueQueryStringParameters": nothing,
                }),
            ));
            assert_eq!(seen.all("x-a"), ["1"], "{source} {nothing}");
            assert_eq!(seen.context.host(), Some("a.example"), "{source} {nothing}");
            assert_eq!(seen.target, "/?q=1&r=2", "{source} {nothing}");
            assert_eq!(*seen.shape, shape, "{source} {nothing}");
        }
        // A map that is partly filled, in another order and spelling, with a name without a value.
        let seen = RequestSummary::from_event(event_with_maps(
            source,
            &json!({
                "headers": {"x-a": "2", "X-B": "3", "x-c": "4", "x-d": "5"},
                "multiValueHeaders": {"x-c": null, "x-b": ["1", "3"], "X-A": ["2"]},
                "queryStringParameters": {"q": "2", "Q": "3", "r": "4", "s": null},
                "multiValueQueryStringParameters": {"r": [null], "q": ["1", "2"], "t": null},
            }),
        ));
        let headers = ["x-a", "x-b", "x-c", "x-d"].map(|name| seen.all(name).join("|"));
        assert_eq!(headers, ["2", "1|3", "4", "5"], "{source}");
        assert_eq!(seen.target, "/?q=1&q=2&Q=3&r=4&s=&t=", "{source}");
        // The single-value map says nothing.
        for nothing in [json!({}), json!(null), json!("x"), json!({"x-a": null, "q": null})] {
            let seen = RequestSummary::from_event(event_with_maps(
                source,
                &json!({
                    "headers": nothing,
                    "multiValueHeaders": {"x-a": ["1", "2"]},
                    "queryStringParameters": nothing,
                    "multiValueQueryStringParameters": {"q": ["1", "2"]},
                }),
            ));
            assert_eq!(seen.all("x-a"), ["1", "2"], "{source} {nothing}");
            assert!(seen.target.starts_with("/?q=1&q=2"), "{source} {nothing}: {}", seen.target);
        }
    }
}

#[test]
fn an_absent_or_null_map_is_an_empty_one_everywhere() {
    for nothing in [json!(null), json!({})] {
        let maps = json!({
            "headers": nothing, "multiValueHeaders": nothing,
            "queryStringParameters": nothing, "multiValueQueryStringParameters": nothing,
            "cookies": null, "pathParameters": nothing, "stageVariables": nothing,
        });
        for maps in [&maps, &json!({})] {
            for source in ["rest", "http", "alb"] {
                let seen = RequestSummary::from_event(event_with_maps(source, maps));
                assert_eq!((seen.target.as_str(), seen.headers.len()), ("/", 0), "{source} {maps}");
            }
            let seen = RequestSummary::from_event(event(maps.clone()));
            assert_eq!((seen.target.as_str(), seen.headers.len()), ("/", 0), "{maps}");
            let mut lattice = maps.clone();
            lattice["method"] = "GET".into();
            lattice["path"] = "/".into();
            lattice["requestContext"] = json!({"serviceNetworkArn": "arn"});
            let seen = RequestSummary::from_event(lattice.to_string());
            assert_eq!((seen.target.as_str(), seen.headers.len()), ("/", 0), "{lattice}");
        }
    }
}

/// Only a Function URL takes a stream, and it has no other domain than its own.
#[test]
fn an_http_api_is_one_whatever_its_domain_is_called() {
    let shape = |api: Value, domain: Value, stage: &str| {
        let context = json!({
            "http": {"method": "GET"}, "apiId": api, "domainName": domain, "stage": stage,
        });
        RequestSummary::from_event(event(json!({"rawPath": "/a%20b", "requestContext": context})))
            .shape
    };
    let api = "1a2b3c4d5e";
    for (id, domain, stage) in [
        (json!(api), json!("api.example.com"), "$default"),
        (json!(api), json!("api.example.com"), "prod"),
        (json!(api), json!("x.lambda-url.example.com"), "$default"),
        (json!(api), json!("lambda-url.on.aws.example.com"), "$default"),
        (json!(api), json!("a.b.lambda-url.example.com"), "prod"),
        (json!(api), json!("1a2b3c4d5e.execute-api.eu-central-1.amazonaws.com"), "prod"),
        (json!(api), json!("1a2b3c4d5e.execute-api.localhost.localstack.cloud:4566"), "prod"),
        (json!(api), json!("localhost"), "$default"),
        (json!(api), json!(null), "$default"),
        (json!(null), json!(null), "$default"),
    ] {
        assert_eq!(*shape(id, domain.clone(), stage), Shape::HTTP_2, "{domain} {stage}");
    }
    for (id, domain) in [
        (json!("abc"), json!("abc.lambda-url.eu-central-1.on.aws")),
        (json!(null), json!("abc.lambda-url.eu-central-1.on.aws")),
        (json!("abc"), json!("abc.lambda-url.us-east-1.localhost.localstack.cloud:4566")),
        (json!(null), json!("localhost")),
    ] {
        assert_eq!(*shape(id, domain.clone(), "$default"), Shape::FUNCTION_URL, "{domain}");
    }
}

#[test]
fn the_host_is_what_a_trusted_proxy_forwards() {
    let fields = |forwarded: &str| {
        let host = "abc.lambda-url.eu-central-1.on.aws";
        event(json!({"headers": {"host": host, "x-forwarded-host": forwarded}}))
    };
    let host = |forwarded: &str, forwarded_host: bool| {
        let event = Bytes::from(fields(forwarded));
        let translated = translate(&event, Context::new("id"), TrustedHeaders { forwarded_host });
        translated.expect("an HTTP event").context.host().map(str::to_owned)
    };
    let own = Some("abc.lambda-url.eu-central-1.on.aws".to_owned());
    assert_eq!(host("shop.example.com", true).as_deref(), Some("shop.example.com"));
    assert_eq!(host("shop.example.com", false), own);
    assert_eq!(host("no host", true), own);
    assert_eq!(host("", true), own);
}

#[test]
fn a_forged_address_is_not_believed() {
    let seen = RequestSummary::from_event(
        json!({
            "httpMethod": "GET", "path": "/", "requestContext": {"elb": {}},
            "headers": {"x-forwarded-for": "1.2.3.4, 203.0.113.7:4711"},
        })
        .to_string(),
    );
    assert_eq!(seen.context.client_ip().map(|ip| ip.to_string()).as_deref(), Some("203.0.113.7"));
}

#[test]
fn what_is_no_request_says_why() {
    let why = |event: &str| {
        let event = Bytes::copy_from_slice(event.as_bytes());
        translate(&event, Context::new("id"), TrustedHeaders::default()).expect_err("no request")
    };
    for event in ["{}", "1", "null", "[]", r#"{"httpMethod":"GET","path":"/"}"#] {
        assert!(matches!(why(event), NoRequest::Foreign), "{event}");
    }
    let sqs = r#"{"Records":[{"eventSource":"aws:sqs","body":"x"}]}"#;
    assert_eq!(why(sqs).kind(), "Runtime.NotAnHttpEvent");
    assert_eq!(why("{\"version\":\"2.0").kind(), "Runtime.BrokenEvent");
    assert!(why("{").to_string().contains("line 1 column 1"), "{}", why("{"));
    let no_method = r#"{"requestContext":{"http":{}}}"#;
    assert_eq!(why(no_method).to_string(), "the HTTP event is incomplete: it names no method");
}
