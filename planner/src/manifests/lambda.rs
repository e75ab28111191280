//! SAM and CloudFormation: functions with their doors.

use anyhost_core::Paradigm;
use serde_json::Value;

use super::kubernetes::text;
use super::{Deployed, Door};

pub(crate) fn read(file: &str, document: &Value) -> Vec<Deployed> {
    let Some(resources) = document["Resources"].as_object() else { return Vec::new() };
    let template = Template(document);
    let functions = resources.iter().filter(|(_, resource)| {
        matches!(
            resource["Type"].as_str(),
            Some("AWS::Serverless::Function" | "AWS::Lambda::Function")
        )
    });
    functions
        .map(|(name, resource)| template.function(file, name, &resource["Properties"]))
        .collect()
}

struct Template<'a>(&'a Value);

impl Template<'_> {
    fn function(&self, file: &str, name: &str, properties: &Value) -> Deployed {
        let reserved = self.text(&properties["ReservedConcurrentExecutions"]);
        let reserved = reserved.and_then(|reserved| reserved.parse().ok());
        let most = match reserved {
            Some(reserved) => (reserved, "ReservedConcurrentExecutions"),
            None => (1000, "no ReservedConcurrentExecutions, so the account's 1,000"),
        };
        let variables = properties["Environment"]["Variables"].as_object();
        let variables = variables.into_iter().flatten();
        let variables =
            variables.filter_map(|(name, value)| Some((name.clone(), self.text(value)?))).collect();
        Deployed {
            file: file.into(),
            name: name.into(),
            paradigm: Paradigm::Serverless,
            most: Some(most),
            overlap: 1.0,
            cores: 1.0,
            kill: None,
            preset_grace: 0.0,
            concurrency: 1,
            variables,
            doors: self.doors(name, properties),
        }
    }

    fn doors(&self, function: &str, properties: &Value) -> Vec<Door> {
        let streams =
            |url: &Value| self.text(&url["InvokeMode"]).as_deref() == Some("RESPONSE_STREAM");
        let mut doors = Vec::new();
        let url = &properties["FunctionUrlConfig"];
        if url.is_object() {
            doors.push(Door { name: "Function URL".into(), streams: streams(url) });
        }
        for (name, event) in properties["Events"].as_object().into_iter().flatten() {
            if let Some(kind @ ("HttpApi" | "Api")) = event["Type"].as_str() {
                doors.push(Door { name: format!("{kind} {name}"), streams: false });
            }
        }
        // A URL of its own, as CloudFormation writes it.
        let resources = self.0["Resources"].as_object();
        for resource in resources.into_iter().flatten().map(|(_, resource)| resource) {
            let url = &resource["Properties"];
            let target = self.text(&url["TargetFunctionArn"]).unwrap_or_default();
            if resource["Type"] == "AWS::Lambda::Url" && target.split('.').next() == Some(function)
            {
                doors.push(Door { name: "Function URL".into(), streams: streams(url) });
            }
        }
        doors
    }

    /// A text, if the template decides it: through `Ref` to a parameter's default and `If` on such. The short tags
    /// `!Ref` and `!If` come as what they are put before.
    fn text(&self, value: &Value) -> Option<String> {
        match value {
            Value::Object(map) => match map.iter().next()? {
                (name, inner) if name == "Ref" => self.text(inner),
                (name, inner) if name == "Fn::If" => self.text(inner),
                (name, inner) if name == "Fn::GetAtt" => match inner {
                    Value::Array(parts) => self.text(parts.first()?),
                    other => text(other),
                },
                _ => None,
            },
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(condition), then, otherwise] => {
                    self.text(if self.condition(condition)? { then } else { otherwise })
                }
                _ => None,
            },
            other => {
                let found = text(other)?;
                let default = &self.0["Parameters"][&found]["Default"];
                Some(text(default).unwrap_or(found))
            }
        }
    }

    fn condition(&self, name: &str) -> Option<bool> {
        let condition = &self.0["Conditions"][name];
        match condition.get("Fn::Equals").unwrap_or(condition).as_array()?.as_slice() {
            [left, right] => Some(self.text(left)? == self.text(right)?),
            _ => None,
        }
    }
}
