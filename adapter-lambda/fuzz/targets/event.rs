//! Any bytes as an event: none panics, and what is accepted is a request that HTTP can carry.
//!
//! ```text
//! cargo +nightly fuzz run event corpus ../tests/events -- -dict=event.dict -max_total_time=600
//! ```
#![no_main]

use anyhost_core::adapter::is_hop_by_hop;
use anyhost_core::Context;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|event: &[u8]| {
    let Ok((request, _)) = anyhost_lambda::request_of(&Bytes::copy_from_slice(event)) else { return };
    let target = request.uri().path_and_query().expect("a target").as_str();
    target.parse::<http::Uri>().expect("a target that can be read again");
    assert!(target.starts_with('/') || target == "*");
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()));
    for (name, value) in request.headers() {
        assert!(!is_hop_by_hop(name));
        assert!(!value.as_bytes().iter().any(|byte| b"\r\n\0".contains(byte)));
    }
    assert!(request.headers().get_all(COOKIE).iter().count() <= 1);
    let length = request.body().len().expect("a body in one piece");
    match request.headers().get(CONTENT_LENGTH) {
        Some(said) => assert_eq!(said, &length.to_string()),
        None => assert_eq!(length, 0),
    }
    assert!(Context::get(&request).is_some());
});
