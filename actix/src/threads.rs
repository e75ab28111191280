//! The threads that serve: each an actix `System` with the application's services.

use std::future::poll_fn;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use actix_web::rt::System;
use anyhost_core::adapter::within;
use anyhost_core::{Context, Error};
use futures_util::FutureExt;
use futures_util::future::join_all;
use http::Method;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::coop;
use tokio::time::timeout;

use crate::BoxedApp;
use crate::boxed::{HandlerFuture, Service};
use crate::queue::{Job, Outcome, Queue};
use crate::request::translate;
use crate::response::{Answer, answer_of};

/// How many threads `web::block` may use in all, as actix-web has it.
const BLOCKING: usize = 512;

/// How long a stop waits for threads to end: one that a handler blocks is left behind.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The threads of one application. Dropped, they end.
#[derive(Debug)]
pub(crate) struct Threads {
    queue: Arc<Queue>,
    ends: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl Threads {
    /// Starts the threads and waits until each has built the application.
    pub(crate) async fn start(
        count: usize,
        max_body: usize,
        build: impl Fn() -> BoxedApp + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let queue = Arc::new(Queue::new(count));
        let batches = Arc::clone(&queue);
        tokio::spawn(async move { batches.wake_for_batches().await });
        let build = Arc::new(build);
        let (mut ready, mut ends) = (Vec::new(), Vec::new());
        let threads = Self { queue: Arc::clone(&queue), ends: Mutex::default() };
        for number in 0..count {
            let (tell_ready, told_ready) = oneshot::channel();
            let (ended, end) = oneshot::channel();
            let (queue, build) = (Arc::clone(&queue), Arc::clone(&build));
            let serve = move || {
                let outcome = runtime(number, count, &queue).map(|runtime| {
                    serve(runtime, number, &queue, max_body, &*build, tell_ready);
                });
                // Dropped here in every case: the drop tells the waiting side that this thread has ended.
                drop(ended);
                outcome
            };
            std::thread::Builder::new().name(format!("actix-web-{number}")).spawn(serve)?;
            ready.push(told_ready);
            ends.push(end);
        }
        *threads.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
        for told in join_all(ready).await {
            told.map_err(|_| Error::internal("a thread could not build the application"))??;
        }
        Ok(threads)
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Ends the threads and waits for those that are not blocked.
    pub(crate) async fn stop(&self) {
        self.queue.close();
        let ends = std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = timeout(END_TIMEOUT, join_all(ends)).await;
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A runtime that tells the queue when it waits.
fn runtime(number: usize, count: usize, queue: &Arc<Queue>) -> io::Result<Runtime> {
    let (parks, unparks) = (Arc::clone(queue), Arc::clone(queue));
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads((BLOCKING / count).max(1))
        .on_thread_park(move || parks.parks(number))
        .on_thread_unpark(move || unparks.unparks(number))
        .build()
}

fn serve(
    runtime: Runtime,
    number: usize,
    queue: &Queue,
    max_body: usize,
    build: &dyn Fn() -> BoxedApp,
    ready: oneshot::Sender<Result<(), Error>>,
) {
    System::with_tokio_rt(|| runtime).block_on(async {
        let service = match build().start(max_body).await {
            Ok(service) => service,
            Err(error) => return drop(ready.send(Err(error))),
        };
        // Fails if the start was given up; the queue is closed then.
        let _ = ready.send(Ok(()));
        while let Some(job) = poll_fn(|cx| queue.poll_next(number, cx)).await {
            start(&service, job).await;
            coop::consume_budget().await;
        }
    });
}

/// Polls a request's work once, and makes it a task if it has to wait.
///
/// Most handlers need no more than that poll; and if it blocks the thread, the requests behind it are still
/// in the queue, where the other threads find them.
async fn start(service: &Service, Job { request, answer }: Job) {
    let context = Context::get(&request).cloned().unwrap_or_else(Context::fresh);
    let head = *request.method() == Method::HEAD;
    let call = match translate(request) {
        Ok(request) => service.call(request),
        Err(error) => return drop(answer.send(Ok(Err(error)))),
    };
    let mut work = Box::pin(work(context.clone(), call, head, answer));
    // This thread's task is not the one that serves the request: it does not know the context yet.
    let mut work = poll_fn(move |cx| context.within_call(|| work.as_mut().poll(cx)));
    if poll_fn(|cx| Poll::Ready(work.poll_unpin(cx))).await.is_pending() {
        drop(actix_web::rt::spawn(work));
    }
}

/// Answers a request, and sends the body of the answer until its end or until its reader is gone.
async fn work(
    context: Context,
    call: HandlerFuture,
    head: bool,
    mut answer: oneshot::Sender<Outcome>,
) {
    let outcome = {
        // Boxed: `within` would keep the future twice.
        let call = async { answer_of(&context, call.await, head).await }.boxed_local();
        let call = async {
            match context.deadline() {
                Some(deadline) => within(deadline, call).await,
                None => call.await,
            }
        };
        let mut call = pin!(AssertUnwindSafe(call).catch_unwind());
        // The caller is gone or out of time: dropping the call cancels the handler.
        poll_fn(|cx| match answer.poll_closed(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => call.as_mut().poll(cx).map(Some),
        })
        .await
    };
    let (outcome, rest) = match outcome {
        Some(Ok(Answer { response, rest })) => (Ok(Ok(response)), rest),
        Some(Err(panic)) => (Err(panic), None),
        None => return,
    };
    // If the caller is gone, the body's reader is gone too, and sending the body ends by itself.
    let _ = answer.send(outcome);
    if let Some(rest) = rest {
        rest.send().await;
    }
}
