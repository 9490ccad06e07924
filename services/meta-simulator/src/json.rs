use serde_json::Value;

/// Reading and writing JSON objects without the panics of indexing.
pub(crate) trait Fields {
    /// The value of a key, or null.
    fn at(&self, key: &str) -> &Value;

    /// Sets a key of an object; anything else stays as it is.
    fn set(&mut self, key: &str, value: impl Into<Value>);
}

impl Fields for Value {
    fn at(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&Self::Null)
    }

    fn set(&mut self, key: &str, value: impl Into<Self>) {
        if let Some(object) = self.as_object_mut() {
            object.insert(key.to_owned(), value.into());
        }
    }
}
