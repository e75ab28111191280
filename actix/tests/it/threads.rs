//! The threads: a blocked one delays no request, callers may give up, and a stop ends all of them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, web};
use anyhost_actix::Actix;
use anyhost_core::{App as _, Context, Host, Lifecycle, Paradigm};
use futures_util::future::join_all;

use crate::{RunningApp, application, eventually, get, host, in_time, text};

/// A gate that blocks each handler, and with it the handler's thread, until the test opens it.
#[derive(Default)]
struct Gate {
    state: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Gate {
    const fn new() -> Self {
        Self { state: Mutex::new((0, 0)), changed: Condvar::new() }
    }

    fn pass(&self) {
        let mut state = self.state.lock().expect("no panic in here");
        state.0 += 1;
        while state.1 == 0 {
            state = self.changed.wait(state).expect("no panic in here");
        }
        state.1 -= 1;
    }

    fn standing(&self) -> usize {
        self.state.lock().expect("no panic in here").0
    }

    fn let_through(&self, count: usize) {
        self.state.lock().expect("no panic in here").1 += count;
        self.changed.notify_all();
    }
}

/// Lets the other tasks of the thread run.
async fn later() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

macro_rules! blocks {
    ($name:ident, $gate:ident) => {
        static $gate: Gate = Gate::new();
        application!($name, {
            App::new()
                .route(
                    "/block",
                    web::get().to(async || {
                        $gate.pass();
                        "passed"
                    }),
                )
                .route("/", web::get().to(async || "hello"))
                .route(
                    "/later",
                    web::get().to(async || {
                        // Time passes: the handler waits for its own runtime.
                        later().await;
                        "later"
                    }),
                )
        });
    };
}

blocks!(Two, TWO);
blocks!(One, ONE);
blocks!(Queued, QUEUED);

#[tokio::test]
async fn while_a_handler_blocks_its_thread_the_others_answer() {
    let running = RunningApp::<Two>::on(host(2, &[])).await;
    let blocked = running.begin(get("/block"));
    eventually("a thread is blocked", || TWO.standing() == 1).await;
    for _ in 0..200 {
        assert_eq!(in_time(running.get("/")).await.status(), 200);
        assert_eq!(in_time(running.get("/later")).await.status(), 200);
    }
    let many = join_all((0..200).map(|_| running.get("/later")));
    assert!(in_time(many).await.iter().all(|response| response.status() == 200));
    assert!(!blocked.is_finished());
    TWO.let_through(1);
    assert_eq!(text(in_time(blocked).await.expect("no panic")).await, "passed");
}

/// The control: with a single thread, a blocked handler leaves no thread to answer.
#[tokio::test]
async fn while_a_handler_blocks_the_only_thread_nobody_answers() {
    let running = RunningApp::<One>::on(host(1, &[])).await;
    let blocked = running.begin(get("/block"));
    eventually("the thread is blocked", || ONE.standing() == 1).await;
    let waits = running.begin(get("/"));
    assert!(tokio::time::timeout(Duration::from_millis(200), blocked).await.is_err());
    assert!(!waits.is_finished());
    ONE.let_through(1);
    assert_eq!(in_time(waits).await.expect("no panic").status(), 200);
}

#[tokio::test]
async fn requests_that_wait_are_taken_by_the_first_thread_that_is_free() {
    let running = RunningApp::<Queued>::on(host(3, &[])).await;
    let blocked: Vec<_> = (0..3).map(|_| running.begin(get("/block"))).collect();
    eventually("all threads are blocked", || QUEUED.standing() == 3).await;
    let waiting: Vec<_> = (0..20).map(|_| running.begin(get("/later"))).collect();
    QUEUED.let_through(1);
    for waited in waiting {
        assert_eq!(in_time(waited).await.expect("no panic").status(), 200);
    }
    assert_eq!(blocked.iter().filter(|blocked| !blocked.is_finished()).count(), 2);
    QUEUED.let_through(2);
    in_time(join_all(blocked)).await;
}

static CANCELLED: AtomicUsize = AtomicUsize::new(0);
static WAITING: AtomicUsize = AtomicUsize::new(0);

struct Waits;

impl Waits {
    fn begin() -> Self {
        WAITING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        CANCELLED.fetch_add(1, Ordering::SeqCst);
    }
}

application!(Patient, {
    App::new()
        .route(
            "/for-ever",
            web::get().to(async || {
                let _waits = Waits::begin();
                std::future::pending::<HttpResponse>().await
            }),
        )
        .route(
            "/left",
            web::get().to(async || {
                let left = anyhost_core::adapter::remaining().expect("the host gave a deadline");
                HttpResponse::Ok().body(left.as_secs().to_string())
            }),
        )
        .route("/left-in-body", web::get().to(left_in_body))
        .route("/local", web::get().to(local))
        .route("/afterwards", web::get().to(afterwards))
});

/// A body that says, when it is first polled, how much time is left.
async fn left_in_body() -> HttpResponse {
    let chunk = futures_util::stream::once(async {
        let left = anyhost_core::adapter::remaining().map(|left| left.as_secs().to_string());
        Ok::<_, std::io::Error>(actix_web::web::Bytes::from(left.unwrap_or_default()))
    });
    HttpResponse::Ok().streaming(chunk)
}

/// A task that is not `Send`, on the thread of its handler.
async fn local() -> HttpResponse {
    let shared = Rc::new(Cell::new(1));
    let doubled = Rc::clone(&shared);
    let task = actix_web::rt::spawn(async move {
        tokio::task::yield_now().await;
        doubled.set(doubled.get() * 2);
    });
    task.await.expect("no panic");
    let blocking = web::block(|| 40).await.expect("a thread");
    HttpResponse::Ok().body((blocking + shared.get()).to_string())
}

static AFTERWARDS: AtomicBool = AtomicBool::new(false);

async fn afterwards(context: web::ReqData<Context>) -> HttpResponse {
    context.wait_until(async {
        // Time passes: the work outlasts the response.
        later().await;
        AFTERWARDS.store(true, Ordering::SeqCst);
    });
    HttpResponse::Accepted().finish()
}

#[tokio::test]
async fn a_handler_whose_caller_leaves_is_dropped() {
    let running = RunningApp::<Patient>::start().await;
    let caller = running.begin(get("/for-ever"));
    eventually("the handler waits", || WAITING.load(Ordering::SeqCst) == 1).await;
    assert_eq!(CANCELLED.load(Ordering::SeqCst), 0);
    caller.abort();
    eventually("the handler is dropped", || CANCELLED.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_handler_and_what_its_body_begins_with_know_the_deadline() {
    let running = RunningApp::<Patient>::start().await;
    for target in ["/left", "/left-in-body"] {
        let mut request = get(target);
        let deadline = Instant::now() + Duration::from_secs(1000);
        request.extensions_mut().insert(Context::fresh().with_deadline(deadline));
        let left: u64 = text(running.send(request).await).await.parse().expect("a number");
        assert!((900..=1000).contains(&left), "{target}: {left}");
    }
}

#[tokio::test]
async fn local_tasks_and_blocking_calls_work() {
    let running = RunningApp::<Patient>::start().await;
    assert_eq!(text(running.get("/local").await).await, "42");
}

#[tokio::test]
async fn work_after_the_response_is_finished_before_the_process_is_idle() {
    let running = RunningApp::<Patient>::start().await;
    let lifecycle = Lifecycle::default();
    let mut request = get("/afterwards");
    request.extensions_mut().insert(Context::fresh().with_lifecycle(lifecycle.clone()));
    assert_eq!(running.send(request).await.status(), 202);
    in_time(lifecycle.wait_idle()).await;
    assert!(AFTERWARDS.load(Ordering::SeqCst));
}

static BUILT: AtomicUsize = AtomicUsize::new(0);
static GONE: AtomicUsize = AtomicUsize::new(0);

struct InstanceCount;

impl InstanceCount {
    fn new() -> Self {
        BUILT.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for InstanceCount {
    fn drop(&mut self) {
        GONE.fetch_add(1, Ordering::SeqCst);
    }
}

application!(
    Counts,
    App::new().app_data(InstanceCount::new()).route("/", web::get().to(HttpResponse::Ok))
);

#[tokio::test]
async fn each_processor_has_a_thread_a_function_has_one_and_a_stop_ends_them() {
    let running = RunningApp::<Counts>::on(host(3, &[])).await;
    assert_eq!(BUILT.load(Ordering::SeqCst), 3);
    assert_eq!(running.get("/").await.status(), 200);
    running.stop().await;
    assert_eq!(GONE.load(Ordering::SeqCst), 3);
    assert_eq!(running.get("/").await.status(), 503);

    let function = Host::builder(Paradigm::Serverless, "test").build().expect("valid settings");
    let function = Actix::<Counts>::start(&function).await.expect("it starts");
    assert_eq!(BUILT.load(Ordering::SeqCst), 4);
    drop(function);
    eventually("the last thread ends", || GONE.load(Ordering::SeqCst) == 4).await;
}
