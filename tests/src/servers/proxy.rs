//! A TCP proxy that can be told to be a bad network.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::ground;

/// How a network behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes at once.
    Pass,
    /// Everything passes, this much later in each direction.
    Delay(Duration),
    /// Connections are accepted and bytes taken, and nothing comes of it. A connection that has lost bytes
    /// stays silent for good.
    Blackhole,
    /// Every connection is reset.
    Reset,
    /// Every connection is reset, and new ones are refused.
    Refuse,
}

/// A proxy in front of a port of this machine, in a thread of its own; gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<ProxyState>,
}

#[derive(Debug)]
struct ProxyState {
    control: watch::Sender<Control>,
    accepted: AtomicUsize,
    turns: AtomicU64,
}

/// What every connection follows.
#[derive(Clone, Copy, Debug)]
struct Control {
    mode: Mode,
    /// Connections with a smaller number are swallowed whatever the mode is.
    forgotten: usize,
    listening: bool,
    over: bool,
}

impl Proxy {
    /// Starts one, in [`Mode::Pass`].
    #[must_use]
    pub fn start(to: u16) -> Self {
        let port = ground::port();
        let listener = listen(port);
        let control = Control { mode: Mode::Pass, forgotten: 0, listening: true, over: false };
        let shared = Arc::new(ProxyState {
            control: watch::Sender::new(control),
            accepted: AtomicUsize::new(0),
            turns: AtomicU64::new(0),
        });
        std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime can be made").block_on(serve(listener, port, to, shared));
            }
        });
        Self { port, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL with the proxy in the place of the server.
    #[must_use]
    pub fn url(&self, direct: &str) -> String {
        let (before, after) = direct.rsplit_once(':').expect("a URL with a port");
        let (_, path) = after.split_once('/').expect("a URL with a database");
        format!("{before}:{}/{path}", self.port)
    }

    /// Changes how the network behaves, for the connections that are open too.
    pub fn set(&self, mode: Mode) {
        self.shared.control.send_modify(|control| control.mode = mode);
        // The next attempt to connect must see whether the port is open: it must be true by then.
        let listening = mode != Mode::Refuse;
        while self.shared.control.borrow().listening != listening {
            std::thread::yield_now();
        }
    }

    /// Forgets the connections that are open, as a router does: what is sent on them goes nowhere, without a
    /// word. New ones follow the mode.
    pub fn forget(&self) {
        let accepted = self.accepted();
        self.shared.control.send_modify(|control| control.forgotten = accepted);
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// How many times a client has spoken after the server had: round trips, over all connections.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.shared.turns.load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.control.send_modify(|control| control.over = true);
    }
}

fn listen(port: u16) -> StdListener {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port was free");
    listener.set_nonblocking(true).expect("a listener can be non-blocking");
    listener
}

async fn serve(listener: StdListener, port: u16, to: u16, shared: Arc<ProxyState>) {
    let mut control = shared.control.subscribe();
    let mut listener = Some(TcpListener::from_std(listener).expect("we are in a runtime"));
    loop {
        let Control { mode, listening, over, .. } = *control.borrow_and_update();
        if over {
            return;
        }
        let wanted = mode != Mode::Refuse;
        if listening != wanted {
            listener =
                wanted.then(|| TcpListener::from_std(listen(port)).expect("we are in a runtime"));
            shared.control.send_modify(|control| control.listening = wanted);
        }
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = control.changed() => if changed.is_err() { return },
            accepted = accept => if let Ok((client, _)) = accepted {
                let number = shared.accepted.fetch_add(1, Ordering::AcqRel);
                tokio::spawn(relay(client, to, number, Arc::clone(&shared)));
            },
        }
    }
}

async fn relay(mut client: TcpStream, to: u16, number: usize, shared: Arc<ProxyState>) {
    let mut control = shared.control.subscribe();
    let _ = client.set_nodelay(true);
    if matches!(control.borrow().mode, Mode::Reset | Mode::Refuse) {
        return reset(&client);
    }
    if control.borrow().mode == Mode::Blackhole {
        return over(&mut control).await;
    }
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, to));
    let Ok(mut server) = socket.connect(address).await else { return reset(&client) };
    let _ = server.set_nodelay(true);
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let spoken = AtomicUsize::new(SERVER);
        let up = Pipe { read: from_client, write: to_server, number, own: CLIENT };
        let down = Pipe { read: from_server, write: to_client, number, own: SERVER };
        tokio::select! {
            ended = pump(up, &shared, &spoken) => ended,
            ended = pump(down, &shared, &spoken) => ended,
        }
    };
    match ended {
        PumpEnd::Closed => {}
        PumpEnd::Reset => {
            reset(&client);
            reset(&server);
        }
        // Both are held open until the network is over.
        PumpEnd::Swallowed => over(&mut control).await,
    }
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

struct Pipe<'a> {
    read: ReadHalf<'a>,
    write: WriteHalf<'a>,
    number: usize,
    own: usize,
}

enum PumpEnd {
    Closed,
    Reset,
    Swallowed,
}

async fn pump(mut pipe: Pipe<'_>, shared: &ProxyState, spoken: &AtomicUsize) -> PumpEnd {
    let mut control = shared.control.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let now = *control.borrow_and_update();
        if matches!(now.mode, Mode::Reset | Mode::Refuse) {
            return PumpEnd::Reset;
        }
        if now.mode == Mode::Blackhole || pipe.number < now.forgotten {
            return PumpEnd::Swallowed;
        }
        let read = tokio::select! {
            biased;
            changed = control.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return PumpEnd::Closed,
            },
            read = pipe.read.read(&mut buffer) => read,
        };
        let length = match read {
            Ok(0) => return PumpEnd::Closed,
            Ok(length) => length,
            Err(_) => return PumpEnd::Reset,
        };
        if spoken.swap(pipe.own, Ordering::AcqRel) != pipe.own && pipe.own == CLIENT {
            shared.turns.fetch_add(1, Ordering::AcqRel);
        }
        if let Mode::Delay(delay) = now.mode {
            tokio::time::sleep(delay).await;
        }
        if pipe.write.write_all(&buffer[..length]).await.is_err() {
            return PumpEnd::Reset;
        }
    }
}

async fn over(control: &mut watch::Receiver<Control>) {
    // The sender lives as long as a test can end the network.
    let _ = control.wait_for(|control| control.over).await;
}

fn reset(stream: &TcpStream) {
    // Closing without lingering is what sends a reset.
    let _ = stream.set_zero_linger();
}
