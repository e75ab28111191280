//! The bytes of a file or of stdin, unpacked if they are gzip.

use std::fs::File;
use std::io::{self, Read, stdin};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The most bytes of an unpacked file: 4 GiB.
const MOST: u64 = 4 << 30;

/// Reads a file, or stdin for `-`.
///
/// # Errors
/// What reading or unpacking says; a file beyond 4 GiB.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        stdin().lock().take(MOST).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    }
    if bytes.starts_with(&GZIP) {
        let mut unpacked = Vec::new();
        let read = MultiGzDecoder::new(bytes.as_slice()).take(MOST).read_to_end(&mut unpacked);
        read.map_err(|error| io::Error::other(format!("is gzip, but cut or broken: {error}")))?;
        bytes = unpacked;
    }
    if bytes.len() as u64 >= MOST {
        return Err(io::Error::other("is larger than 4 GiB unpacked"));
    }
    Ok(utf8(bytes))
}

/// UTF-16 with a byte order mark, which some shells and spreadsheets write, as UTF-8; anything else unchanged.
fn utf8(bytes: Vec<u8>) -> Vec<u8> {
    let unit: fn([u8; 2]) -> u16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => return bytes,
    };
    let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.collect::<String>().into_bytes()
}
