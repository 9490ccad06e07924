use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::world::Status;

/// One accepted send: what the patient really gets, whatever the sender was told.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub wamid: String,
    /// `biz_opaque_callback_data`: the sender's own id.
    pub opaque: Option<String>,
    pub phone_number_id: String,
    /// Digits of the phone, or the user id if it was sent to one.
    pub to: String,
    /// `text`, `template`, `document`, …
    pub kind: String,
    pub template: Option<String>,
    pub media_sha256: Option<String>,
    pub at: DateTime<Utc>,
    /// What became of it, each status once.
    pub fate: Vec<Fate>,
}

/// A status that happened to a message.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Fate {
    pub status: Status,
    /// Why it failed.
    pub code: Option<u32>,
    /// Whether a callback has taken the webhook about it.
    pub told: bool,
}

/// Everything accepted since the start, in order. Cheap to clone; all clones are the same book.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Debug)]
struct Book {
    entries: VecDeque<Entry>,
    capacity: usize,
    total: u64,
    by_opaque: HashMap<String, u64>,
    /// By wamid, which of all entries ever made it is.
    places: HashMap<String, u64>,
}

impl Book {
    fn entry(&mut self, wamid: &str) -> Option<&mut Entry> {
        let dropped = self.total - self.entries.len() as u64;
        let place = self.places.get(wamid)?.checked_sub(dropped)?;
        self.entries.get_mut(usize::try_from(place).ok()?)
    }
}

impl Ledger {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Book {
            entries: VecDeque::new(),
            capacity,
            total: 0,
            by_opaque: HashMap::new(),
            places: HashMap::new(),
        })))
    }

    pub(crate) fn record(&self, entry: Entry) {
        let mut book = self.book();
        let place = book.total;
        book.places.insert(entry.wamid.clone(), place);
        book.total += 1;
        if let Some(opaque) = &entry.opaque {
            *book.by_opaque.entry(opaque.clone()).or_default() += 1;
        }
        book.entries.push_back(entry);
        if book.entries.len() > book.capacity
            && let Some(oldest) = book.entries.pop_front()
        {
            book.places.remove(&oldest.wamid);
        }
    }

    /// Something happened to an accepted message.
    pub(crate) fn happened(&self, wamid: &str, status: Status, code: Option<u32>) {
        let mut book = self.book();
        if let Some(entry) = book.entry(wamid)
            && entry.fate.iter().all(|fate| fate.status != status)
        {
            entry.fate.push(Fate {
                status,
                code,
                told: false,
            });
        }
    }

    /// A callback has taken the webhook about it.
    pub(crate) fn told(&self, wamid: &str, status: Status) {
        let mut book = self.book();
        let entry = book.entry(wamid);
        let fates = entry.into_iter().flat_map(|entry| &mut entry.fate);
        for fate in fates.filter(|fate| fate.status == status) {
            fate.told = true;
        }
    }

    pub(crate) fn clear(&self) {
        let mut book = self.book();
        book.total = 0;
        book.entries.clear();
        book.by_opaque.clear();
        book.places.clear();
    }

    /// The accepted sends that are still kept in full, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.book().entries.iter().cloned().collect()
    }

    /// The accepted sends that carried `opaque`.
    pub fn find(&self, opaque: &str) -> Vec<Entry> {
        let book = self.book();
        book.entries
            .iter()
            .filter(|entry| entry.opaque.as_deref() == Some(opaque))
            .cloned()
            .collect()
    }

    /// How often a send with `opaque` was accepted: 1 is right, 2 is a duplicate.
    pub fn count(&self, opaque: &str) -> u64 {
        self.book()
            .by_opaque
            .get(opaque)
            .copied()
            .unwrap_or_default()
    }

    /// How many sends were accepted.
    pub fn total(&self) -> u64 {
        self.book().total
    }

    /// How many different opaque values were accepted.
    pub fn distinct(&self) -> usize {
        self.book().by_opaque.len()
    }

    /// Opaque values that were accepted more than once, with their counts.
    pub fn duplicates(&self) -> Vec<(String, u64)> {
        let book = self.book();
        let repeated = book.by_opaque.iter().filter(|(_, count)| **count > 1);
        let mut duplicates: Vec<_> = repeated.map(|(key, count)| (key.clone(), *count)).collect();
        duplicates.sort();
        duplicates
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
