//! The JSON of an answer against its schema: every field is described, and nothing else is there.

use std::process::Command;

use serde_json::Value;

const SCHEMA: &str = include_str!("../../data/plan.schema.json");

/// Checks a value against the part of JSON Schema that the file uses.
fn check(schema: &Value, root: &Value, value: &Value, path: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return check(&root["$defs"][name], root, value, path);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
        kind => kind.as_str().into_iter().collect(),
    };
    let fits = allowed.contains(&kind) || kind == "integer" && allowed.contains(&"number");
    assert!(fits || allowed.is_empty(), "{path}: is {kind}, expected {allowed:?}");
    if let Some(object) = value.as_object() {
        let properties = schema["properties"].as_object();
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(object.contains_key(name), "{path}: has no {name}");
        }
        for (name, value) in object {
            let path = format!("{path}/{name}");
            match properties.and_then(|properties| properties.get(name)) {
                Some(schema) => check(schema, root, value, &path),
                None => {
                    assert!(schema["additionalProperties"] != false, "{path}: is not described")
                }
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], root, item, &format!("{path}/{index}"));
    }
}

fn plan(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_anyhost"))
        .arg("plan")
        .args(arguments)
        .arg("--json")
        .output()
        .expect("it runs");
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("it is JSON"))
}

#[test]
fn the_json_is_as_its_schema_says() {
    let schema = serde_json::from_str::<Value>(SCHEMA).expect("it is JSON");
    let (code, value) = plan(&["steady:mean=2,days=0.02"]);
    assert_eq!(code, Some(0));
    check(&schema, &schema, &value, "");
    assert_eq!((&value["schema"], &value["inputs"]["seed"]), (&1.into(), &1.into()));
    let (code, value) = plan(&[
        "steady:mean=2,days=0.02",
        "--no-database",
        "--host",
        "heroku-basic",
        "--service",
        "40s",
    ]);
    assert_eq!(code, Some(2), "no host reaches the goals");
    check(&schema, &schema, &value, "");
    // The negative control: a field that is not described is found.
    let mut more = value;
    more["surprise"] = true.into();
    assert!(std::panic::catch_unwind(|| check(&schema, &schema, &more, "")).is_err());
}
