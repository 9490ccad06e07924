use std::fmt;

use object_store::path::Path;
use uuid::Uuid;
use vault::Context;

/// Where a file is: `<tenant>/<attachment>`. The file is sealed for this place, so that it cannot
/// pass for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    tenant: Uuid,
    attachment: Uuid,
}

impl ObjectKey {
    pub const fn new(tenant: Uuid, attachment: Uuid) -> Self {
        Self { tenant, attachment }
    }

    pub(crate) fn path_under(&self, prefix: &Path) -> Path {
        prefix
            .clone()
            .join(self.tenant.to_string())
            .join(self.attachment.to_string())
    }

    pub(crate) const fn context(&self) -> Context {
        Context::new(self.tenant, "attachment")
    }

    pub(crate) const fn name(&self) -> &[u8; 16] {
        self.attachment.as_bytes()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.attachment)
    }
}
