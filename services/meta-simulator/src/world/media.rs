use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

/// Descriptions kept; the oldest uploads are forgotten beyond it.
const RECORDS_KEPT: usize = 200_000;

/// Who put a file there decides how long its id lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    Upload,
    Webhook,
    /// Fetched from a link in a message; it has no id outside the simulator.
    Link,
}

impl Origin {
    fn lifetime(self) -> Duration {
        match self {
            Self::Upload | Self::Link => Duration::from_hours(30 * 24),
            Self::Webhook => Duration::from_hours(7 * 24),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct MediaRecord {
    pub(crate) id: String,
    pub(crate) phone_number_id: String,
    pub(crate) mime_type: String,
    pub(crate) sha256: String,
    pub(crate) size_bytes: usize,
    origin: Origin,
    expires_at: DateTime<Utc>,
}

/// Files by id. The same bytes are kept once, however often they are uploaded.
pub(crate) struct MediaStore {
    capacity: usize,
    records: HashMap<String, MediaRecord>,
    order: VecDeque<String>,
    blobs: HashMap<String, Bytes>,
    blob_order: VecDeque<String>,
    held: usize,
}

impl MediaStore {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            records: HashMap::new(),
            order: VecDeque::new(),
            blobs: HashMap::new(),
            blob_order: VecDeque::new(),
            held: 0,
        }
    }

    pub(crate) fn insert(&mut self, file: NewMedia<'_>, now: DateTime<Utc>) -> MediaRecord {
        let record = MediaRecord {
            id: file.id,
            phone_number_id: file.phone_number_id.to_owned(),
            mime_type: file.mime_type.to_owned(),
            sha256: hex::encode(Sha256::digest(&file.bytes)),
            size_bytes: file.bytes.len(),
            origin: file.origin,
            expires_at: now + file.origin.lifetime(),
        };
        self.keep(&record.sha256, file.bytes);
        self.order.push_back(record.id.clone());
        self.records.insert(record.id.clone(), record.clone());
        if self.order.len() > RECORDS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.records.remove(&oldest);
        }
        record
    }

    fn keep(&mut self, sha256: &str, bytes: Bytes) {
        if self.blobs.contains_key(sha256) {
            return;
        }
        self.held += bytes.len();
        self.blob_order.push_back(sha256.to_owned());
        self.blobs.insert(sha256.to_owned(), bytes);
        while self.held > self.capacity && self.blob_order.len() > 1 {
            let oldest = self
                .blob_order
                .pop_front()
                .and_then(|oldest| self.blobs.remove(&oldest));
            self.held -= oldest.map_or(0, |bytes| bytes.len());
        }
    }

    /// A file that a caller of the Graph API may still name.
    pub(crate) fn find(&self, id: &str, now: DateTime<Utc>) -> Option<&MediaRecord> {
        self.records
            .get(id)
            .filter(|record| now < record.expires_at && record.origin != Origin::Link)
    }

    /// A file for the phone page, which keeps what it has received.
    pub(crate) fn received(&self, id: &str) -> Option<(&MediaRecord, Bytes)> {
        let record = self.records.get(id)?;
        self.bytes(record).map(|bytes| (record, bytes))
    }

    pub(crate) fn bytes(&self, record: &MediaRecord) -> Option<Bytes> {
        self.blobs.get(&record.sha256).cloned()
    }

    /// The id is gone at once; phones keep what they have.
    pub(crate) fn delete(&mut self, id: &str, now: DateTime<Utc>) {
        if let Some(record) = self.records.get_mut(id) {
            record.expires_at = now;
        }
    }
}

/// A file on its way into the store.
pub(crate) struct NewMedia<'a> {
    pub(crate) id: String,
    pub(crate) phone_number_id: &'a str,
    pub(crate) mime_type: &'a str,
    pub(crate) bytes: Bytes,
    pub(crate) origin: Origin,
}
