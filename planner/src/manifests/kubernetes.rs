//! Kubernetes: Deployments with their autoscalers, and the services of Cloud Run and Knative.

use std::collections::BTreeMap;

use anyhost_core::Paradigm;
use serde_json::Value;

use super::Deployed;

/// An autoscaler: what it scales, and to how many at most.
#[derive(Clone, Debug)]
pub(crate) struct Scaler {
    target: String,
    most: usize,
}

impl Scaler {
    pub(crate) fn read(document: &Value) -> Option<Self> {
        if document["kind"] != "HorizontalPodAutoscaler" {
            return None;
        }
        let spec = &document["spec"];
        let target = spec["scaleTargetRef"]["name"].as_str()?.to_owned();
        Some(Self { target, most: whole(&spec["maxReplicas"])? })
    }
}

/// The most pods of a Deployment are those of its autoscaler.
pub(crate) fn apply(scalers: &[Scaler], deployed: &mut Deployed) {
    let of_kubernetes = deployed.most.is_some_and(|(_, words)| words == "replicas");
    if let Some(scaler) = scalers.iter().find(|s| of_kubernetes && s.target == deployed.name) {
        deployed.most = Some((scaler.most, "maxReplicas"));
    }
}

pub(crate) fn read(file: &str, document: &Value) -> Option<Deployed> {
    let version = document["apiVersion"].as_str()?;
    let kind = document["kind"].as_str()?;
    let spec = &document["spec"];
    let template = &spec["template"];
    let pod = &template["spec"];
    let container = pod["containers"].get(0)?;
    let name = document["metadata"]["name"].as_str().unwrap_or("without a name").to_owned();
    let base = Deployed {
        file: file.into(),
        name,
        paradigm: Paradigm::LongRunning,
        most: None,
        overlap: 2.0,
        cores: cores(&container["resources"]["limits"]["cpu"]),
        kill: None,
        preset_grace: 25.0,
        concurrency: 1,
        variables: variables(&container["env"]),
        doors: Vec::new(),
    };
    if version.starts_with("serving.knative.dev/") && kind == "Service" {
        let annotation = &template["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"];
        let most = whole(annotation).unwrap_or(100);
        // SIGKILL follows SIGTERM after 10 seconds, which nothing in the file changes.
        return Some(Deployed {
            most: Some((most, "maxScale")),
            kill: Some((10.0, "Cloud Run's 10 s")),
            preset_grace: 8.0,
            ..base
        });
    }
    if !matches!(kind, "Deployment" | "StatefulSet") {
        return None;
    }
    let replicas = whole(&spec["replicas"]).unwrap_or(1);
    let stop = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_f64().unwrap_or(0.0);
    let kill = pod["terminationGracePeriodSeconds"].as_f64().unwrap_or(30.0) - stop;
    Some(Deployed {
        most: Some((replicas, "replicas")),
        kill: Some((kill, "terminationGracePeriodSeconds")),
        ..base
    })
}

/// A whole number, written as one or as a text.
pub(crate) fn whole(value: &Value) -> Option<usize> {
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    number.and_then(|number| usize::try_from(number).ok())
}

/// Names and values of a list of `name`/`key` and `value`.
pub(crate) fn variables(list: &Value) -> BTreeMap<String, String> {
    let entries = list.as_array().into_iter().flatten().filter_map(|entry| {
        let name = entry["name"].as_str().or(entry["key"].as_str())?;
        Some((name.to_owned(), text(&entry["value"])?))
    });
    entries.collect()
}

pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `500m` or `2`; one if there is no limit, as the least that a plan is made for.
fn cores(value: &Value) -> f64 {
    let text = text(value).unwrap_or_default();
    let number = match text.strip_suffix('m') {
        Some(thousandths) => thousandths.parse::<f64>().map(|number| number / 1000.0),
        None => text.parse(),
    };
    number.ok().filter(|number| *number > 0.0).unwrap_or(1.0)
}
