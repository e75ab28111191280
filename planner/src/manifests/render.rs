//! Render: the web services of a blueprint.

use anyhost_core::Paradigm;
use serde_json::Value;

use super::Deployed;
use super::kubernetes::{variables, whole};

pub(crate) fn read(file: &str, document: &Value) -> Vec<Deployed> {
    // A blueprint has services of a type with a runtime; so has no other file that is read here.
    let services = document["services"].as_array().into_iter().flatten();
    let web = services.filter(|service| {
        service["type"] == "web" && (service["runtime"].is_string() || service["env"].is_string())
    });
    let deployed = web.map(|service| {
        let scaled = whole(&service["scaling"]["maxInstances"]).map(|most| (most, "maxInstances"));
        let fixed = (whole(&service["numInstances"]).unwrap_or(1), "numInstances");
        Deployed {
            file: file.into(),
            name: service["name"].as_str().unwrap_or("without a name").to_owned(),
            paradigm: Paradigm::LongRunning,
            most: Some(scaled.unwrap_or(fixed)),
            overlap: 2.0,
            cores: 1.0,
            kill: Some((
                service["maxShutdownDelaySeconds"].as_f64().unwrap_or(30.0),
                "maxShutdownDelaySeconds",
            )),
            preset_grace: 25.0,
            concurrency: 1,
            variables: variables(&service["envVars"]),
            doors: Vec::new(),
        }
    });
    deployed.collect()
}
