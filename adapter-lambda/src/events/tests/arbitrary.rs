//! Random events: none causes a panic, and every accepted event is a request that HTTP can carry.

use anyhost_core::Context;
use anyhost_core::adapter::is_hop_by_hop;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::super::{TrustedHeaders, translate};

/// The real events that are changed at random.
const SEEDS: [&str; 10] = [
    fixture!("canonical-rest"),
    fixture!("canonical-http-1"),
    fixture!("canonical-http-2"),
    fixture!("canonical-function-url"),
    fixture!("canonical-alb-multi"),
    fixture!("canonical-alb-single"),
    fixture!("canonical-lattice"),
    fixture!("alb-health-check"),
    fixture!("rest-custom-domain"),
    fixture!("http-2-jwt"),
];

/// Translates an event, checks the result, and returns whether the event was accepted.
fn check(event: &[u8]) -> bool {
    let event = Bytes::copy_from_slice(event);
    let translated = translate(&event, Context::new("id"), TrustedHeaders { forwarded_host: true });
    let Ok(translated) = translated else { return false };
    let Ok(request) = translated.request else { return false };
    assert_eq!(request.method(), translated.method);
    // Everything that HTTP carries as text can be written and read again.
    let target = request.uri().path_and_query().expect("a target").as_str();
    target.parse::<http::Uri>().expect("a target that can be read again");
    assert!(target.starts_with('/') || target.starts_with('*'), "{target}");
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target}");
    for (name, value) in request.headers() {
        assert!(!is_hop_by_hop(name), "{name}");
        assert!(!value.as_bytes().iter().any(|byte| b"\r\n\0".contains(byte)), "{value:?}");
    }
    assert!(request.headers().get_all(COOKIE).iter().count() <= 1);
    let length = request.body().len().expect("a body in one piece");
    match request.headers().get(CONTENT_LENGTH) {
        Some(said) => assert_eq!(said, &length.to_string()),
        None => assert_eq!(length, 0),
    }
    let context = Context::get(&request).expect("a context");
    assert_eq!(context.request_id(), "id");
    true
}

/// A random JSON value, as deep as events are, with unusual strings.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[ -~]{0,24}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(".{0,8}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The places in an event that a test may change.
fn places(value: &Value, path: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in inner {
        path.push(name.replace('~', "~0").replace('/', "~1"));
        all.push(path.clone());
        places(value, path, all);
        path.pop();
    }
}

#[test]
fn every_seed_is_accepted() {
    for seed in SEEDS {
        assert!(check(seed.as_bytes()), "{seed}");
    }
}

#[test]
fn no_beginning_of_an_event_is_accepted() {
    for seed in SEEDS {
        let seed = seed.trim_end();
        for end in 0..seed.len() {
            assert!(!check(&seed.as_bytes()[..end]), "{end} bytes of {seed}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn any_json(value in value()) {
        check(value.to_string().as_bytes());
    }

    /// One to three values anywhere in a real event become anything.
    #[test]
    fn an_event_with_other_values(
        seed in 0..SEEDS.len(),
        changes in vec((any::<prop::sample::Index>(), value()), 1..4),
    ) {
        let mut event: Value = serde_json::from_str(SEEDS[seed]).expect("a seed is JSON");
        for (place, value) in changes {
            let mut all = Vec::new();
            places(&event, &mut Vec::new(), &mut all);
            let pointer = format!("/{}", place.get(&all).join("/"));
            *event.pointer_mut(&pointer).expect("a place of this event") = value;
        }
        check(event.to_string().as_bytes());
    }

    /// One string in every place that a client controls.
    #[test]
    fn an_event_with_hostile_texts(seed in 0..SEEDS.len(), name in ".{0,16}", text in ".{0,40}") {
        let mut event: Map<String, Value> =
            serde_json::from_str(SEEDS[seed]).expect("a seed is an object");
        for member in ["path", "rawPath", "rawQueryString", "body"] {
            if event.contains_key(member) {
                event.insert(member.into(), text.clone().into());
            }
        }
        for map in ["headers", "multiValueHeaders", "queryStringParameters",
            "multiValueQueryStringParameters"] {
            if let Some(Value::Object(map)) = event.get_mut(map) {
                map.insert(name.clone(), vec![text.clone(), name.clone()].into());
                map.insert(text.clone(), name.clone().into());
            }
        }
        let accepted = check(Value::Object(event).to_string().as_bytes());
        prop_assert!(accepted, "a client's text is no reason to refuse an event");
    }

    /// A byte anywhere in a real event becomes another.
    #[test]
    fn an_event_with_other_bytes(
        seed in 0..SEEDS.len(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut event = SEEDS[seed].as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(event.len());
            event[place] = byte;
        }
        check(&event);
    }
}
