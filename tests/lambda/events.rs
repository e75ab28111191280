//! The facts about a request in an event and its headers: the door, both kinds of maps, the tenant, the host.

use anyhost_tests::runtime_api::{Endpoint, Fault, RuntimeApi};
use serde_json::{Value, json};

use crate::function::{Function, content, get};

/// An event of an API with payload format 2.0 under this name.
fn get_by(domain: &str, path: &str) -> String {
    let mut event: Value = serde_json::from_str(&get(path)).expect("an event is JSON");
    event["requestContext"]["apiId"] = "1a2b3c4d5e".into();
    event["requestContext"]["domainName"] = domain.into();
    event.to_string()
}

#[tokio::test]
async fn an_http_api_with_a_custom_domain_gets_its_answer_in_one_piece() {
    let function = Function::faulty(&[("RESPONSE_MODE", "streaming")]);
    for domain in ["api.example.com", "x.lambda-url.example.com", "localhost"] {
        let answer = function.api.invoke(get_by(domain, "/chunks")).await;
        assert!(!answer.clone().response().streamed(), "{domain}");
        assert_eq!(content(&answer), (201, "one two three".into()), "{domain}");
    }
    let url = function.api.invoke(get("/chunks")).await.response();
    assert!(url.streamed(), "the control: a Function URL");
}

#[tokio::test]
async fn an_empty_map_beside_a_filled_one_loses_nothing() {
    let function = Function::faulty(&[]);
    for context in [
        json!({"stage": "prod", "identity": {"sourceIp": "203.0.113.7"}}),
        json!({"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}}),
    ] {
        for nothing in [json!({}), json!(null), json!({"host": []})] {
            let event = json!({
                "httpMethod": "GET", "path": "/host", "requestContext": context,
                "headers": {"Host": "shop.example.com"}, "multiValueHeaders": nothing,
            });
            let answer = content(&function.api.invoke(event.to_string()).await);
            assert_eq!(answer, (200, "shop.example.com".into()), "{event}");
            let event = json!({
                "httpMethod": "GET", "path": "/wait", "requestContext": context, "headers": {},
                "queryStringParameters": {"1": ""}, "multiValueQueryStringParameters": nothing,
            });
            let answer = content(&function.api.invoke(event.to_string()).await);
            assert_eq!(answer, (200, "waited".into()), "{event}");
        }
    }
}

#[tokio::test]
async fn the_tenant_is_known_to_the_app_and_named_in_the_log() {
    let api = RuntimeApi::start();
    api.fault(Endpoint::Next, Fault::Header("lambda-runtime-aws-tenant-id", "blue"));
    let function = Function::faulty_on(api, &[("AWS_LAMBDA_LOG_FORMAT", "JSON")]);
    assert_eq!(function.get("/tenant").await, (200, "blue".into()));
    let line = function.process.wait_for_line(&["which tenant?"]);
    let line: Value = serde_json::from_str(&line).expect("every line is JSON");
    assert_eq!(line["tenantId"], "blue");
    // Another environment, without a tenant.
    let function = Function::faulty(&[("AWS_LAMBDA_LOG_FORMAT", "JSON")]);
    assert_eq!(function.get("/tenant").await, (200, "none".into()));
    assert!(!function.process.wait_for_line(&["which tenant?"]).contains("tenantId"));
}

#[tokio::test]
async fn a_forwarded_host_is_believed_only_where_the_operator_says_so() {
    let mut event: Value = serde_json::from_str(&get("/host")).expect("an event is JSON");
    event["headers"]["x-forwarded-host"] = "evil.example, shop.example.com".into();
    for (settings, host) in [
        (&[("TRUSTED_HEADERS", "X-Forwarded-Host")][..], "shop.example.com"),
        (&[], "abc.lambda-url.eu-central-1.on.aws"),
    ] {
        let function = Function::faulty(settings);
        let answer = content(&function.api.invoke(event.to_string()).await);
        assert_eq!(answer, (200, host.into()));
    }
}
