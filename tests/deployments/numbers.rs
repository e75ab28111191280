//! The numbers in the files: they follow from the presets, which `check` prints.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhost_tests::fleet::launch;
use anyhost_tests::process::PATIENCE;
use serde_json::Value;

use crate::tool::{deploy, yaml};

/// The time beyond the drain until the process is gone: delivery of the signal, and exit.
const SLACK: u64 = 1;

#[test]
fn the_grace_in_kubernetes_is_longer_than_the_drain() {
    let [deployment] = &yaml(&deploy("kubernetes/deployment.yaml"))[..] else { panic!("one") };
    let pod = &deployment["spec"]["template"]["spec"];
    let given = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(given >= grace("kubernetes") + SLACK, "{given}");
    // The endpoints know before the lame duck ends.
    let probe = &pod["containers"][0]["readinessProbe"];
    let [period, failures, timeout] = ["periodSeconds", "failureThreshold", "timeoutSeconds"]
        .map(|name| probe[name].as_u64().unwrap());
    let lame_duck = 5;
    assert!(period * failures + timeout <= lame_duck, "{probe}");
}

#[test]
fn the_plan_is_made_for_as_many_pods_as_the_autoscaler_starts() {
    let [deployment] = &yaml(&deploy("kubernetes/deployment.yaml"))[..] else { panic!("one") };
    let [autoscaler] = &yaml(&deploy("kubernetes/hpa.yaml"))[..] else { panic!("one") };
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let told = variable(&container["env"], "name", "APP_INSTANCES");
    assert_eq!(told, autoscaler["spec"]["maxReplicas"].to_string());
    assert_eq!(deployment["metadata"]["name"], autoscaler["spec"]["scaleTargetRef"]["name"]);
}

#[test]
fn names_and_labels_in_kubernetes_agree() {
    let one = |file: &str| yaml(&deploy(file)).remove(0);
    let (deployment, service) = (one("kubernetes/deployment.yaml"), one("kubernetes/service.yaml"));
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&service["spec"]["selector"], labels);
    assert_eq!(&one("kubernetes/pdb.yaml")["spec"]["selector"]["matchLabels"], labels);
    let policy = one("kubernetes/network-policy.yaml");
    assert_eq!(&policy["spec"]["podSelector"]["matchLabels"], labels);
    let port = &deployment["spec"]["template"]["spec"]["containers"][0]["ports"][0];
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    assert_eq!(policy["spec"]["ingress"][0]["ports"][0]["port"], port["containerPort"]);
    // The Job runs the same image with the same secret, by another verb.
    let job = one("kubernetes/migrate.yaml");
    let (serve, migrate) = (
        &deployment["spec"]["template"]["spec"]["containers"][0],
        &job["spec"]["template"]["spec"]["containers"][0],
    );
    assert_eq!(serve["image"], migrate["image"]);
    assert_eq!(migrate["args"], serde_json::json!(["migrate"]));
    // No update leaves it without a pod: an old one goes after a new one is there.
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
}

#[test]
fn cloud_run_is_told_what_its_contract_allows() {
    let [service] = &yaml(&deploy("cloud-run.yaml"))[..] else { panic!("one document") };
    assert_eq!(service["apiVersion"], "serving.knative.dev/v1");
    let template = &service["spec"]["template"];
    let container = &template["spec"]["containers"][0];
    // 10 seconds until SIGKILL, which nothing changes.
    assert!(grace("cloud-run") + SLACK <= 10);
    let most = template["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"].as_str();
    assert_eq!(most, Some(variable(&container["env"], "name", "APP_INSTANCES").as_str()));
    // PORT is Cloud Run's to set; it refuses a service that sets it.
    let names = container["env"].as_array().unwrap().iter().map(|variable| &variable["name"]);
    assert!(names.into_iter().all(|name| name != "PORT"));
    assert!((1..=1000).contains(&template["spec"]["containerConcurrency"].as_u64().unwrap()));
}

#[test]
fn fly_gives_the_time_that_the_preset_takes() {
    let fly = toml(&deploy("fly.toml"));
    let given = fly["kill_timeout"].trim_matches('"').trim_end_matches('s');
    assert!(given.parse::<u64>().unwrap() >= grace("fly") + SLACK, "{given}");
    assert_eq!(fly["http_service.internal_port"], "8080");
    assert_eq!(fly["deploy.release_command"], "\"migrate\"");
    assert_eq!(fly["http_service.checks.path"], "\"/readyz\"");
}

#[test]
fn render_gives_the_time_that_the_preset_takes() {
    let [blueprint] = &yaml(&deploy("render.yaml"))[..] else { panic!("one document") };
    let service = &blueprint["services"][0];
    let given = service["maxShutdownDelaySeconds"].as_u64().unwrap();
    assert!((grace("render") + SLACK..=300).contains(&given), "{given}");
    assert_eq!(service["healthCheckPath"], "/readyz");
    assert_eq!(
        variable(&service["envVars"], "key", "APP_INSTANCES"),
        service["numInstances"].to_string()
    );
    let named = &service["envVars"][0]["fromDatabase"]["name"];
    assert_eq!(named, &blueprint["databases"][0]["name"]);
    let dockerfile = service["dockerfilePath"].as_str().unwrap();
    assert!(crate::tool::root().join(dockerfile).exists(), "{dockerfile}");
}

#[test]
fn heroku_is_told_as_many_dynos_as_it_starts() {
    let app: Value =
        serde_json::from_str(&fs::read_to_string(deploy("app.json")).unwrap()).unwrap();
    let told = &app["env"]["APP_INSTANCES"]["value"];
    assert_eq!(told.as_str().unwrap(), app["formation"]["web"]["quantity"].to_string());
    // SIGKILL comes after 30 seconds.
    assert!(grace("heroku") + SLACK <= 30);
}

#[test]
fn the_readme_names_every_file() {
    let readme = fs::read_to_string(deploy("README.md")).unwrap();
    for folder in ["", "vm"] {
        for entry in fs::read_dir(deploy(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(deploy("")).unwrap().display().to_string();
            let itself = name == "README.md" || name == "vm" || name.ends_with(".dockerignore");
            let itself = itself || path.join("README.md").exists();
            assert!(itself || readme.contains(&format!("({name}")), "{name}");
        }
    }
}

/// The seconds that a preset's drain takes at most.
fn grace(platform: &str) -> u64 {
    let (check, _folder) = launch("echo-paas", &["check"], &[("PLATFORM", platform)]);
    let line = check.wait_for_line(&["grace:"]);
    assert!(check.wait_for_exit(PATIENCE).success());
    let seconds: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    Duration::from_secs_f64(seconds).as_secs()
}

/// The value of a variable in a list of `{name, value}`.
#[track_caller]
fn variable(list: &Value, key: &str, name: &str) -> String {
    let mut all = list.as_array().expect("a list").iter();
    let found = all.find(|variable| variable[key] == name);
    found.unwrap_or_else(|| panic!("{name} in {list}"))["value"].as_str().expect("text").into()
}

/// The values of a TOML file as they are written, by their path.
fn toml(file: &Path) -> HashMap<String, String> {
    let mut table = String::new();
    let mut values = HashMap::new();
    for line in fs::read_to_string(file).unwrap().lines().map(str::trim) {
        if line.starts_with('[') {
            table = format!("{}.", line.trim_matches(['[', ']']));
        } else if let Some((name, value)) = line.split_once(" = ") {
            values.insert(format!("{table}{name}"), value.to_owned());
        }
    }
    values
}
