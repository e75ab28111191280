//! A response of actix-web on its way to the host.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use anyhost_core::{Body, Context, Error, Response};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::Problem;
use crate::body::{Rest, body_of};
use crate::problem::ResponseExtensions;

/// A response, and what of its body is still to be sent.
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) rest: Option<Rest>,
}

/// The answer for a response of actix-web. The body of an answer to HEAD is not read.
pub(crate) async fn answer_of(
    context: &Context,
    response: HttpResponse<BoxBody>,
    head: bool,
) -> Answer {
    log(context.request_id(), &response);
    let (mut answered, body) = response.into_parts();
    match translate(context, &mut answered) {
        Ok(mut response) => {
            let (body, rest) = body_of(body, head).await;
            *response.body_mut() = body;
            Answer { response, rest }
        }
        Err(error) => Answer { response: error.into_response(), rest: None },
    }
}

fn translate(context: &Context, answered: &mut HttpResponse<()>) -> Result<Response, Error> {
    // Sent on, it would leave the client waiting: the host cannot upgrade the connection for actix-web.
    if answered.status().as_u16() == 101 && context.upgrades() {
        let why = "WebSockets of actix-web are not carried";
        return Err(Error::new(StatusCode::NOT_IMPLEMENTED, why));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(answered.status().as_u16())?;
    for (name, value) in answered.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes())?;
        response.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes())?);
    }
    if let Some(ResponseExtensions(extensions)) =
        answered.extensions_mut().remove::<ResponseExtensions>()
    {
        *response.extensions_mut() = extensions;
    }
    Ok(response)
}

/// Logs why a request failed, which actix-web does not: its clients see the cause instead.
fn log(id: &str, response: &HttpResponse<BoxBody>) {
    let status = response.status();
    if let Some(error) = response.error()
        && status.is_server_error()
        // The host logs this one.
        && error.as_error::<Problem>().is_none()
    {
        tracing::error!(request_id = id, status = status.as_u16(), "{error}");
    }
}
