//! One connection from its first byte to its last: who drives it, and what ends it.

mod conn;
mod frames;
mod framing;
pub(crate) mod http2;
mod io;
mod open;
mod proxied;
mod transport;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

pub(crate) use conn::Conn;
pub(crate) use io::Io;
pub(crate) use open::{Opened, open};
pub(crate) use transport::Transport;

use crate::Config;
use conn::Verdict;

/// Drives a connection until it is done, its time is over or the server closes it.
///
/// The HTTP dispatcher knows requests; this knows time. It keeps one timer per connection, which is set
/// only when something is waited for: a request that arrives whole and is answered at once costs none.
pub(crate) async fn drive<D, E>(dispatcher: D, conn: Rc<Conn>, config: &Config)
where
    D: Future<Output = Result<(), E>>,
    E: std::fmt::Debug,
{
    let mut dispatcher = pin!(dispatcher);
    let mut timer = Timer::default();
    poll_fn(|cx| {
        conn.remember(cx);
        loop {
            if let Poll::Ready(outcome) = dispatcher.as_mut().poll(cx) {
                if let Err(error) = outcome {
                    tracing::debug!("a connection ended: {error:?}");
                }
                return Poll::Ready(());
            }
            match conn.verdict(config) {
                Verdict::Wait => return Poll::Pending,
                Verdict::CloseAt(deadline) => {
                    ready!(timer.at(deadline, cx));
                    return Poll::Ready(());
                }
                Verdict::GiveUpAt(deadline) => {
                    ready!(timer.at(deadline, cx));
                    // The dispatcher runs once more and finds the end of its input.
                    conn.give_up();
                }
            }
        }
    })
    .await;
}

/// One timer that is moved later only when it fires: most deadlines are gone before they come.
#[derive(Default)]
struct Timer(Option<(Instant, Pin<Box<Sleep>>)>);

impl Timer {
    /// Ready when the deadline is over. Pending means that the task wakes at the deadline or before it.
    fn at(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some((set, sleep)) => {
                if *set <= deadline && !sleep.is_elapsed() {
                    return Poll::Pending;
                }
                sleep.as_mut().reset(deadline.into());
                *set = deadline;
                sleep.as_mut().poll(cx)
            }
            None => {
                let mut sleep = Box::pin(tokio::time::sleep_until(deadline.into()));
                let outcome = sleep.as_mut().poll(cx);
                self.0 = Some((deadline, sleep));
                outcome
            }
        }
    }
}
