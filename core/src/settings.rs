//! Typed settings from the environment, parsed once, with errors that name the variable.
//!
//! Long because every type that a setting can have is read here, and what a report may show of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The settings of one process: what its environment said at start, and nothing that changes later.
///
/// An adapter fills it once; an App asks it by name and gets typed values.
///
/// ```
/// use anyhost_core::Settings;
///
/// let settings = Settings::from_pairs([("PAGE_SIZE", "50")]);
/// assert_eq!(settings.get::<u32>("PAGE_SIZE")?, Some(50));
/// assert_eq!(settings.get::<u32>("MISSING")?, None);
///
/// let settings = Settings::from_pairs([("PAGE_SIZE", "many")]);
/// let error = settings.get::<u32>("PAGE_SIZE").unwrap_err();
/// assert_eq!(error.to_string(), "PAGE_SIZE: expected a whole number from 0 to 4294967295, found \"many\"");
/// # Ok::<(), anyhost_core::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
    /// The names that were read, whether they are set or not.
    asked: Arc<Mutex<BTreeSet<String>>>,
    /// The prefix of the names of a database's settings, if it is not the first one.
    prefix: Option<String>,
}

/// Variables that people set out of habit, with the setting of the same meaning here.
const HABITS: [(&str, &str); 4] =
    [("PORT", "LISTEN"), ("BIND", "LISTEN"), ("ADDRESS", "LISTEN"), ("LISTEN", "HOST")];

/// The shortest name of a setting that another is taken for: `HOST` is no `PORT`.
const SHORTEST: usize = 8;

impl Settings {
    /// Settings from an environment, as `std::env::vars_os` gives it. Bytes of a value that are not UTF-8 become U+FFFD,
    /// so that a wrong value is refused instead of being ignored. A variable whose name is not UTF-8 is left out.
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self::from_pairs(vars.into_iter().filter_map(text))
    }

    /// Settings from name and value pairs, for tests and for hosts without an environment.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let values = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { values, asked: Arc::default(), prefix: None }
    }

    /// The same settings for the first database, or for the one of this name: `DATABASE_URL` is `ANALYTICS_DATABASE_URL` for "analytics",
    /// and so is every other setting of a database.
    #[cfg(feature = "db")]
    pub(crate) fn of_database(&self, name: Option<&str>) -> Self {
        let Some(name) = name else { return self.clone() };
        let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        let prefix: String = letters.map(|c| c.to_ascii_uppercase()).collect();
        Self { prefix: Some(format!("{prefix}_")), ..self.clone() }
    }

    /// A setting's own name, with the prefix of the database that is asked about.
    pub(crate) fn prefixed<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match &self.prefix {
            Some(prefix)
                if name.starts_with("DATABASE_") || name.starts_with("DIRECT_DATABASE_") =>
            {
                format!("{prefix}{name}").into()
            }
            _ => name.into(),
        }
    }

    /// The value of a setting as it was written: `None` if it is unset or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains(name) {
            asked.insert(name.to_owned());
        }
        drop(asked);
        self.value(name)
    }

    /// The value of a setting: `None` if it is unset or empty.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable, what was expected and what was found.
    pub fn get<T: Setting>(&self, name: &str) -> Result<Option<T>, ConfigError> {
        let name = self.prefixed(name);
        let Some(text) = self.text(&name) else { return Ok(None) };
        T::parse(text).map(Some).ok_or_else(|| not_expected(&name, &T::expected(), text))
    }

    /// The value of a setting of any type that can be read from text, such as a UUID or a date: `None` if it is unset
    /// or empty. `expected` describes a valid value in an error message.
    ///
    /// ```
    /// use std::num::NonZeroU8;
    ///
    /// # use anyhost_core::Settings;
    /// let settings = Settings::from_pairs([("COPIES", "0")]);
    /// let error = settings.get_with::<NonZeroU8>("COPIES", "a number from 1 to 255").unwrap_err();
    /// assert_eq!(error.to_string(), "COPIES: expected a number from 1 to 255, found \"0\"");
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] names the variable, what was expected and what was found.
    pub fn get_with<T: FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| not_expected(name, expected, text))
    }

    /// All settings that are not empty, in the order of their names: for a configuration library of the App's own.
    /// Values may be secrets. Every setting counts as read, so that none is reported as misspelt.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.extend(self.values.keys().cloned());
        drop(asked);
        self.values.keys().filter_map(|name| Some((name.as_str(), self.value(name)?)))
    }

    /// The value of a setting that must be there.
    ///
    /// # Errors
    /// [`ConfigError`] if it is unset, empty or wrong.
    pub fn require<T: Setting>(&self, name: &str) -> Result<T, ConfigError> {
        self.get(name)?.ok_or_else(|| {
            ConfigError::new(
                self.prefixed(name).into_owned(),
                format!("is not set; expected {}", T::expected()),
            )
        })
    }

    /// Returns the variables that are most likely misspelt: each is set and was never read, while a setting that was
    /// read and is not set has nearly its name, or its meaning on another host. Call it after all settings were read.
    pub(crate) fn misspelt(&self) -> Vec<Misspelt> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let in_vain = |name: &&String| name.len() >= SHORTEST && self.value(name).is_none();
        let missing: Vec<&String> = asked.iter().filter(in_vain).collect();
        let unread = self.values.keys().filter(|name| !asked.contains(*name));
        let misspelt = |found: &String| {
            let habit = HABITS.iter().find(|(name, meant)| {
                name == found && asked.contains(*meant) && self.value(meant).is_none()
            });
            if let Some((_, meant)) = habit {
                return Some(Misspelt { found: found.clone(), meant: (*meant).to_owned() });
            }
            // A value instead of a file: `DATABASE_PASSWORD` instead of `DATABASE_PASSWORD_FILE`.
            let file = missing.iter().find(|meant| meant.strip_suffix("_FILE") == Some(found));
            if let Some(meant) = file {
                return Some(Misspelt { found: found.clone(), meant: (*meant).clone() });
            }
            let nearest = missing.iter().map(|meant| (distance(found, meant), *meant)).min()?;
            let (distance, meant) = nearest;
            (distance <= 2).then(|| Misspelt { found: found.clone(), meant: meant.clone() })
        };
        unread.filter_map(misspelt).collect()
    }

    /// Every setting that was read: those with a value, secrets masked, and the names of the others.
    /// `in_force` are the values that the host has chosen, with defaults among them.
    pub(crate) fn report(
        &self,
        in_force: &[(&'static str, String)],
    ) -> (Vec<(String, String)>, Vec<String>) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
        names.extend(in_force.iter().map(|(name, _)| *name));
        let (mut set, mut unset) = (Vec::new(), Vec::new());
        for name in names {
            let chosen = in_force.iter().find(|(chosen, _)| *chosen == name);
            match (self.value(name), chosen) {
                (Some(_), Some((_, value))) => set.push((name.to_owned(), value.clone())),
                (Some(value), None) => set.push((name.to_owned(), masked(name, value))),
                (None, Some((_, value))) => {
                    set.push((name.to_owned(), format!("{value} (default)")))
                }
                (None, None) => unset.push(name.to_owned()),
            }
        }
        (set, unset)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

/// A value as an operator may see it: without what a secret may be, in one line.
fn masked(name: &str, value: &str) -> String {
    const SECRETS: [&str; 5] = ["PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL"];
    let is_secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        SECRETS.iter().any(|word| name.contains(word)) && !name.ends_with("_FILE")
    };
    if is_secret(name) {
        return "***".into();
    }
    let mut shown = value.to_owned();
    if let Some((scheme, rest)) = value.split_once("://") {
        // To the last of the signs: a password that should have been percent-encoded may hold others.
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (user.split_once(':').map_or(user, |(user, _)| user), Some(rest)),
            None => ("", None),
        };
        shown = match rest {
            Some(rest) => format!("{scheme}://{user}:***@{rest}"),
            None => value.to_owned(),
        };
        if let Some((before, query)) = shown.clone().split_once('?') {
            let pairs = query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, _)) if is_secret(name) => format!("{name}=***"),
                _ => pair.to_owned(),
            });
            shown = format!("{before}?{}", pairs.collect::<Vec<_>>().join("&"));
        }
    }
    shown.escape_debug().take(200).collect()
}

fn not_expected(name: &str, expected: &str, text: &str) -> ConfigError {
    let found: String = text.chars().take(40).collect();
    ConfigError::new(name.to_owned(), format!("expected {expected}, found {found:?}"))
}

/// How many letters two names are apart, whatever their case.
fn distance(one: &str, other: &str) -> usize {
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    strsim::damerau_levenshtein(&one.to_ascii_uppercase(), &other.to_ascii_uppercase())
}

/// A variable that is set and never read, with the setting that was most likely meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misspelt {
    /// The variable's name.
    found: String,
    /// The setting's name.
    meant: String,
}

impl fmt::Display for Misspelt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, meant } = self;
        write!(f, "{found}: is set and nobody reads it; did you mean {meant}?")
    }
}

/// Prints the names alone: a value may be a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// A type that a setting can have.
pub trait Setting: Sized {
    /// Describes a valid value for an error message: "a whole number from 0 to 255".
    fn expected() -> String;

    /// The value, or `None` if the text is not one.
    fn parse(text: &str) -> Option<Self>;
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            fn expected() -> String {
                format!("a whole number from {} to {}", Self::MIN, Self::MAX)
            }

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

macro_rules! described {
    ($($type:ty: $expected:literal),* $(,)?) => {$(
        impl Setting for $type {
            fn expected() -> String {
                $expected.into()
            }

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}

described! {
    f32: "a number such as 0.5",
    f64: "a number such as 0.5",
    NonZeroUsize: "a whole number of at least 1",
    char: "one character",
    IpAddr: "an IP address such as 127.0.0.1 or ::1",
    SocketAddr: "an address and a port such as 127.0.0.1:8080 or [::1]:8080",
    PathBuf: "a path",
    http::Uri: "a URI such as https://example.com/path",
}

impl Setting for String {
    fn expected() -> String {
        "text".into()
    }

    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl Setting for bool {
    fn expected() -> String {
        "true or false".into()
    }

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

/// Seconds if no unit is given; `ms`, `s`, `m` and `h` are understood.
impl Setting for Duration {
    fn expected() -> String {
        "a duration such as 500ms, 10s or 2m".into()
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let duration = match unit.trim() {
            "ms" => Some(Self::from_millis(number)),
            "" | "s" => Some(Self::from_secs(number)),
            "m" => number.checked_mul(60).map(Self::from_secs),
            "h" => number.checked_mul(3600).map(Self::from_secs),
            _ => None,
        };
        // A hundred years: a moment that far away is still one that a clock can show.
        duration.filter(|duration| *duration <= Self::from_secs(100 * 365 * 86_400))
    }
}

/// A number of bytes; `K`/`KiB`, `M`/`MiB` and `G`/`GiB` are understood as powers of 1,024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl Setting for ByteSize {
    fn expected() -> String {
        "a size such as 512K, 6MiB or 1048576".into()
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

/// A setting that is missing or wrong.
///
/// Correct the variable it names and start again: a restart alone cannot help.
#[derive(Clone, Debug)]
pub struct ConfigError {
    variable: Cow<'static, str>,
    problem: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.problem)
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Equal if they say the same, whatever showed it.
impl PartialEq for ConfigError {
    fn eq(&self, other: &Self) -> bool {
        (&self.variable, &self.problem) == (&other.variable, &other.problem)
    }
}

impl Eq for ConfigError {}

impl ConfigError {
    /// An error about one variable. The text must not hold a secret.
    pub fn new(variable: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self { variable: variable.into(), problem: problem.into(), source: None }
    }

    /// Adds the error that showed that the setting is wrong, such as a server's answer.
    #[cfg(feature = "db")]
    pub(crate) fn with_source(mut self, source: Arc<dyn std::error::Error + Send + Sync>) -> Self {
        self.source = Some(source);
        self
    }

    /// The variable to correct.
    #[must_use]
    pub fn variable(&self) -> &str {
        &self.variable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Setting + PartialEq + fmt::Debug>(text: &str, expected: Option<T>) {
        assert_eq!(T::parse(text), expected, "{text:?}");
    }

    #[test]
    fn durations_have_units_and_seconds_are_the_default() {
        check("500ms", Some(Duration::from_millis(500)));
        check("10", Some(Duration::from_secs(10)));
        check("2m", Some(Duration::from_secs(120)));
        check("99999999999999999999h", None::<Duration>);
        check("-1s", None::<Duration>);
        check("soon", None::<Duration>);
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        check("6MiB", Some(ByteSize(6 << 20)));
        check("512K", Some(ByteSize(512 << 10)));
        check("1048576", Some(ByteSize(1 << 20)));
        check("99999999999G", None::<ByteSize>);
        check("6 parsecs", None::<ByteSize>);
    }

    #[test]
    fn addresses_paths_and_numbers_are_settings() {
        check("-5", Some(-5i32));
        check("0.5", Some(0.5f64));
        check("::1", Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
        check("127.0.0.1", None::<SocketAddr>);
        check("/var/lib", Some(PathBuf::from("/var/lib")));
        check("https://a/b", Some(http::Uri::from_static("https://a/b")));
    }

    #[test]
    fn all_settings_that_have_a_value_can_be_listed() {
        let settings = Settings::from_pairs([("B", "2"), ("A", " 1 "), ("EMPTY", "")]);
        assert_eq!(settings.iter().collect::<Vec<_>>(), [("A", "1"), ("B", "2")]);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_refused_and_not_ignored() {
        use std::os::unix::ffi::OsStringExt as _;

        let settings = Settings::from_vars([("PORT".into(), OsString::from_vec(vec![b'8', 0xff]))]);
        let error = settings.get::<u16>("PORT").expect_err("refused").to_string();
        assert_eq!(error, "PORT: expected a whole number from 0 to 65535, found \"8\u{fffd}\"");
    }

    #[test]
    fn an_empty_value_is_an_unset_one() {
        let settings = Settings::from_pairs([("PORT", "  ")]);
        assert_eq!(settings.get::<u16>("PORT"), Ok(None));
    }

    #[test]
    fn a_name_that_is_nearly_one_that_was_asked_for_in_vain_is_most_likely_misspelt() {
        let settings = Settings::from_pairs([
            ("DATABASE_POOL_SZIE", "5"),
            ("database_url", "postgres://localhost/a"),
            ("DATABASE_MAX_CONNECTION", "50"),
            ("APP_INSTANCES", "3"),
            ("APP_INSTANCE", "web.1"),
            ("HOST", "somewhere"),
            ("DATABASE_NAME", "shop"),
        ]);
        let asked = [
            "DATABASE_POOL_SIZE",
            "DATABASE_URL",
            "DATABASE_MAX_CONNECTIONS",
            "APP_INSTANCES",
            "PORT",
            "DATABASE_POOLER",
        ];
        assert_eq!(settings.misspelt(), []);
        for name in asked {
            let _ = settings.clone().text(name);
        }
        let misspelt: Vec<String> = settings.misspelt().iter().map(ToString::to_string).collect();
        let line = |found: &str, meant: &str| {
            format!("{found}: is set and nobody reads it; did you mean {meant}?")
        };
        let expected = [
            line("DATABASE_MAX_CONNECTION", "DATABASE_MAX_CONNECTIONS"),
            line("DATABASE_POOL_SZIE", "DATABASE_POOL_SIZE"),
            line("database_url", "DATABASE_URL"),
        ];
        assert_eq!(misspelt, expected);
    }

    #[test]
    fn a_habit_from_elsewhere_is_answered_where_its_setting_is_read() {
        let settings = Settings::from_pairs([("BIND", "localhost"), ("PORT", "80")]);
        assert_eq!(settings.misspelt(), []);
        let _ = settings.text("LISTEN");
        let meant: Vec<String> = settings.misspelt().into_iter().map(|it| it.meant).collect();
        assert_eq!(meant, ["LISTEN", "LISTEN"]);
        let settings = Settings::from_pairs([("LISTEN", "127.0.0.1")]);
        let _ = settings.text("HOST");
        assert_eq!(settings.misspelt()[0].meant, "HOST");
        let settings = Settings::from_pairs([("DATABASE_PASSWORD", "x")]);
        let _ = settings.text("DATABASE_PASSWORD_FILE");
        assert_eq!(settings.misspelt()[0].meant, "DATABASE_PASSWORD_FILE");
        // If the setting itself is set, or the habit is the setting, there is nothing to say.
        let settings = Settings::from_pairs([("BIND", "x"), ("LISTEN", "x"), ("PORT", "80")]);
        for name in ["PORT", "LISTEN"] {
            let _ = settings.text(name);
        }
        assert_eq!(settings.misspelt(), []);
    }

    #[test]
    fn a_report_shows_every_setting_and_no_secret() {
        let settings = Settings::from_pairs([
            ("DATABASE_URL", "postgres://u:hunter2@h/d?sslpassword=hunter2&a=1"),
            ("OTHER_URL", "mysql://u:hun@ter/2@h:3306/d"),
            ("PLAIN_URL", "postgres://h/d"),
            ("API_TOKEN", "hunter2"),
            ("DATABASE_PASSWORD_FILE", "/run/secret"),
            ("GREETING", "a\nb"),
            ("LAME_DUCK", "90s"),
            ("UNREAD", "1"),
        ]);
        let names = [
            "DATABASE_URL",
            "OTHER_URL",
            "PLAIN_URL",
            "API_TOKEN",
            "DATABASE_PASSWORD_FILE",
            "GREETING",
            "LOG_LEVEL",
        ];
        for name in names {
            let _ = settings.text(name);
        }
        let in_force = [("LAME_DUCK", "9s".to_owned()), ("KEEP_ALIVE", "620s".to_owned())];
        let (set, unset) = settings.report(&in_force);
        let set: Vec<String> = set.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            set,
            [
                "API_TOKEN=***",
                "DATABASE_PASSWORD_FILE=/run/secret",
                "DATABASE_URL=postgres://u:***@h/d?sslpassword=***&a=1",
                "GREETING=a\\nb",
                "KEEP_ALIVE=620s (default)",
                "LAME_DUCK=9s",
                "OTHER_URL=mysql://u:***@h:3306/d",
                "PLAIN_URL=postgres://h/d",
            ]
        );
        assert_eq!(unset, ["LOG_LEVEL"]);
    }

    #[test]
    fn debug_prints_no_value() {
        let settings = Settings::from_pairs([("DATABASE_URL", "postgres://u:hunter2@h/d")]);
        assert_eq!(format!("{settings:?}"), r#"{"DATABASE_URL"}"#);
    }
}
