//! A stream as the one piece that its reader wants.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::{Body, BodyError};

/// All chunks of a stream as one.
pub(super) async fn gathered(mut stream: Body) -> Result<Bytes, BodyError> {
    let mut large: Vec<Bytes> = Vec::new();
    let mut small = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = stream.frame().await {
        // Trailers are not part of the body.
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        if data.len() < SMALL {
            small.extend_from_slice(&data);
        } else {
            if !small.is_empty() {
                large.push(small.split().freeze());
            }
            large.push(data);
        }
    }
    if large.is_empty() {
        return Ok(small.freeze());
    }
    if small.is_empty() && large.len() == 1 {
        return Ok(large.remove(0));
    }
    let mut all = BytesMut::with_capacity(length);
    for data in large {
        all.extend_from_slice(&data);
    }
    all.extend_from_slice(&small);
    Ok(all.freeze())
}

/// A chunk below this is copied: it may keep the buffer it was read into alive, which is many times as large.
const SMALL: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_of_all_sizes_come_together_in_order() {
        for sizes in [&[1, 2][..], &[SMALL], &[1, SMALL, 2, 3, SMALL + 1, 4], &[SMALL, SMALL, 1]] {
            let parts: Vec<Bytes> = (b'a'..).zip(sizes).map(|(b, n)| vec![b; *n].into()).collect();
            let whole = parts.concat();
            let chunks = futures_util::stream::iter(parts.into_iter().map(Ok::<_, BodyError>));
            assert_eq!(Body::stream(chunks).bytes().await.expect("all of it"), whole, "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn a_small_chunk_does_not_keep_the_buffer_it_was_read_into() {
        let read = Bytes::from(vec![b'x'; 64 * 1024]);
        let chunks = [read.slice(..1), read.slice(9..10)].map(Ok::<_, BodyError>);
        let body = Body::stream(futures_util::stream::iter(chunks)).bytes().await.expect("two");
        assert_eq!(body, "xx");
        assert!(read.is_unique());
    }
}
