//! Amazon ECS and Fargate, <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html>.

use std::time::Duration;

use crate::preset::{Preset, has};

/// `stopTimeout` is 30 seconds by default. The load balancer is told about the stop at the same time as the
/// task, as on Kubernetes.
pub(super) const PRESET: Preset = Preset {
    name: "ecs",
    is: |settings| has(settings, "ECS_CONTAINER_METADATA_URI_V4"),
    grace: Duration::from_secs(25),
    lame_duck: Duration::from_secs(5),
    ..Preset::BASE
};
