//! The threads that serve connections, each with a runtime of its own.

mod accepted;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Protocol};
use actix_web::dev::{Service, ServiceFactory, fn_service};
use anyhost_core::{Handler, Scheme};
use futures_util::future::join_all;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot, watch};

use accepted::open;
pub(crate) use accepted::{Accepted, Stream};

use crate::bridge;
use crate::connection::{self, Conn, Io, Opened, drive, http2};
use crate::metrics::{Counts, Totals};
use crate::shared::{Local, Shared};

/// How long a client may take to notice that a response came before its body was read.
const LINGER: Duration = Duration::from_secs(2);

enum Order {
    Serve(Accepted),
    /// Close every connection as soon as nothing is lost by it.
    Close,
    /// Drop every connection with what it does.
    Abort,
    /// Say that this worker still takes orders.
    Answer(oneshot::Sender<()>),
}

/// The workers of one server.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    most: usize,
    changed: watch::Sender<()>,
}

struct Worker {
    orders: mpsc::UnboundedSender<Order>,
    load: Arc<AtomicUsize>,
    counts: Option<Arc<Counts>>,
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the operating system gives no thread or no descriptor.
    pub(crate) fn start<A: Handler>(shared: &Arc<Shared<A>>) -> io::Result<Arc<Self>> {
        let count = shared.config.workers.unwrap_or_else(|| shared.host.resources().whole_cpus());
        let changed = watch::Sender::new(());
        // What the App opens at its start may be driven by those who use it.
        let crew: Vec<_> = (0..count).map(anyhost_core::Worker::new).collect();
        let workers = crew
            .iter()
            .enumerate()
            .map(|(number, worker)| {
                let (orders, inbox) = mpsc::unbounded_channel();
                let load = Arc::new(AtomicUsize::new(0));
                let counted = Load { load: Arc::clone(&load), changed: changed.clone() };
                let shared = Arc::clone(shared);
                let counts = shared.counts().then(Arc::<Counts>::default);
                let own = counts.clone();
                let worker = worker.clone();
                let (began, beginning) = std::sync::mpsc::channel();
                thread::Builder::new().name(format!("anyhost-{number}")).spawn(move || {
                    let mut runtime = Builder::new_current_thread();
                    let (waits, runs) = (worker.clone(), worker.clone());
                    runtime.on_thread_park(move || waits.waits());
                    runtime.on_thread_unpark(move || runs.runs());
                    match runtime.enable_all().build_local(LocalOptions::default()) {
                        Ok(runtime) => {
                            let _at_work = worker.begin(runtime.handle().clone());
                            let _ = began.send(Ok(()));
                            runtime.block_on(work(shared, inbox, counted, own));
                        }
                        Err(error) => {
                            let _ = began.send(Err(error));
                        }
                    }
                })?;
                // Waiting for a thread that begins is waiting for a few system calls.
                beginning.recv().map_err(io::Error::other)??;
                Ok(Worker { orders, load, counts })
            })
            .collect::<io::Result<Vec<_>>>()?;
        shared.host.hire(crew);
        Ok(Arc::new(Self { workers, most: shared.config.max_connections, changed }))
    }

    /// Gives a connection to the worker with the fewest.
    pub(crate) fn give(&self, accepted: Accepted) {
        let least = self.workers.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed));
        if let Some(worker) = least {
            worker.load.fetch_add(1, Ordering::Relaxed);
            // A worker ends only with its server: a connection that comes later has nobody to serve it.
            let _ = worker.orders.send(Order::Serve(accepted));
        }
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> usize {
        self.workers.iter().map(|worker| worker.load.load(Ordering::Relaxed)).sum()
    }

    /// What they have counted so far, where they count.
    pub(crate) fn totals(&self) -> Totals {
        Totals::of(self.workers.iter().filter_map(|worker| worker.counts.as_deref()))
    }

    /// Waits until one more connection may be accepted.
    pub(crate) async fn room(&self) {
        self.until(|open| open < self.most).await;
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        self.until(|open| open == 0).await;
    }

    async fn until(&self, enough: impl Fn(usize) -> bool) {
        if enough(self.connections()) {
            return;
        }
        let mut changed = self.changed.subscribe();
        while !enough(self.connections()) {
            // The sender lives in `self`; subscribed before the count was read, no change is missed.
            let _ = changed.changed().await;
        }
    }

    /// Closes every connection as soon as nothing is lost by it.
    pub(crate) fn close(&self) {
        for worker in &self.workers {
            let _ = worker.orders.send(Order::Close);
        }
    }

    /// Asks every worker for a sign of life and waits for all of them: for ever where one stands still.
    /// False where one has ended.
    pub(crate) async fn answer(&self) -> bool {
        let asked: Vec<_> = self
            .workers
            .iter()
            .map(|worker| {
                let (answer, asked) = oneshot::channel();
                let _ = worker.orders.send(Order::Answer(answer));
                asked
            })
            .collect();
        join_all(asked).await.iter().all(Result::is_ok)
    }

    /// Drops every connection with what it does.
    pub(crate) fn abort(&self) {
        for worker in &self.workers {
            let _ = worker.orders.send(Order::Abort);
        }
    }
}

/// The connections of one worker, as others count them.
struct Load {
    load: Arc<AtomicUsize>,
    changed: watch::Sender<()>,
}

/// The connections of one worker.
struct Room {
    conns: RefCell<HashMap<u64, Rc<Conn>>>,
    load: Load,
}

/// The place of one connection in its worker's room, given up however the connection ends.
struct Seat {
    room: Rc<Room>,
    number: u64,
}

impl Seat {
    fn take(room: &Rc<Room>, number: u64, conn: &Rc<Conn>) -> Self {
        room.conns.borrow_mut().insert(number, Rc::clone(conn));
        Self { room: Rc::clone(room), number }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.conns.borrow_mut().remove(&self.number);
        self.room.load.load.fetch_sub(1, Ordering::Relaxed);
        if self.room.load.changed.receiver_count() > 0 {
            self.room.load.changed.send_replace(());
        }
    }
}

/// Serves the connections that come in through the inbox until told to drop them.
async fn work<A: Handler>(
    shared: Arc<Shared<A>>,
    mut inbox: mpsc::UnboundedReceiver<Order>,
    load: Load,
    counts: Option<Arc<Counts>>,
) {
    let local = Rc::new(Local { life: shared.host.life().apart(), shared });
    let service = {
        let local = Rc::clone(&local);
        fn_service(move |request: actix_http::Request| {
            let conn = request.conn_data::<Rc<Conn>>().cloned();
            let conn = conn.expect("every connection carries what is known about it");
            bridge::serve(Rc::clone(&local), conn, request)
        })
    };
    let http = HttpService::build()
        // The connection's driver keeps all time.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(LINGER)
        .on_connect_ext(|io: &Io, data| {
            data.insert(Rc::clone(&io.conn));
        })
        .finish(service)
        .new_service(())
        .await;
    let http = Rc::new(http.expect("a service made of a function has nothing that fails"));
    let room = Rc::new(Room { conns: RefCell::default(), load });
    let mut closing = false;
    let mut number = 0;
    while let Some(order) = inbox.recv().await {
        match order {
            Order::Serve(accepted) => {
                number += 1;
                let Accepted { stream, tls } = accepted;
                let scheme = if tls { Scheme::Https } else { Scheme::Http };
                let (transport, peer) = match open(stream) {
                    Ok(opened) => opened,
                    Err(error) => {
                        tracing::debug!("a connection was gone before it was served: {error}");
                        let conn = Rc::new(Conn::new(None, scheme, None));
                        drop(Seat::take(&room, number, &conn));
                        continue;
                    }
                };
                if let Some(counts) = &counts {
                    counts.connected();
                }
                let peer_ip = peer.map(|peer| peer.ip().to_canonical());
                let conn = Rc::new(Conn::new(peer_ip, scheme, counts.clone()));
                if closing {
                    conn.close();
                }
                let seat = Seat::take(&room, number, &conn);
                let local = Rc::clone(&local);
                let http = Rc::clone(&http);
                tokio::task::spawn_local(async move {
                    let config = &local.shared.config;
                    let serving = async {
                        match connection::open(transport, config, tls, &conn).await {
                            Ok(Opened::Http1(io)) => {
                                let served = http.call((io, Protocol::Http1, peer)).await;
                                served.map_err(|error| error.to_string())
                            }
                            Ok(Opened::Http2(io)) => {
                                let serve = http2::serve(io, |request, respond| {
                                    let (local, conn) = (Rc::clone(&local), Rc::clone(&conn));
                                    bridge::serve_stream(local, conn, request, respond)
                                });
                                Box::pin(serve).await.map_err(|error| error.to_string())
                            }
                            Err(error) => Err(error.to_string()),
                        }
                    };
                    drive(serving, Rc::clone(&conn), config).await;
                    drop(seat);
                });
            }
            Order::Close => {
                closing = true;
                for conn in room.conns.borrow().values() {
                    conn.close();
                }
            }
            Order::Abort => break,
            Order::Answer(answer) => {
                let _ = answer.send(());
            }
        }
    }
}
