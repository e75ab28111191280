//! The threads of a server, each with a runtime of its own, and the database of their process.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::adapter::Worker;
use anyhost_core::db::Db;
use anyhost_tests::servers::Postgres;
use sqlx::Postgres as Pg;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::kit::host;

const PATIENCE: Duration = Duration::from_secs(20);

/// The threads of a server, and a database that was opened by the process they belong to.
pub(crate) struct Crew {
    pub(crate) home: Runtime,
    workers: Vec<(Handle, oneshot::Sender<()>, JoinHandle<()>)>,
    pub(crate) url: String,
    pub(crate) db: Db<Pg>,
}

impl Crew {
    pub(crate) fn of(count: usize, size: usize) -> Self {
        let url = Postgres::shared().database();
        let (workers, crew): (Vec<_>, Vec<_>) = (0..count).map(begin).unzip();
        let size = size.to_string();
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("APP_OVERLAP", "1"),
            ("DATABASE_POOL_SIZE", &size),
            ("DATABASE_ACQUIRE_TIMEOUT", "20s"),
        ];
        let host = host(Paradigm::LongRunning, &settings);
        host.hire(crew);
        let home = Runtime::new().unwrap();
        let db = home.block_on(Db::open(&host)).unwrap();
        Self { home, workers, url, db }
    }

    /// Runs something on a worker.
    pub(crate) fn on<F>(
        &self,
        worker: usize,
        work: impl FnOnce(Db<Pg>) -> F,
    ) -> oneshot::Receiver<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (sender, outcome) = oneshot::channel();
        let work = work(self.db.clone());
        self.workers[worker].0.spawn(async move {
            let _ = sender.send(work.await);
        });
        outcome
    }

    /// Runs something on a worker and waits for it.
    pub(crate) fn run<F>(&self, worker: usize, work: impl FnOnce(Db<Pg>) -> F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let outcome = self.on(worker, work);
        self.home.block_on(async { timeout(PATIENCE, outcome).await.unwrap().unwrap() })
    }

    /// Has a worker stand still, as no App should have it: its thread waits.
    pub(crate) fn hold_up(&self, worker: usize) -> HeldUp {
        let (release, released) = mpsc::channel::<()>();
        let (stands, standing) = mpsc::channel();
        let goes_on = self.on(worker, |_| async move {
            stands.send(()).unwrap();
            released.recv().unwrap();
        });
        standing.recv().unwrap();
        HeldUp { release, goes_on }
    }

    pub(crate) fn end(&mut self, worker: usize) {
        let (_, end, thread) = self.workers.remove(worker);
        end.send(()).unwrap();
        thread.join().unwrap();
    }
}

/// A worker that stands still.
pub(crate) struct HeldUp {
    release: mpsc::Sender<()>,
    goes_on: oneshot::Receiver<()>,
}

impl HeldUp {
    pub(crate) fn release(self, crew: &Crew) {
        self.release.send(()).unwrap();
        crew.home.block_on(self.goes_on).unwrap();
    }
}

fn begin(number: usize) -> ((Handle, oneshot::Sender<()>, JoinHandle<()>), Worker) {
    let worker = Worker::new(number);
    let (end, ended) = oneshot::channel();
    let (began, beginning) = mpsc::channel();
    let thread = thread::spawn({
        let worker = worker.clone();
        move || {
            let (waits, runs) = (worker.clone(), worker.clone());
            let runtime = Builder::new_current_thread()
                .enable_all()
                .on_thread_park(move || waits.waits())
                .on_thread_unpark(move || runs.runs())
                .build()
                .unwrap();
            let _at_work = worker.begin(runtime.handle().clone());
            began.send(runtime.handle().clone()).unwrap();
            let _ = runtime.block_on(ended);
        }
    });
    ((beginning.recv().unwrap(), end, thread), worker)
}
