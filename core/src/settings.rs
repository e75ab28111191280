//! Typed settings from the environment, parsed once, with errors that name the variable.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

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
    /// The names that somebody has asked for.
    asked: Arc<Mutex<BTreeSet<String>>>,
    /// What stands before the names of a database's settings, if it is not the first one.
    prefix: Option<String>,
}

/// The shortest name of a setting that another is taken for: `HOST` is no `PORT`.
const SHORTEST: usize = 8;

impl Settings {
    /// Settings from an environment, as `std::env::vars_os` gives it. What is not UTF-8 is left out:
    /// no setting of ours can be meant by it.
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
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

    /// The same settings for the database of this name: `DATABASE_URL` is `ANALYTICS_DATABASE_URL` for "analytics",
    /// and so is every other setting of a database.
    pub(crate) fn of_database(&self, name: &str) -> Self {
        let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        let prefix: String = letters.map(|c| c.to_ascii_uppercase()).collect();
        Self { prefix: Some(format!("{prefix}_")), ..self.clone() }
    }

    /// A setting's own name, with the prefix of the database that is asked about.
    pub(crate) fn name(&self, name: &'static str) -> &'static str {
        match &self.prefix {
            Some(prefix)
                if name.starts_with("DATABASE_") || name.starts_with("DIRECT_DATABASE_") =>
            {
                interned(format!("{prefix}{name}"))
            }
            _ => name,
        }
    }

    /// The value of a setting as it was written: `None` where it is unset or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains(name) {
            asked.insert(name.to_owned());
        }
        drop(asked);
        self.value(name)
    }

    /// The value of a setting: `None` where it is unset or empty.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable, what was expected and what was found.
    pub fn get<T: Setting>(&self, name: &'static str) -> Result<Option<T>, ConfigError> {
        let name = self.name(name);
        let Some(text) = self.text(name) else { return Ok(None) };
        T::parse(text).map(Some).ok_or_else(|| {
            let found: String = text.chars().take(40).collect();
            ConfigError::new(name, format!("expected {}, found {found:?}", T::expected()))
        })
    }

    /// The value of a setting that must be there.
    ///
    /// # Errors
    /// [`ConfigError`] where it is unset, empty or wrong.
    pub fn require<T: Setting>(&self, name: &'static str) -> Result<T, ConfigError> {
        self.get(name)?.ok_or_else(|| {
            let name = self.name(name);
            ConfigError::new(name, format!("is not set; expected {}", T::expected()))
        })
    }

    /// The value of a setting that must not be printed: `None` where it is unset or empty.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// The variables that are most likely misspelt: they are set and nobody has asked for them, while something
    /// was asked for in vain whose name is nearly theirs. To be called when everything has been asked for.
    #[must_use]
    pub fn misspelt(&self) -> Vec<Misspelt> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let in_vain = |name: &&String| name.len() >= SHORTEST && self.value(name).is_none();
        let missing: Vec<&String> = asked.iter().filter(in_vain).collect();
        let unread = self.values.keys().filter(|name| !asked.contains(*name));
        let misspelt = |found: &String| {
            let nearest = missing.iter().map(|meant| (distance(found, meant), *meant)).min()?;
            let (distance, meant) = nearest;
            (distance <= 2).then(|| Misspelt { found: found.clone(), meant: meant.clone() })
        };
        unread.filter_map(misspelt).collect()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

/// A name that lives as long as the process: there are as many as databases that a program names.
fn interned(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name.as_str()) {
        Some(known) => known,
        None => {
            let name: &'static str = name.leak();
            names.insert(name);
            name
        }
    }
}

/// How many letters two names are apart, whatever their case.
fn distance(one: &str, other: &str) -> usize {
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    strsim::damerau_levenshtein(&one.to_ascii_uppercase(), &other.to_ascii_uppercase())
}

/// A variable that is set and that nobody reads, and the setting that was most likely meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelt {
    /// The variable's name.
    pub found: String,
    /// The setting's name.
    pub meant: String,
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
    /// What a valid value looks like, in the words of an error message: "a whole number from 0 to 255".
    fn expected() -> String;

    /// The value, or `None` where the text is not one.
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

whole_numbers!(u8, u16, u32, u64, usize);

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

/// Seconds where no unit is given; `ms`, `s`, `m` and `h` are understood.
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
    variable: &'static str,
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
        (self.variable, &self.problem) == (other.variable, &other.problem)
    }
}

impl Eq for ConfigError {}

impl ConfigError {
    /// An error about one variable. The text must not hold a secret.
    pub fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into(), source: None }
    }

    /// Adds the error that showed that the setting is wrong, such as a server's answer.
    pub(crate) fn with_source(mut self, source: Arc<dyn std::error::Error + Send + Sync>) -> Self {
        self.source = Some(source);
        self
    }

    /// The variable to correct.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        self.variable
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
    fn debug_prints_no_value() {
        let settings = Settings::from_pairs([("DATABASE_URL", "postgres://u:hunter2@h/d")]);
        assert_eq!(format!("{settings:?}"), r#"{"DATABASE_URL"}"#);
    }
}
