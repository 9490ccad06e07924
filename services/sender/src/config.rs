use std::time::Duration;

use attachments::S3Options;
use service_runtime::{
    config::{AmqpConfig, AttachmentsConfig, PostgresConfig, VaultConfig},
    settings,
};
use url::Url;

settings! {
    /// The provider's API.
    pub struct GraphConfig in "graph" {
        /// Base URL of the Graph API.
        base_url: Url = "https://graph.facebook.com",
        /// Version of the Graph API.
        version: String = "v25.0",
        /// How long one call may take, from connecting to the end of the answer.
        timeout: Duration = "20s",
    }
}

settings! {
    /// How messages are sent.
    pub struct SenderConfig in "sender" {
        /// How long a claimed send lives: longer than an upload and a send may take together.
        claim_lease: Duration = "60s",
        /// How long nothing may be heard of an unconfirmed send before the tenant's policy applies.
        unconfirmed_grace: Duration = "10m",
        /// How often an unconfirmed send is repeated at most, where the tenant's policy says so.
        max_resends: u16 = 3,
        /// Messages a second to one recipient, after a burst. The provider's own limit is one in six seconds.
        pair_rate: f64 = 0.1667,
        /// Burst to one recipient.
        pair_burst: u32 = 10,
        /// How often messages past their lifetime are looked for.
        expiry_interval: Duration = "30s",
    }
}

settings! {
    /// Everything the sender is told.
    pub struct Config {
        postgres: PostgresConfig,
        amqp: AmqpConfig,
        vault: VaultConfig,
        attachments: AttachmentsConfig,
        graph: GraphConfig,
        sender: SenderConfig,
    }
}

impl Config {
    pub(crate) fn engine(&self) -> dispatch::Settings {
        dispatch::Settings {
            claim_lease: self.sender.claim_lease,
            ..dispatch::Settings::default()
        }
    }

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
