use serde_json::Value;

use crate::errors::GraphError;

/// A value of the request and where it stands, to name it in errors as Meta does: `text['body']`.
#[derive(Clone)]
pub(crate) struct At<'a> {
    pub(crate) value: &'a Value,
    path: String,
}

impl<'a> At<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    pub(crate) fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}['{key}']", self.path)
        }
    }

    /// The value of `key` unless it is absent or null.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self {
            value,
            path: self.name(key),
        })
    }

    pub(crate) fn object(&self, key: &str) -> Result<Self, GraphError> {
        let child = self
            .get(key)
            .ok_or_else(|| GraphError::missing(&self.name(key)))?;
        if child.value.is_object() {
            Ok(child)
        } else {
            Err(GraphError::invalid(format!(
                "Param {} must be a JSON object.",
                self.name(key)
            )))
        }
    }

    pub(crate) fn optional_text(
        &self,
        key: &str,
        longest: usize,
    ) -> Result<Option<&'a str>, GraphError> {
        let Some(child) = self.get(key) else {
            return Ok(None);
        };
        let Some(text) = child.value.as_str() else {
            return Err(GraphError::invalid(format!(
                "Param {} must be a string.",
                self.name(key)
            )));
        };
        if text.chars().count() > longest {
            let name = self.name(key);
            return Err(GraphError::invalid(format!(
                "Param {name} must be at most {longest} characters long."
            )));
        }
        Ok(Some(text))
    }

    /// A text that must be there and not be blank.
    pub(crate) fn text(&self, key: &str, longest: usize) -> Result<&'a str, GraphError> {
        let text = self.optional_text(key, longest)?;
        text.filter(|text| !text.trim().is_empty())
            .ok_or_else(|| GraphError::missing(&self.name(key)))
    }

    /// A list that must be there with one to `most` elements.
    pub(crate) fn list(&self, key: &str, most: usize) -> Result<Vec<Self>, GraphError> {
        let child = self
            .get(key)
            .ok_or_else(|| GraphError::missing(&self.name(key)))?;
        let elements = child
            .value
            .as_array()
            .filter(|elements| (1..=most).contains(&elements.len()));
        let elements = elements.ok_or_else(|| {
            GraphError::bad_value(format!(
                "{} must be a list of 1 to {most} elements.",
                child.path
            ))
        })?;
        Ok(child.each(elements))
    }

    /// A list that may be absent or empty.
    pub(crate) fn any_list(&self, key: &str) -> Vec<Self> {
        let child = self.get(key);
        let elements = child
            .as_ref()
            .and_then(|child| child.value.as_array().map(|array| child.each(array)));
        elements.unwrap_or_default()
    }

    fn each(&self, elements: &'a [Value]) -> Vec<Self> {
        let at = |(index, value)| Self {
            value,
            path: format!("{}[{index}]", self.path),
        };
        elements.iter().enumerate().map(at).collect()
    }
}
