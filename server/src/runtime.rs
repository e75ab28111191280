//! The one runtime for sockets, the App and its database.
//!
//! Of tokio's threads one waits for the sockets. If the event that wakes it makes it run a handler that blocks, no other
//! thread takes its place, although all others are idle: nothing is read any more. So a thread of ours wakes one of them.

use std::io;
use std::time::Duration;

use anyhost_core::adapter::{Exit, Failure};
use tokio::runtime::{Builder, Handle, Runtime, RuntimeMetrics};

/// How often it is checked whether the sockets are waited for.
const LOOK: Duration = Duration::from_millis(50);

/// A multi-threaded runtime with so many threads.
///
/// # Errors
/// [`Exit::Bind`] if the operating system gives no thread or no descriptor.
pub(crate) fn runtime(threads: usize) -> Result<Runtime, Failure> {
    let watched = || {
        let runtime = build(threads)?;
        if threads > 1 {
            let handle = runtime.handle().clone();
            let watch = move || watch(&handle);
            std::thread::Builder::new().name("anyhost-watch".into()).spawn(watch)?;
        }
        io::Result::Ok(runtime)
    };
    watched().map_err(|error| Failure::new(Exit::Bind, format!("cannot start a runtime: {error}")))
}

fn build(threads: usize) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name("anyhost").enable_all().build()
}

/// Wakes a thread whenever some wait, some do not, and none has found work for a while. It lives as long as the process.
fn watch(handle: &Handle) {
    let metrics = handle.metrics();
    let mut last = 0;
    loop {
        // Nothing unparks this thread: a thread that blocks announces nothing.
        std::thread::park_timeout(LOOK);
        let (waits, parked) = waiting(&metrics);
        if waits == last && (1..metrics.num_workers()).contains(&parked) {
            // Whatever it finds, the thread waits for the sockets afterwards.
            handle.spawn(std::future::ready(()));
        }
        last = waits;
    }
}

/// Returns how often threads have begun or ended to wait, and how many wait now.
fn waiting(metrics: &RuntimeMetrics) -> (u64, usize) {
    let counts = (0..metrics.num_workers()).map(|thread| metrics.worker_park_unpark_count(thread));
    counts.fold((0, 0), |(all, parked), count| (all + count, parked + (count % 2) as usize))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::net::TcpListener;

    use super::*;

    /// Blocks a thread of two, and asks whether the other waits for the sockets then.
    fn goes_on(watched: bool) -> bool {
        let runtime = build(2).expect("a runtime");
        let all_wait = || {
            while waiting(&runtime.metrics()).1 < 2 {
                std::thread::yield_now();
            }
        };
        let listen = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let (first, second) = (listen(), listen());
        let address = |listener: &TcpListener| listener.local_addr().expect("bound");
        let (blocks, goes_on) = (address(&first), address(&second));
        let (tell, told) = mpsc::channel();
        let (release, blocked) = mpsc::channel::<()>();
        runtime.spawn(async move {
            // Woken by its socket, on the thread that waits for all sockets.
            let accepted = first.accept().await;
            let _ = tell.send(());
            let _ = blocked.recv();
            drop(accepted);
        });
        let other = runtime.spawn(async move { second.accept().await.is_ok() });
        all_wait();
        let _first = std::net::TcpStream::connect(blocks).expect("it listens");
        told.recv().expect("it is woken");
        let _second = std::net::TcpStream::connect(goes_on).expect("it listens");
        if watched {
            let handle = runtime.handle().clone();
            std::thread::spawn(move || watch(&handle));
        }
        let patience = Duration::from_secs(if watched { 20 } else { 1 });
        let end = std::time::Instant::now() + patience;
        while !other.is_finished() && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        let accepted = other.is_finished();
        drop(release);
        runtime.shutdown_background();
        accepted
    }

    #[test]
    fn a_task_that_blocks_its_thread_leaves_the_sockets_to_the_others() {
        assert!(goes_on(true));
    }

    /// If this fails, tokio has learnt to do so itself, and this module can go. A thread that is slow to fall asleep finds
    /// that nobody waits for the sockets and takes them over, so one time of several is enough.
    #[test]
    fn a_plain_runtime_leaves_them_to_nobody() {
        assert!((0..5).any(|_| !goes_on(false)));
    }
}
