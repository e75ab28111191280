//! The host's error on its way through actix-web.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use anyhost_core::Error;
use bytes::Bytes;

/// [`Error`](anyhost_core::Error) as handlers return it: `?` works on any error, the client gets a problem
/// (RFC 9457), and the host logs the cause.
///
/// A database that is full or away becomes a 503 with `Retry-After`, as in every App; actix-web's own
/// errors send their cause to the client.
///
/// ```
/// use actix_web::{HttpResponse, web};
/// use anyhost_actix::Problem;
///
/// async fn read(path: web::Path<String>) -> Result<HttpResponse, Problem> {
///     let number: u32 = path.parse()?; // a 500: the client learns nothing about the cause
///     Ok(HttpResponse::Ok().json(number))
/// }
/// # let _ = web::get().to(read);
/// ```
pub struct Problem {
    text: String,
    response: http::Response<Bytes>,
}

/// What the host remembers of an error's response, carried by actix-web's.
pub(crate) struct ResponseExtensions(pub(crate) http::Extensions);

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        let error = error.into();
        let text = error.to_string();
        // The body of a problem is complete in memory.
        let response = error.into_response().map(|body| body.into_full().unwrap_or_default());
        Self { text, response }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        let status = self.response.status().as_u16();
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response =
            HttpResponse::with_body(self.status_code(), BoxBody::new(self.response.body().clone()));
        for (name, value) in self.response.headers() {
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            let value = HeaderValue::from_bytes(value.as_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                response.headers_mut().append(name, value);
            }
        }
        let remembered = ResponseExtensions(self.response.extensions().clone());
        response.extensions_mut().insert(remembered);
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("status", &self.response.status())
            .field("text", &self.text)
            .finish()
    }
}
