//! One connection to the Runtime API, opened again if it has gone.

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

    /// A connection that was begun earlier.
    pub(super) fn with(self, ahead: Option<Ahead>) -> Self {
        Self { ahead, ..self }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request and waits for the head of its reply. An idle connection that
    /// the server closed is opened again; one that breaks during the call is a [`Fault`].
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
                // hyper gives the request back if no byte of it was sent: it is safe to send again.
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
        let failed = |error| {
            let (name, port) = self.endpoint.address();
            Fault::Connect(format!("{name}:{port}"), error)
        };
        let stream = stream.map_err(failed)?;
        // Requests are small, and the caller waits for each: do not let Nagle hold them back.
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(Fault::Http)?;
        // The task ends when its sender is dropped; an error reaches the request that it belongs to.
        tokio::spawn(connection);
        Ok(sender)
    }
}
