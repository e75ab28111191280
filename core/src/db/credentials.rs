//! The source of the next connection's password: the URL, a file that changes, or a provider of tokens.

use std::error::Error as StdError;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::settings::{DatabaseSettings, DatabaseUrl};

/// A token is renewed this long before it expires: connecting takes time too, and clocks differ.
const EARLY: Duration = Duration::from_secs(60);

/// A source of passwords that change, asked when a connection is opened: a cloud's identity service, a vault.
///
/// It is called once for all callers that wait, and again when its password is about to expire by the wall clock or
/// the server refuses it. Open connections stay open.
///
/// ```
/// use anyhost_core::async_trait;
/// use anyhost_core::db::{Password, PasswordProvider};
///
/// struct Tokens;
///
/// #[async_trait]
/// impl PasswordProvider for Tokens {
///     async fn password(&self) -> Result<Password, Box<dyn std::error::Error + Send + Sync>> {
///         let in_15_minutes = std::time::SystemTime::now() + std::time::Duration::from_secs(900);
///         Ok(Password::new("a token").expires(in_15_minutes))
///     }
/// }
/// ```
#[async_trait]
pub trait PasswordProvider: Send + Sync + 'static {
    /// The password to connect with now.
    ///
    /// # Errors
    /// Why there is no password. The text becomes part of the error for the caller, so it must not quote a secret.
    async fn password(&self) -> Result<Password, Box<dyn StdError + Send + Sync>>;
}

/// A password, and until when it opens connections.
#[derive(Clone)]
pub struct Password {
    secret: SecretString,
    expires: Option<SystemTime>,
}

impl Password {
    /// A password that does not expire.
    pub fn new(secret: impl Into<String>) -> Self {
        Self { secret: SecretString::from(secret.into()), expires: None }
    }

    /// Sets when it expires, by the wall clock.
    #[must_use]
    pub fn expires(mut self, at: SystemTime) -> Self {
        self.expires = Some(at);
        self
    }

    fn is_fresh(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now + EARLY < expires)
    }

    pub(super) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The password of a pool's connections.
pub(super) enum Credentials {
    /// The one in the URL; after the settings were read again, the one in the new URL.
    Url(RwLock<Option<Password>>),
    /// The content of a file, read for each connection; and the variable that names the file.
    File(PathBuf, String),
    /// The last password of a provider. The caller that finds it expired renews it while the others wait.
    Provider(Arc<dyn PasswordProvider>, Mutex<Option<Password>>),
}

impl Credentials {
    /// The source of passwords that the settings name.
    pub(super) fn from_settings(settings: &DatabaseSettings) -> Self {
        match &settings.password_file {
            Some(path) => {
                Self::File(path.clone(), settings.url.variable_of("DATABASE_PASSWORD_FILE"))
            }
            None => Self::Url(RwLock::default()),
        }
    }

    /// Uses the password of this URL for new connections, if passwords come from the URL.
    pub(super) fn renew(&self, url: &DatabaseUrl) {
        if let Self::Url(renewed) = self
            && let Some(password) = url.password()
        {
            *renewed.write().unwrap_or_else(PoisonError::into_inner) =
                Some(Password::new(password));
        }
    }

    pub(super) fn provider(source: Arc<dyn PasswordProvider>) -> Self {
        Self::Provider(source, Mutex::default())
    }

    /// Returns the password to connect with; `None`: the one in the connect options. A password that was refused is
    /// returned again only if the source gives it again.
    pub(super) async fn password(
        &self,
        refused: Option<&Password>,
    ) -> Result<Option<Password>, sqlx::Error> {
        self.password_at(SystemTime::now, refused).await
    }

    /// The same with another clock. The clock is read after the lock was taken, because that may take long.
    async fn password_at(
        &self,
        now: impl Fn() -> SystemTime + Send,
        refused: Option<&Password>,
    ) -> Result<Option<Password>, sqlx::Error> {
        let failed = |error: Box<dyn StdError + Send + Sync>| {
            sqlx::Error::Io(std::io::Error::other(format!("no password to connect with: {error}")))
        };
        match self {
            Self::Url(renewed) => {
                Ok(renewed.read().unwrap_or_else(PoisonError::into_inner).clone())
            }
            Self::File(path, variable) => {
                let text = tokio::fs::read_to_string(path).await.map_err(|error| {
                    failed(format!("{variable} ({}): {error}", path.display()).into())
                })?;
                // The line end that editors add is no part of the password.
                Ok(Some(Password::new(text.trim_end_matches(['\r', '\n']))))
            }
            Self::Provider(source, cached) => {
                let mut cached = cached.lock().await;
                let is_refused = |password: &Password| {
                    refused.is_some_and(|refused| refused.expose() == password.expose())
                };
                match &*cached {
                    Some(password) if password.is_fresh(now()) && !is_refused(password) => {
                        Ok(Some(password.clone()))
                    }
                    _ => {
                        // A panic would end the task that opens connections for other callers.
                        let fresh = AssertUnwindSafe(source.password()).catch_unwind().await;
                        let fresh = fresh.unwrap_or_else(|_| Err("its provider panicked".into()));
                        let fresh = fresh.map_err(failed)?;
                        *cached = Some(fresh.clone());
                        Ok(Some(fresh))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Tokens that are valid for 15 minutes by a clock that a test sets, each of them new.
    struct Tokens {
        asked: AtomicUsize,
        now: SystemTime,
    }

    #[async_trait]
    impl PasswordProvider for Arc<Tokens> {
        async fn password(&self) -> Result<Password, Box<dyn StdError + Send + Sync>> {
            tokio::task::yield_now().await;
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            let minutes = Duration::from_secs(60 * 15) * u32::try_from(number + 1)?;
            Ok(Password::new(format!("token {number}")).expires(self.now + minutes))
        }
    }

    struct FailingProvider;

    #[async_trait]
    impl PasswordProvider for FailingProvider {
        async fn password(&self) -> Result<Password, Box<dyn StdError + Send + Sync>> {
            panic!("a bug of the provider's");
        }
    }

    #[tokio::test]
    async fn a_provider_that_panics_is_an_error_and_ends_no_other_task() {
        let credentials = Credentials::provider(Arc::new(FailingProvider));
        for _ in 0..2 {
            let error = credentials.password(None).await.expect_err("there is none").to_string();
            assert!(
                error.contains("no password to connect with: its provider panicked"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_leap_of_the_clock_costs_one_renewal_for_fifty_connections() {
        let now = SystemTime::now();
        let tokens = Arc::new(Tokens { asked: AtomicUsize::new(0), now });
        let credentials = Credentials::provider(Arc::new(Arc::clone(&tokens)));
        let wave = async |now: SystemTime| {
            let fifty = (0..50).map(|_| credentials.password_at(move || now, None));
            let mut given = Vec::new();
            for password in futures_util::future::join_all(fifty).await {
                given.push(
                    password.expect("there is one").expect("it is asked for").expose().to_owned(),
                );
            }
            given.dedup();
            (given, tokens.asked.load(Ordering::SeqCst))
        };
        assert_eq!(wave(now).await, (vec!["token 0".into()], 1));
        // Ten minutes on nothing is stale, twenty on all of it is.
        assert_eq!(wave(now + Duration::from_secs(600)).await, (vec!["token 0".into()], 1));
        assert_eq!(wave(now + Duration::from_secs(1200)).await, (vec!["token 1".into()], 2));
        // A clock that was set back makes nothing older.
        assert_eq!(wave(now).await, (vec!["token 1".into()], 2));
    }
}
