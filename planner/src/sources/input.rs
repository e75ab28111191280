//! The bytes of a file or of stdin, unpacked where they are gzip.

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
        MultiGzDecoder::new(bytes.as_slice()).take(MOST).read_to_end(&mut unpacked)?;
        bytes = unpacked;
    }
    if bytes.len() as u64 >= MOST {
        return Err(io::Error::other("is larger than 4 GiB unpacked"));
    }
    Ok(bytes)
}
