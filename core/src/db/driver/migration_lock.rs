//! The lock that a server has for migrations.

/// The session that has the lock.
#[derive(Debug)]
pub struct LockHolder {
    /// The session that holds the lock, as an operator finds it on the server; empty if this role may not see it.
    pub(crate) name: String,
    /// Whether the server runs a statement for it at this moment.
    pub(crate) works: bool,
}

/// The lock that sqlx's own migrator and command line take: its number for a database of this name.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn number_of_sqlx(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(crc32(database.as_bytes()))
}

/// CRC-32 with the polynomial of zip files.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc)))
}

#[cfg(all(test, any(feature = "postgres", feature = "mysql")))]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
