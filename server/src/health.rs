//! `/livez`, `/readyz` and `/startupz`: what a platform asks a process, answered before the App is asked anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhost_core::adapter::HostHandles as _;
use anyhost_core::{Body, ConfigError, Host, Phase, Response, Setting, Settings};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use tokio::sync::Mutex;

use crate::shared::Shared;

/// How long one answer of the databases stands for all probes.
const FRESH: Duration = Duration::from_secs(1);

/// How long the databases may take to answer a probe. Kubernetes gives a probe one second by default.
const PATIENCE: Duration = Duration::from_millis(800);

/// A probe of a platform.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// Whether the process is alive. It always answers yes: a dead process does not answer.
    Live,
    /// Whether requests shall be sent here.
    Ready,
    /// Whether the App has started. A platform asks the other probes only afterwards.
    Started,
}

/// The variables of the paths, in the order of [`Probe`].
const VARIABLES: [&str; 3] = ["LIVEZ_PATH", "READYZ_PATH", "STARTUPZ_PATH"];

/// The paths that platforms ask. Requests for them never reach the App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes([String; 3]);

impl Default for Probes {
    fn default() -> Self {
        Self(["/livez", "/readyz", "/startupz"].map(String::from))
    }
}

impl Probes {
    /// No paths: all requests are the App's.
    pub(crate) fn none() -> Self {
        Self(Default::default())
    }

    /// The paths with what `LIVEZ_PATH`, `READYZ_PATH` and `STARTUPZ_PATH` say put over them. `off` leaves a
    /// path to the App: some front ends keep names that end in `z` for themselves.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is wrong.
    pub fn with(mut self, settings: &Settings) -> Result<Self, ConfigError> {
        for (name, path) in VARIABLES.into_iter().zip(&mut self.0) {
            if let Some(ProbePath(set)) = settings.get(name)? {
                *path = set;
            }
        }
        for (at, path) in self.0.iter().enumerate() {
            // The second of two probes with one path would never be asked.
            if !path.is_empty() && self.0[..at].contains(path) {
                let problem = format!("{path} is the path of another probe");
                return Err(ConfigError::new(VARIABLES[at], problem));
            }
        }
        Ok(self)
    }

    /// The path of each probe under its variable's name.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = (&'static str, String)> {
        let path = |path: &String| if path.is_empty() { "off".to_owned() } else { path.clone() };
        VARIABLES.into_iter().zip(self.0.iter().map(path))
    }

    /// Which paths the App is never asked for, and how to get them back, in a sentence.
    pub(crate) fn kept(&self) -> Option<String> {
        let all = self.0.iter().map(String::as_str).zip(VARIABLES);
        let (paths, names): (Vec<_>, Vec<_>) = all.filter(|(path, _)| !path.is_empty()).unzip();
        let (all, variables) = (paths.join(", "), names.join(", "));
        (!paths.is_empty()).then(|| {
            format!("the server handles {all}; set {variables} to off to leave them to the App")
        })
    }

    /// The probe that a path is, or none.
    pub(crate) fn find(&self, path: &str) -> Option<Probe> {
        let at = self.0.iter().position(|own| path == own)?;
        Some([Probe::Live, Probe::Ready, Probe::Started][at])
    }
}

struct ProbePath(String);

impl Setting for ProbePath {
    fn expected() -> String {
        "a path such as /health, or off".into()
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self(String::new())),
            _ => {
                let fits = |b: u8| b.is_ascii_graphic() && !b"?#\"<>".contains(&b);
                (text.starts_with('/') && text.bytes().all(fits)).then(|| Self(text.into()))
            }
        }
    }
}

impl Probe {
    /// Plain text, no redirect, any method, any `Host`: probes come without a scheme, with an address
    /// for a name, and follow nothing.
    pub(crate) async fn answer<A>(self, shared: &Shared<A>) -> Response {
        let (yes, no) = match self {
            Self::Live => ("ok", None),
            Self::Started => ("started", shared.app().is_none().then_some("starting")),
            Self::Ready => ("ready", shared.readiness.unready(&shared.host).await.map(|no| no.0)),
        };
        uncached(no.is_none(), "text/plain; charset=utf-8", format!("{}\n", no.unwrap_or(yes)))
    }
}

/// Returns an answer that holds for this moment: 200 if all is well, else 503.
pub(crate) fn uncached(well: bool, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    if !well {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The last answer of the databases.
#[derive(Default)]
pub(crate) struct Readiness {
    last: Mutex<Option<(Instant, Option<String>)>>,
    unready: AtomicBool,
}

impl Readiness {
    /// Why a database does not answer, or nothing. Probes that come together share one question.
    async fn check(&self, host: &Host) -> Option<String> {
        let mut last = self.last.lock().await;
        if let Some((when, why)) = &*last
            && when.elapsed() < FRESH
        {
            return why.clone();
        }
        let answer = host.databases().ready(PATIENCE).await;
        let why = answer.err().map(|error| error.to_string());
        if let Some(why) = &why {
            tracing::warn!("not ready: {why}");
        }
        self.unready.store(why.is_some(), Ordering::Relaxed);
        *last = Some((Instant::now(), why.clone()));
        why
    }

    /// Why requests shall not be sent here, or nothing: in a word for everybody, and in detail for operators.
    pub(crate) async fn unready(&self, host: &Host) -> Option<(&'static str, String)> {
        match host.lifecycle().phase() {
            Phase::Starting => Some(("starting", "the App is starting".into())),
            Phase::Ready => self.check(host).await.map(|why| ("a database does not answer", why)),
            Phase::Draining | Phase::Stopped => Some(("draining", "the host said stop".into())),
        }
    }

    /// Whether the databases answered when they were last asked.
    pub(crate) fn last(&self) -> bool {
        !self.unready.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_another_or_none() {
        let settings = Settings::from_pairs([("LIVEZ_PATH", "/health"), ("READYZ_PATH", "off")]);
        let probes = Probes::default().with(&settings).expect("paths");
        assert!(matches!(probes.find("/health"), Some(Probe::Live)));
        assert!(matches!(probes.find("/startupz"), Some(Probe::Started)));
        assert!(probes.find("/livez").is_none() && probes.find("/readyz").is_none());
        let kept = "the server handles /health, /startupz; set LIVEZ_PATH, STARTUPZ_PATH to off to leave them to the App";
        assert_eq!(probes.kept().as_deref(), Some(kept));
        assert_eq!(Probes::none().kept(), None);
    }
}
