//! The facts that a host gives an App at start.

mod builder;
mod handles;
mod max_body;
mod resources;

use std::path::PathBuf;
#[cfg(feature = "db")]
use std::sync::Weak;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;

pub use builder::HostBuilder;
pub use handles::HostHandles;
use max_body::MaxBody;
pub use resources::Resources;

#[cfg(feature = "db")]
use crate::databases::DynDatabase;
use crate::databases::{Databases, ForeignPool};
#[cfg(feature = "db")]
use crate::db::Memory;
use crate::{Epoch, JobOutput, Lifecycle, Paradigm, Settings};

/// The host an App runs on: a container, a VM, a Lambda execution environment.
///
/// It has facts alone. What changes the process, an adapter does with `anyhost_core::adapter::HostHandles`.
///
/// A clone is the same host.
#[derive(Clone, Debug)]
pub struct Host(Arc<HostFacts>);

#[derive(Debug)]
struct HostFacts {
    paradigm: Paradigm,
    platform: String,
    resources: OnceLock<Resources>,
    instance: String,
    grace: Duration,
    concurrency: usize,
    database_tls: bool,
    max_body: MaxBody,
    settings: Settings,
    in_force: Vec<(&'static str, String)>,
    lifecycle: Lifecycle,
    epoch: Epoch,
    databases: Arc<Mutex<Databases>>,
    #[cfg(feature = "db")]
    memory: Memory,
}

impl Host {
    /// A host of a paradigm, under the name of its platform: `"heroku"`, `"systemd"`, `"lambda"`.
    pub fn builder(paradigm: Paradigm, platform: impl Into<String>) -> HostBuilder {
        HostBuilder {
            paradigm,
            platform: platform.into(),
            resources: None,
            instance: None,
            grace: Duration::from_secs(25),
            concurrency: 1,
            database_tls: false,
            settings: Settings::default(),
            in_force: Vec::new(),
        }
    }

    /// How this host runs processes.
    #[must_use]
    pub fn paradigm(&self) -> Paradigm {
        self.0.paradigm
    }

    /// The name of the platform.
    #[must_use]
    pub fn platform(&self) -> &str {
        &self.0.platform
    }

    /// The processors and the memory this process may use. Looked up when first asked for: dozens of system
    /// calls, for which a function that starts has no time.
    #[must_use]
    pub fn resources(&self) -> Resources {
        *self.0.resources.get_or_init(Resources::detect)
    }

    /// The id of this process among its siblings.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// The time between the platform's stop signal and its kill that this process may use.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// How many requests a serverless host gives one process at once; on Lambda 1, on Lambda Managed
    /// Instances `AWS_LAMBDA_MAX_CONCURRENCY`. Long-running hosts set no such limit and say 1.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.0.concurrency
    }

    /// Whether the platform's databases are only to be talked to through TLS, if their URL says nothing of it.
    #[must_use]
    pub fn demands_database_tls(&self) -> bool {
        self.0.database_tls
    }

    /// The largest request body in bytes: what the setting `MAX_BODY` says, else what the App
    /// [needs](Self::need_body), else 6 MiB.
    #[must_use]
    pub fn max_body(&self) -> usize {
        self.0.max_body.bytes()
    }

    /// Lets request bodies be as large as this, in bytes, for an App that takes uploads: called in its start. The
    /// operator's `MAX_BODY` wins, and the log says so. AWS Lambda delivers 6 MiB of JSON at most, whatever is
    /// asked for.
    ///
    /// ```
    /// # fn start(host: &anyhost_core::Host) {
    /// host.need_body(250 << 20);
    /// # }
    /// ```
    pub fn need_body(&self, bytes: usize) {
        self.0.max_body.need(bytes);
    }

    /// Says in the log how large bodies may be, if the App needs large ones.
    pub(crate) fn say_max_body(&self) {
        self.0.max_body.say(self.paradigm());
    }

    /// Runs a background job beside the requests, such as a cleaner or the reader of a queue: from the moment the
    /// process is ready until it drains, when it is dropped at its next `await`. If it returns, fails or panics before, the
    /// log says so, and the process goes on. A job returns nothing, or a result.
    ///
    /// A serverless host does not run it, since it would be frozen in the middle, and says so in the log; the verb
    /// `check` does not either. What belongs to a request is for [`Context::wait_until`](crate::Context::wait_until).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn start(host: &anyhost_core::Host) {
    /// host.spawn("cleaner", async {
    ///     loop {
    ///         tokio::time::sleep(Duration::from_secs(3600)).await;
    ///         // Clean up.
    ///     }
    /// });
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime; `start` is inside.
    pub fn spawn<J>(&self, name: impl Into<String>, job: J)
    where
        J: Future<Output: JobOutput> + Send + 'static,
    {
        crate::jobs::spawn(self, name.into(), job);
    }

    /// The folder for temporary files: the first of systemd's `CACHE_DIRECTORY` and `RUNTIME_DIRECTORY`, `TMPDIR`, and
    /// `/tmp`. It is the only folder that an App may expect to be writable.
    ///
    /// What is written there belongs to this process alone and may be gone at its next start. On Lambda it holds 512 MB,
    /// if the function asks for no more (`EphemeralStorage`, up to 10,240 MB), and keeps its files as long as the
    /// environment lives. In a container with a read-only root it exists only if a volume is mounted at `/tmp`; a volume in memory
    /// counts as memory of the container. systemd's `RuntimeDirectory` lies in memory, and its `CacheDirectory` on a disk.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        // systemd separates several folders by colons.
        let first = |name| self.settings().text(name)?.split(':').next();
        ["CACHE_DIRECTORY", "RUNTIME_DIRECTORY", "TMPDIR"]
            .into_iter()
            .find_map(first)
            .map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
    }

    /// The settings of this process.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The settings that the host has chosen values for, as `check` prints them.
    pub(crate) fn in_force(&self) -> &[(&'static str, String)] {
        &self.0.in_force
    }

    /// The life of this process.
    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.0.lifecycle
    }

    /// Tells of a pool that is no `Db`, such as one of diesel, tokio-postgres or Redis: it
    /// counts for readiness (`ping` within the time of a probe), for `check`, and is closed when the process drains.
    ///
    /// ```
    /// # fn example(host: &anyhost_core::Host) {
    /// host.adopt("cache", || Box::pin(async { Ok::<_, std::io::Error>(()) }), || Box::pin(async {}));
    /// # }
    /// ```
    pub fn adopt<E>(
        &self,
        name: impl Into<String>,
        ping: impl Fn() -> BoxFuture<'static, Result<(), E>> + Send + Sync + 'static,
        close: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) where
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let adopted = Arc::new(ForeignPool::new(name.into(), ping, close));
        self.0.databases.lock().unwrap_or_else(PoisonError::into_inner).push(adopted);
    }
}

#[cfg(feature = "db")]
impl Host {
    /// The databases in memory of this host.
    pub(crate) fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// Where databases are noted, for one that takes another in later.
    pub(crate) fn noted_databases(&self) -> Weak<Mutex<Databases>> {
        Arc::downgrade(&self.0.databases)
    }

    /// Opens a database with a view of the others, and notes it before another is opened.
    pub(crate) fn open_database<D: DynDatabase + Clone + 'static>(
        &self,
        open: impl FnOnce(&Databases) -> Result<D, crate::db::Error>,
    ) -> Result<D, crate::db::Error> {
        let mut databases = self.0.databases.lock().unwrap_or_else(PoisonError::into_inner);
        let database = open(&databases)?;
        databases.push(Arc::new(database.clone()));
        Ok(database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scratch_folder_is_the_one_that_the_host_names() {
        let scratch = |variables: &[(&str, &str)]| {
            let settings = Settings::from_pairs(variables.iter().copied());
            let host = Host::builder(Paradigm::LongRunning, "test").settings(settings).build();
            host.expect("valid").scratch()
        };
        assert_eq!(scratch(&[]), PathBuf::from("/tmp"));
        assert_eq!(scratch(&[("TMPDIR", "/var/tmp")]), PathBuf::from("/var/tmp"));
        let runtime = ("RUNTIME_DIRECTORY", "/run/notes:/run/more");
        assert_eq!(scratch(&[("TMPDIR", "/var/tmp"), runtime]), PathBuf::from("/run/notes"));
        assert_eq!(
            scratch(&[("CACHE_DIRECTORY", "/var/cache/notes"), runtime]),
            PathBuf::from("/var/cache/notes")
        );
    }
}
