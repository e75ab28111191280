//! A WebSocket that sends back what it is sent, with axum's extractor.

use anyhost_core::{Body, Context, Error, Request, Response};
use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::IntoResponse;

/// Answers a request for a WebSocket. `heeds` says whether the connection ends itself when the host says stop; else the
/// host ends it at the end of its grace.
pub(crate) async fn websocket(request: Request, heeds: bool) -> Result<Response, Error> {
    let (mut parts, _) = request.into_parts();
    let context = parts.extensions.get().cloned().unwrap_or_else(Context::fresh);
    let response = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade.on_upgrade(move |socket| echo(socket, context, heeds)),
        Err(rejection) => rejection.into_response(),
    };
    Ok(response.map(Body::new))
}

async fn echo(mut socket: WebSocket, context: Context, heeds: bool) {
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            () = context.draining(), if heeds => {
                let frame = CloseFrame { code: close_code::AWAY, reason: "bye".into() };
                // The client may be gone already.
                let _ = socket.send(Message::Close(Some(frame))).await;
                return;
            }
        };
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            // axum answers a ping and a close by itself.
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}
