//! Typed settings from the environment, parsed once, with errors that name the variable.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
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
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Settings from an environment, as `std::env::vars_os` gives it. What is not UTF-8 is left out:
    /// no setting of ours can be meant by it.
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(
            vars.into_iter()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// Settings from name and value pairs, for tests and for hosts without an environment.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a setting as it was written: `None` where it is unset or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The value of a setting: `None` where it is unset or empty.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable, what was expected and what was found.
    pub fn get<T: Setting>(&self, name: &'static str) -> Result<Option<T>, ConfigError> {
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
            ConfigError::new(name, format!("is not set; expected {}", T::expected()))
        })
    }

    /// The value of a setting that must not be printed: `None` where it is unset or empty.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }
}

/// Prints the names alone: a value may be a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
}

impl ConfigError {
    /// An error about one variable. The text must not hold a secret.
    pub fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into() }
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
    fn debug_prints_no_value() {
        let settings = Settings::from_pairs([("DATABASE_URL", "postgres://u:hunter2@h/d")]);
        assert_eq!(format!("{settings:?}"), r#"{"DATABASE_URL"}"#);
    }
}
