use std::time::Duration;

use attachments::S3Options;
use service_runtime::{
    config::{AttachmentsConfig, ByteSize, HttpConfig, PostgresConfig, VaultConfig},
    settings,
};

settings! {
    /// What the API accepts.
    pub struct GatewayConfig in "gateway" {
        /// The largest report file.
        max_file: ByteSize = "10MiB",
        /// How long a message may wait to be sent before it expires.
        message_lifetime: Duration = "72h",
        /// How long one request may take, a slow upload included.
        request_timeout: Duration = "60s",
        /// Memory that the report files being received may take; requests beyond it wait for their turn.
        upload_memory: ByteSize = "128MiB",
    }
}

settings! {
    /// Where callbacks may go.
    pub struct CallbacksConfig in "callbacks" {
        /// Whether callbacks may go to this machine, also without TLS: for development.
        allow_loopback: bool = false,
    }
}

settings! {
    /// Everything the gateway is told.
    pub struct Config {
        http: HttpConfig,
        postgres: PostgresConfig,
        vault: VaultConfig,
        attachments: AttachmentsConfig,
        gateway: GatewayConfig,
        callbacks: CallbacksConfig,
    }
}

impl Config {
    pub(crate) fn s3_options(&self) -> S3Options {
        S3Options {
            endpoint: self.attachments.s3_endpoint.clone(),
            region: self.attachments.s3_region.clone(),
            access_key_id: self.attachments.s3_access_key_id.clone(),
            secret_access_key: self.attachments.s3_secret_access_key.clone(),
            allow_http: self.attachments.s3_allow_http,
        }
    }
}
