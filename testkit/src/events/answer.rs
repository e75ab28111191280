//! Converts a function's answer into the client's response, as each front end does.
//!
//! An error here stands for an answer that the real front end turns into 502, or drops silently.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::json::Members;
use crate::Response;

/// API Gateway's payload 1.0: both maps are merged, any other member is a 502.
pub(super) fn rest(bytes: &[u8]) -> Result<Response, String> {
    let mut answer = Answer::parse(
        bytes,
        &["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"],
    )?;
    let many = answer.lists("multiValueHeaders")?;
    for (name, value) in answer.values("headers")? {
        // A header that is in both maps is sent once.
        let known = many.iter().any(|(n, v)| n.eq_ignore_ascii_case(&name) && *v == value);
        if !known {
            answer.header(&name, &value)?;
        }
    }
    for (name, value) in many {
        answer.header(&name, &value)?;
    }
    Ok(answer.response)
}

/// API Gateway's payload 2.0 and Function URLs: one map, and cookies by themselves.
pub(super) fn version_2(bytes: &[u8]) -> Result<Response, String> {
    let mut answer =
        Answer::parse(bytes, &["statusCode", "headers", "cookies", "body", "isBase64Encoded"])?;
    for (name, value) in answer.values("headers")? {
        answer.header(&name, &value)?;
    }
    for cookie in answer.strings("cookies")? {
        answer.header("set-cookie", &cookie)?;
    }
    Ok(answer.response)
}

/// A load balancer with single-value headers.
pub(super) fn alb_single(bytes: &[u8]) -> Result<Response, String> {
    let mut answer = Answer::of_alb(bytes, "headers")?;
    for (name, value) in answer.values("headers")? {
        answer.header(&name, &value)?;
    }
    Ok(answer.response)
}

/// A load balancer with multi-value headers.
pub(super) fn alb_multi(bytes: &[u8]) -> Result<Response, String> {
    let mut answer = Answer::of_alb(bytes, "multiValueHeaders")?;
    for (name, value) in answer.lists("multiValueHeaders")? {
        answer.header(&name, &value)?;
    }
    Ok(answer.response)
}

/// VPC Lattice: a value may be a string or an array.
pub(super) fn lattice(bytes: &[u8]) -> Result<Response, String> {
    let known = ["statusCode", "statusDescription", "headers", "body", "isBase64Encoded"];
    let mut answer = Answer::parse(bytes, &known)?;
    for (name, value) in answer.members.object("headers")? {
        match value {
            Value::String(value) => answer.header(&name, &value)?,
            value => {
                for value in strings(&name, &value)? {
                    answer.header(&name, &value)?;
                }
            }
        }
    }
    Ok(answer.response)
}

struct Answer {
    members: Members,
    response: Response,
}

impl Answer {
    fn parse(bytes: &[u8], known: &[&str]) -> Result<Self, String> {
        let members = Members::parse(bytes)?;
        if let Some(name) = members.names().find(|name| !known.contains(name)) {
            return Err(format!("a member this front end does not know: {name}"));
        }
        let status = members.get("statusCode")?.as_u64();
        let status = status.filter(|status| (200..600).contains(status));
        let status = status.ok_or("no statusCode that is a final status")?;
        let mut response = Response::new(status as u16);
        let is_base64 = match members.get("isBase64Encoded")? {
            Value::Null => false,
            Value::Bool(flag) => flag,
            other => return Err(format!("isBase64Encoded: {other}")),
        };
        response.body = match members.get("body")? {
            Value::Null => Vec::new(),
            Value::String(body) if is_base64 => {
                STANDARD.decode(body).map_err(|error| format!("body: {error}"))?
            }
            Value::String(body) => body.into_bytes(),
            other => return Err(format!("body: {other}")),
        };
        Ok(Self { members, response })
    }

    fn of_alb(bytes: &[u8], map: &str) -> Result<Self, String> {
        let known = ["statusCode", "statusDescription", map, "body", "isBase64Encoded"];
        let answer = Self::parse(bytes, &known)?;
        if !answer.members.get("isBase64Encoded")?.is_boolean() {
            return Err("a load balancer demands isBase64Encoded".into());
        }
        let description = answer.members.get("statusDescription")?;
        let status = answer.response.status.to_string();
        match description.as_str().and_then(|text| text.strip_prefix(status.as_str())) {
            Some(reason) if reason.starts_with(' ') && reason.len() > 1 => Ok(answer),
            _ => Err(format!("statusDescription: {description}")),
        }
    }

    fn header(&mut self, name: &str, value: &str) -> Result<(), String> {
        let fits = HeaderValue::from_bytes(value.as_bytes()).is_ok();
        if !fits || name.parse::<HeaderName>().is_err() {
            return Err(format!("no header: {name}: {value}"));
        }
        self.response.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        Ok(())
    }

    fn values(&self, member: &str) -> Result<Vec<(String, String)>, String> {
        let values = self.members.object(member)?.into_iter().map(|(name, value)| match value {
            Value::String(value) => Ok((name, value)),
            other => Err(format!("{member}: {name} is no string: {other}")),
        });
        values.collect()
    }

    fn lists(&self, member: &str) -> Result<Vec<(String, String)>, String> {
        let mut pairs = Vec::new();
        for (name, value) in self.members.object(member)? {
            let values = strings(&name, &value)?;
            pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
        }
        Ok(pairs)
    }

    fn strings(&self, member: &str) -> Result<Vec<String>, String> {
        match self.members.get(member)? {
            Value::Null => Ok(Vec::new()),
            value => strings(member, &value),
        }
    }
}

fn strings(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let list = value.as_array().ok_or_else(|| format!("{name} is no array: {value}"))?;
    let strings = list.iter().map(|item| item.as_str().map(str::to_owned));
    strings.collect::<Option<_>>().ok_or_else(|| format!("{name} holds more than strings: {value}"))
}
