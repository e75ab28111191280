//! A client of one door, for async tests.

mod cookies;

use std::fmt;
use std::sync::Arc;

use cookies::Cookies;

use crate::{Door, Request, Response, get};

/// A client of one door. A clone is the same client.
#[derive(Clone)]
pub struct Client {
    door: Arc<dyn Door>,
    cookies: Option<Arc<Cookies>>,
}

impl Client {
    /// A client of a door, also of one that the kit does not know.
    pub fn new(door: Arc<dyn Door>) -> Self {
        Self { door, cookies: None }
    }

    /// Makes it keep cookies and send them back, as a browser does with those of one site: for a test of a login.
    ///
    /// A cookie is known by its name alone. `Max-Age=0` deletes it; its path, its age and `Secure` are not looked at.
    #[must_use]
    pub fn with_cookies(self) -> Self {
        Self { cookies: Some(Arc::default()), ..self }
    }

    /// Sends a request and returns its response.
    ///
    /// # Panics
    /// If there is no response, or one that a strict client would reject.
    pub async fn send(&self, request: Request) -> Response {
        let sent = format!("{} {}", request.method, request.target);
        match self.try_send(request).await {
            Ok(response) => response,
            Err(error) => panic!("{sent}: {error}\n{}", self.door.log()),
        }
    }

    /// Sends a request and returns its response.
    ///
    /// # Errors
    /// A sentence: what a strict client would reject, or why the App could not be reached.
    pub async fn try_send(&self, request: Request) -> Result<Response, String> {
        let request = match &self.cookies {
            Some(cookies) => cookies.add_to(request),
            None => request,
        };
        let door = Arc::clone(&self.door);
        // A door blocks its thread, which must not be the thread that drives the App.
        let sent = tokio::task::spawn_blocking(move || door.send(&request));
        let response = sent.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(error.to_string()),
        })?;
        if let Some(cookies) = &self.cookies {
            cookies.keep(&response);
        }
        Ok(response)
    }

    /// Sends a GET for a target such as `/notes?all=1`.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub async fn get(&self, target: &str) -> Response {
        self.send(get(target)).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.door.facts()).finish()
    }
}
