//! Parses an event's JSON in one pass into borrowed fields; unknown and odd fields are skipped.

mod value;

use std::fmt;

use serde::Deserializer;
use serde::de::{Deserialize, IgnoredAny, MapAccess, Visitor};

pub(crate) use value::{Body, Flag, Pairs, Present, Scalar, Text, Texts};
use value::{odd_list, odd_scalar, odd_text};

/// The fields of an event that describe an HTTP request, for every source.
///
/// A field that is missing, null or of an unexpected type is empty: gateways add and drop fields. Only
/// a body that is not a string is an error, because a request must not lose its body silently.
#[derive(Debug, Default)]
pub(crate) struct Event<'a> {
    /// Whether the event is a JSON object.
    pub(crate) present: bool,
    pub(crate) version: Text<'a>,
    /// `httpMethod`, or `method` in the events of other sources.
    pub(crate) method: Text<'a>,
    pub(crate) path: Text<'a>,
    pub(crate) raw_path: Text<'a>,
    pub(crate) raw_query: Text<'a>,
    pub(crate) headers: Pairs<'a>,
    pub(crate) multi_value_headers: Pairs<'a>,
    pub(crate) query: Pairs<'a>,
    pub(crate) multi_value_query: Pairs<'a>,
    pub(crate) cookies: Texts<'a>,
    pub(crate) body: Body<'a>,
    pub(crate) is_base64: Flag,
    /// Whether the event is for an authoriser (`methodArn`, `routeArn`), which does not answer the request.
    pub(crate) authorizer: Present,
    /// The resource of a REST API that the request was matched with.
    pub(crate) resource: Present,
    pub(crate) context: RequestContext<'a>,
}

/// `requestContext`, whose keys tell the sources apart.
#[derive(Debug, Default)]
pub(crate) struct RequestContext<'a> {
    pub(crate) present: bool,
    pub(crate) elb: Present,
    /// Whether the event is of a WebSocket's connection, which has no requests.
    pub(crate) connection: Present,
    pub(crate) http: Http<'a>,
    pub(crate) identity: Identity<'a>,
    pub(crate) service_network: Present,
    pub(crate) api: Text<'a>,
    pub(crate) stage: Text<'a>,
    pub(crate) path: Text<'a>,
    pub(crate) domain: Text<'a>,
}

/// `requestContext.http` of payload format 2.0.
#[derive(Debug, Default)]
pub(crate) struct Http<'a> {
    pub(crate) present: bool,
    pub(crate) method: Text<'a>,
    pub(crate) source_ip: Text<'a>,
}

/// `requestContext.identity` of payload format 1.0.
#[derive(Debug, Default)]
pub(crate) struct Identity<'a> {
    pub(crate) present: bool,
    pub(crate) source_ip: Text<'a>,
}

impl RequestContext<'_> {
    /// Whether the client used the name that AWS gave to this API or function: `{id}.execute-api.…`. A
    /// custom domain may contain the same words, but neither behind the id nor in a zone of AWS.
    pub(crate) fn on_domain_of(&self, service: &str) -> bool {
        let domain = self.domain.as_str();
        let mut labels = domain.split('.');
        let (first, second) = (labels.next(), labels.next());
        second == Some(service)
            && (self.api.filled() == first
                || [".amazonaws.com", ".amazonaws.com.cn", ".on.aws"]
                    .iter()
                    .any(|zone| domain.ends_with(zone)))
    }
}

impl<'a> Event<'a> {
    /// Reads an event.
    ///
    /// # Errors
    /// The position at which the event is not valid JSON.
    pub(crate) fn read(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let event = Self::deserialize(&mut reader)?;
        reader.end()?;
        Ok(event)
    }
}

/// Reads an object field by field: an unknown field is skipped, the last of repeated fields wins, and a value that is
/// not an object counts as an empty one.
macro_rules! object {
    ($object:ident { $($key:literal $(| $alias:literal)? => $field:ident),* $(,)? }) => {
        impl<'de: 'a, 'a> Deserialize<'de> for $object<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'de> Visitor<'de> for Fields {
                    type Value = $object<'de>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$object<'de>, A::Error> {
                        let mut object = $object { present: true, ..$object::default() };
                        while let Some(key) = map.next_key::<Text<'de>>()? {
                            match key.as_str() {
                                $($key $(| $alias)? => object.$field = map.next_value()?,)*
                                _ => {
                                    map.next_value::<IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(object)
                    }

                    odd_scalar!($object::default());
                    odd_text!($object::default());
                    odd_list!($object::default());
                }

                deserializer.deserialize_any(Fields)
            }
        }
    };
}

object!(Event {
    "version" => version,
    "httpMethod" | "method" => method,
    "path" => path,
    "rawPath" => raw_path,
    "rawQueryString" => raw_query,
    "headers" => headers,
    "multiValueHeaders" => multi_value_headers,
    "queryStringParameters" => query,
    "multiValueQueryStringParameters" => multi_value_query,
    "cookies" => cookies,
    "body" => body,
    "isBase64Encoded" => is_base64,
    "methodArn" | "routeArn" => authorizer,
    "resource" => resource,
    "requestContext" => context,
});

object!(RequestContext {
    "elb" => elb,
    "connectionId" => connection,
    "http" => http,
    "identity" => identity,
    "serviceNetworkArn" => service_network,
    "apiId" => api,
    "stage" => stage,
    "path" => path,
    "domainName" => domain,
});

object!(Http {
    "method" => method,
    "sourceIp" => source_ip,
});

object!(Identity {
    "sourceIp" => source_ip,
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_types_and_unknown_fields_are_passed_over() {
        let json = r#"{"version": 2.0, "headers": [1], "queryStringParameters": null, "cookies": "c",
            "requestContext": {"http": "no", "authorizer": {"claims": {"exp": 17}}, "stage": {"a": [1]}},
            "new": {"deep": [[[{}]]]}, "path": "/a", "path": "/b", "isBase64Encoded": "true"}"#;
        let event = Event::read(json.as_bytes()).expect("JSON");
        assert_eq!(event.path.as_str(), "/b");
        assert_eq!(event.version.as_str(), "");
        assert!(event.headers.0.is_none() && event.query.0.is_none());
        assert!(event.context.present && !event.context.http.present);
        assert!(event.is_base64.0);
    }

    #[test]
    fn a_map_keeps_its_order_its_repeats_and_what_is_no_text() {
        let json = br#"{"headers": {"B": "1", "a": ["2", "3"], "b": null, "n": 4, "o": {}}}"#;
        let event = Event::read(json).expect("JSON");
        let pairs = event.headers.0.expect("a map");
        let names: Vec<&str> = pairs.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["B", "a", "a", "b", "n", "o"]);
        assert_eq!(pairs[2].1, Scalar::Text("3".into()));
        assert_eq!(pairs[4].1, Scalar::Other("4".into()));
        assert_eq!(pairs[5].1, Scalar::Nothing);
    }

    #[test]
    fn what_is_no_object_is_an_empty_event_and_what_is_no_json_an_error() {
        for json in ["1", "null", "\"text\"", "[1, {}]", "true"] {
            assert!(!Event::read(json.as_bytes()).expect("JSON").present, "{json}");
        }
        for json in ["", "{", "{}{}", r#"{"version":"2.0"#, r#"{"body": {}}"#, "\u{feff}{}"] {
            Event::read(json.as_bytes()).expect_err(json);
        }
    }
}
