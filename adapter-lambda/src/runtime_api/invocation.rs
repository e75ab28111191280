//! One invocation, as the Runtime API delivers it.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::{Fault, INVOCATION_ID};

/// A deadline in the past, or more than a day ahead, is ignored as invalid: a
/// function may run for 15 minutes at most, and `cargo lambda watch` sends 600000.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// One invocation: an event with its metadata.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The request id.
    pub(crate) id: String,
    /// An id that is sent back with the answer, so that Lambda can match a late answer.
    pub(super) invocation_id: Option<HeaderValue>,
    /// The time at which Lambda kills this process, if it is given.
    pub(crate) deadline: Option<Instant>,
    /// X-Ray's trace header.
    pub(crate) trace: Option<String>,
    /// The tenant that this execution environment serves, if the function isolates tenants.
    pub(crate) tenant_id: Option<String>,
    /// The event.
    pub(crate) event: Bytes,
}

impl Invocation {
    pub(super) fn read(headers: HeaderMap, event: Bytes) -> Result<Self, Fault> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let id = text("lambda-runtime-aws-request-id").filter(|id| is_id(id));
        let id = id.ok_or(Fault::Missing("a lambda-runtime-aws-request-id"))?;
        Ok(Self {
            id: id.to_owned(),
            invocation_id: headers.get(INVOCATION_ID).cloned(),
            deadline: text("lambda-runtime-deadline-ms")
                .and_then(|text| text.parse().ok())
                .and_then(deadline),
            trace: text("lambda-runtime-trace-id").map(str::to_owned),
            tenant_id: text("lambda-runtime-aws-tenant-id")
                .filter(|id| !id.is_empty())
                .map(str::to_owned),
            event,
        })
    }

    /// The trace in the form of W3C's `traceparent`, which OpenTelemetry reads.
    pub(crate) fn trace_parent(&self) -> Option<String> {
        trace_parent(self.trace.as_deref()?)
    }
}

/// Returns whether an id can be part of the answer's path.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn deadline(epoch_ms: u64) -> Option<Instant> {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(epoch_ms))?;
    let left = at.duration_since(SystemTime::now()).ok()?;
    (left <= LONGEST).then(|| Instant::now() + left)
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1` as
/// `00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01`.
fn trace_parent(header: &str) -> Option<String> {
    let field = |name: &str| {
        header.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let (time, random) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let parent = field("Parent")?;
    if !hex(time, 8) || !hex(random, 24) || !hex(parent, 16) {
        return None;
    }
    let sampled = if field("Sampled") == Some("1") { "01" } else { "00" };
    Some(format!("00-{time}{random}-{parent}-{sampled}").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xray_header_becomes_a_traceparent() {
        assert_eq!(
            trace_parent(
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
            ),
            Some("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01".into())
        );
        assert_eq!(
            trace_parent(
                "Parent=53995c3f42cd8ad8; Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a:0"
            ),
            Some("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00".into())
        );
        assert_eq!(trace_parent("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"), None);
        assert_eq!(trace_parent("Root=1-5759e988-é"), None);
        assert_eq!(trace_parent(""), None);
    }

    #[test]
    fn a_deadline_that_is_no_point_in_time_is_not_believed() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let now = u64::try_from(now.as_millis()).expect("a few digits");
        let left = deadline(now + 3_000).expect("soon").saturating_duration_since(Instant::now());
        assert!((2..=3).contains(&left.as_secs()), "{left:?}");
        assert_eq!(deadline(600_000), None);
        assert_eq!(deadline(now - 1), None);
        assert_eq!(deadline(now + 90_000_000), None);
        assert_eq!(deadline(u64::MAX), None);
    }

    #[test]
    fn an_event_without_an_id_cannot_be_answered() {
        let mut headers = HeaderMap::new();
        assert!(Invocation::read(headers.clone(), Bytes::new()).is_err());
        headers.insert("lambda-runtime-aws-request-id", HeaderValue::from_static("a/../b"));
        assert!(Invocation::read(headers.clone(), Bytes::new()).is_err());
        headers.insert("lambda-runtime-aws-request-id", HeaderValue::from_static("8476a536-e9f4"));
        let invocation = Invocation::read(headers.clone(), Bytes::new()).expect("an id is enough");
        assert!(invocation.deadline.is_none() && invocation.trace.is_none());
        for (said, expected) in [("", None), ("blue", Some("blue")), ("a/b: c", Some("a/b: c"))] {
            headers.insert("Lambda-Runtime-Aws-Tenant-Id", HeaderValue::from_static(said));
            let invocation = Invocation::read(headers.clone(), Bytes::new()).expect("an id");
            assert_eq!(invocation.tenant_id.as_deref(), expected);
        }
    }
}
