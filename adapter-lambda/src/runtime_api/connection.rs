//! One connection to the Runtime API, opened again where it has gone.

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use lambda_http::lambda_runtime::streaming::Body;
use tokio::net::TcpStream;

use super::{Ahead, Endpoint, Fault};

/// One connection, for one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    endpoint: Endpoint,
    ahead: Option<Ahead>,
    sender: Option<SendRequest<Body>>,
}

impl Connection {
    /// A connection that is opened when it is first used.
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, ahead: None, sender: None }
    }

    /// The same, over one that was begun ahead.
    pub(super) fn with(self, ahead: Option<Ahead>) -> Self {
        Self { ahead, ..self }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request and waits for the head of its reply. A connection that was closed while nobody used
    /// it is opened again; one that breaks on the way is a fault.
    pub(super) async fn call(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Fault> {
        let mut request = request;
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(reply) => {
                    self.sender = Some(sender);
                    return Ok(reply);
                }
                // Not one byte of it had left.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Fault::Http(error.into_error())),
                },
            }
        }
        let mut sender = self.open().await?;
        let reply = sender.send_request(request).await.map_err(Fault::Http)?;
        self.sender = Some(sender);
        Ok(reply)
    }

    /// Sends a request of whose reply only the status matters; the rest is read, so that the connection
    /// stays open.
    pub(super) async fn status(&mut self, request: Request<Body>) -> Result<StatusCode, Fault> {
        let reply = self.call(request).await?;
        let status = reply.status();
        if reply.into_body().collect().await.is_err() {
            self.sender = None;
        }
        Ok(status)
    }

    async fn open(&mut self) -> Result<SendRequest<Body>, Fault> {
        let stream = match self.ahead.take() {
            Some(ahead) => ahead.connected().await,
            None => TcpStream::connect(self.endpoint.address()).await,
        };
        let stream = stream.map_err(Fault::Connect)?;
        // Every request is a small one that somebody waits for.
        stream.set_nodelay(true).map_err(Fault::Connect)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(Fault::Http)?;
        // It ends with its sender; what goes wrong is told to the request that it goes wrong for.
        tokio::spawn(connection);
        Ok(sender)
    }
}
