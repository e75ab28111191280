//! The name of a request.

/// The name of a request; one of ours needs no memory of its own.
#[derive(Clone, Debug)]
pub(super) enum Id {
    Given(String),
    Fresh([u8; 32]),
}

impl Default for Id {
    fn default() -> Self {
        Self::Given(String::new())
    }
}

impl Id {
    /// 128 random bits as 32 hexadecimal digits.
    pub(super) fn fresh() -> Self {
        // The formatter of a u128 divides, and this is a part of every request.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(fastrand::u128(1..).to_be_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        Self::Fresh(text)
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Given(id) => id,
            // Digits are UTF-8.
            Self::Fresh(digits) => std::str::from_utf8(digits).unwrap_or_default(),
        }
    }
}
