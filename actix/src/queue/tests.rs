//! The queue, with threads that only count how often they are woken.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Wake, Waker};

use anyhost_core::Body;

use super::*;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn job() -> Job {
    Job { request: Request::new(Body::empty()), answer: oneshot::channel().0 }
}

/// A queue whose threads all wait, and how often each was woken.
fn waiting(count: usize) -> (Queue, Vec<Arc<Wakes>>) {
    let queue = Queue::new(count);
    let wakes: Vec<Arc<Wakes>> = (0..count).map(|_| Arc::default()).collect();
    for (thread, wakes) in wakes.iter().enumerate() {
        let waker = Waker::from(Arc::clone(wakes));
        assert!(queue.poll_next(thread, &mut Context::from_waker(&waker)).is_pending());
    }
    (queue, wakes)
}

fn counts(wakes: &[Arc<Wakes>]) -> Vec<usize> {
    wakes.iter().map(|wakes| wakes.0.load(Ordering::SeqCst)).collect()
}

#[test]
fn each_request_wakes_a_parked_thread_of_its_own() {
    let (queue, wakes) = waiting(3);
    (0..3).for_each(|thread| queue.parks(thread));
    for pushed in 1..=3 {
        queue.push(job()).expect("open");
        assert_eq!(counts(&wakes).iter().sum::<usize>(), pushed);
    }
    assert_eq!(counts(&wakes), [1, 1, 1]);
}

#[test]
fn a_thread_that_runs_is_not_counted_on_if_another_is_parked() {
    let (queue, wakes) = waiting(2);
    let waker = Waker::from(Arc::clone(&wakes[1]));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..2 {
        queue.parks(1);
        queue.push(job()).expect("open");
        // The thread runs, takes the request and waits for the next.
        assert!(queue.poll_next(1, &mut cx).is_ready());
        assert!(queue.poll_next(1, &mut cx).is_pending());
    }
    assert_eq!(counts(&wakes), [0, 2]);
}

#[test]
fn if_no_thread_is_parked_all_are_woken() {
    let (queue, wakes) = waiting(3);
    queue.push(job()).expect("open");
    assert_eq!(counts(&wakes), [1, 1, 1]);
}

#[test]
fn a_thread_that_parks_beside_a_request_is_woken_again() {
    let (queue, wakes) = waiting(1);
    queue.push(job()).expect("open");
    let waker = Waker::from(Arc::clone(&wakes[0]));
    queue.threads[0].waker.register(&waker);
    queue.parks(0);
    assert_eq!(counts(&wakes), [2]);
}

/// A queue whose threads are parked, with one more request in flight than it has threads.
fn crowded(count: usize) -> (Queue, Vec<Arc<Wakes>>) {
    let (queue, wakes) = waiting(count);
    (0..count).for_each(|thread| queue.parks(thread));
    queue.in_flight.store(count + 1, Ordering::SeqCst);
    (queue, wakes)
}

#[test]
fn requests_that_arrive_together_wake_one_thread_after_the_last() {
    let (queue, wakes) = crowded(2);
    let mut waking = Box::pin(queue.wake_for_batches());
    let waker = Waker::from(Arc::<Wakes>::default());
    let mut poll = || waking.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    (0..3).for_each(|_| queue.push(job()).expect("open"));
    assert!(poll().is_pending(), "it yields before it wakes");
    assert_eq!(counts(&wakes), [0, 0]);
    assert!(poll().is_pending());
    assert_eq!(counts(&wakes).iter().sum::<usize>(), 1);
    queue.close();
    while poll().is_pending() {}
}

#[test]
fn a_batch_that_is_overdue_is_woken_by_the_next_request() {
    let (queue, wakes) = crowded(2);
    queue.push(job()).expect("open");
    assert_eq!(counts(&wakes), [0, 0]);
    let begun = Instant::now().checked_sub(BATCH_TIMEOUT).expect("after the machine's start");
    queue.lock().batch = Some(begun);
    queue.push(job()).expect("open");
    assert_eq!(counts(&wakes).iter().sum::<usize>(), 1);
}

#[test]
fn a_thread_that_takes_a_request_wakes_another_for_those_behind_it() {
    let (queue, wakes) = crowded(2);
    (0..2).for_each(|_| queue.push(job()).expect("open"));
    queue.unparks(0);
    let waker = Waker::from(Arc::clone(&wakes[0]));
    assert!(queue.poll_next(0, &mut Context::from_waker(&waker)).is_ready());
    assert_eq!(counts(&wakes), [0, 1]);
}

#[test]
fn a_request_is_in_flight_until_it_is_answered() {
    let queue = Queue::new(1);
    let (first, second) = (queue.enter(), queue.enter());
    assert_eq!(queue.in_flight.load(Ordering::SeqCst), 2);
    drop((first, second));
    assert_eq!(queue.in_flight.load(Ordering::SeqCst), 0);
}

#[test]
fn a_closed_queue_is_emptied_and_takes_no_more() {
    let (queue, wakes) = waiting(1);
    queue.push(job()).expect("open");
    queue.close();
    assert!(queue.push(job()).is_err());
    let waker = Waker::from(Arc::clone(&wakes[0]));
    let mut cx = Context::from_waker(&waker);
    assert!(matches!(queue.poll_next(0, &mut cx), Poll::Ready(Some(_))));
    assert!(matches!(queue.poll_next(0, &mut cx), Poll::Ready(None)));
}
