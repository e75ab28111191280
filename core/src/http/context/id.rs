//! The name of a request.

/// The name of a request; one of ours needs no memory of its own.
#[derive(Clone, Debug)]
pub(super) enum Id {
    Given(String),
    Fresh(Digits),
}

/// Where a word begins: a check of text takes a word at a time there, and a byte at a time elsewhere.
#[derive(Clone, Debug)]
#[repr(align(8))]
pub(super) struct Digits([u8; 32]);

impl Default for Id {
    fn default() -> Self {
        Self::Given(String::new())
    }
}

impl Id {
    /// 128 random bits as 32 hexadecimal digits.
    pub(super) fn fresh() -> Self {
        // This is a part of every request: eight digits at a time; the formatter of a u128 divides for each.
        let every = |byte: u8| u64::from_ne_bytes([byte; 8]);
        let mut text = [0; 32];
        for eight in text.chunks_exact_mut(8) {
            let digits = fastrand::u64(..) & every(0xf);
            // Of 10 to 15 the sum has the bit for 16: they are letters.
            let letters = (digits + every(6)) >> 4 & every(1);
            let offset = u64::from(b'a' - b'0' - 10);
            eight.copy_from_slice(&(digits + every(b'0') + letters * offset).to_ne_bytes());
        }
        Self::Fresh(Digits(text))
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Given(id) => id,
            // Digits are UTF-8.
            Self::Fresh(Digits(text)) => std::str::from_utf8(text).unwrap_or_default(),
        }
    }
}
