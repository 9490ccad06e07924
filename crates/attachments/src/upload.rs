use std::error::Error as StdError;
use std::future::ready;
use std::pin::{Pin, pin};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::buffered::BufWriter;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use vault::stream::Sealer;

use crate::{MediaType, PutError, StorageError};

/// What was stored. Size and hash are those of the file before encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub media_type: MediaType,
    pub size_bytes: u64,
    pub sha256: [u8; 32],
}

/// Stores `body` through `sealer`. The writer shows the object to readers only when it is whole.
pub(crate) async fn store<S, E>(
    body: S,
    limit_bytes: u64,
    sealer: Sealer,
    mut writer: BufWriter,
) -> Result<Stored, PutError<E>>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: StdError + 'static,
{
    let mut body = pin!(limited(body, limit_bytes));
    let start = read_start(body.as_mut()).await?;
    let media_type = match MediaType::sniff(&start) {
        Some(media_type) => media_type,
        None if start.is_empty() => return Err(PutError::Empty),
        None => return Err(PutError::UnsupportedType),
    };
    let whole = stream::once(ready(Ok(start))).chain(body);
    let (size_bytes, sha256) = match seal_all(whole, sealer, &mut writer).await {
        Ok(measured) => measured,
        Err(error) => {
            // The first error is the one to report; parts that stay behind are never an object.
            drop(writer.abort().await);
            return Err(error);
        }
    };
    writer.shutdown().await.map_err(StorageError::from)?;
    Ok(Stored {
        media_type,
        size_bytes,
        sha256,
    })
}

fn limited<S, E>(body: S, limit_bytes: u64) -> impl Stream<Item = Result<Bytes, PutError<E>>>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: StdError + 'static,
{
    let mut received_bytes = 0_u64;
    body.map(move |chunk| {
        let chunk = chunk.map_err(PutError::Body)?;
        received_bytes = received_bytes.saturating_add(chunk.len() as u64);
        if received_bytes > limit_bytes {
            return Err(PutError::TooLarge { limit_bytes });
        }
        Ok(chunk)
    })
}

/// Reads until the type can be told, however small the chunks are.
async fn read_start<S, E>(mut body: Pin<&mut S>) -> Result<Bytes, E>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let mut start = BytesMut::new();
    while start.len() < MediaType::SNIFFED_BYTES {
        match body.try_next().await? {
            Some(chunk) => start.extend_from_slice(&chunk),
            None => break,
        }
    }
    Ok(start.freeze())
}

async fn seal_all<S, E>(
    body: S,
    mut sealer: Sealer,
    writer: &mut BufWriter,
) -> Result<(u64, [u8; 32]), PutError<E>>
where
    S: Stream<Item = Result<Bytes, PutError<E>>>,
    E: StdError + 'static,
{
    let mut body = pin!(body);
    let mut digest = Sha256::new();
    let mut size_bytes = 0;
    while let Some(chunk) = body.try_next().await? {
        digest.update(&chunk);
        size_bytes += chunk.len() as u64;
        let mut plaintext = chunk.as_ref();
        while let Some(frame) = sealer.push(&mut plaintext) {
            write(writer, frame).await?;
        }
    }
    write(writer, sealer.finish()).await?;
    Ok((size_bytes, digest.finalize().into()))
}

async fn write(writer: &mut BufWriter, frame: Vec<u8>) -> Result<(), StorageError> {
    Ok(writer.put(frame.into()).await?)
}
