use bytes::{Buf, Bytes};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use vault::stream::Opener;

use crate::GetError;

/// Turns the stored bytes back into the file. Ends in an error unless the file was whole.
pub(crate) fn open(
    sealed: BoxStream<'static, object_store::Result<Bytes>>,
    opener: Opener,
) -> BoxStream<'static, Result<Bytes, GetError>> {
    let download = Download {
        sealed,
        pending: Bytes::new(),
        opener: Some(opener),
    };
    stream::try_unfold(download, |mut download| async {
        let frame = download.next().await?;
        Ok(frame.map(|frame| (frame.into(), download)))
    })
    .boxed()
}

struct Download {
    sealed: BoxStream<'static, object_store::Result<Bytes>>,
    pending: Bytes,
    /// Gone once the end was opened.
    opener: Option<Opener>,
}

impl Download {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, GetError> {
        while let Some(opener) = &mut self.opener {
            let mut rest = self.pending.as_ref();
            let frame = opener.push(&mut rest)?;
            let taken = self.pending.len() - rest.len();
            self.pending.advance(taken);
            if frame.is_some() {
                return Ok(frame);
            }
            match self.sealed.try_next().await? {
                Some(chunk) => self.pending = chunk,
                None => return self.finish(),
            }
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<Vec<u8>>, GetError> {
        let last = self.opener.take().map(Opener::finish).transpose()?;
        Ok(last)
    }
}
