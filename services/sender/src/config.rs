use std::time::Duration;

use attachments::S3Options;
use service_runtime::{
    config::{AmqpConfig, AttachmentsConfig, EngineConfig, PostgresConfig, VaultConfig},
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
        /// How long a send is kept back that the provider refused for a trouble of its own: a status that comes meanwhile shows
        /// that it was taken after all.
        echo_wait: Duration = "15s",
        /// How long a number rests after its access token was refused, at first; each time in a row twice as long.
        credential_pause: Duration = "30s",
        /// How long a number rests whose account is in trouble, at first.
        account_pause: Duration = "5m",
        /// After how long one message tries whether a paused template is back, at first.
        template_pause: Duration = "10m",
        /// The longest of all these pauses, whatever the provider says.
        longest_pause: Duration = "72h",
        /// How often an unconfirmed send is repeated at most, where the tenant's policy says so.
        max_resends: u16 = 3,
        /// Messages a second to one recipient, after a burst. The provider's own limit is one in six seconds.
        pair_rate: f64 = 0.1667,
        /// Burst to one recipient.
        pair_burst: u32 = 10,
        /// How often messages past their lifetime are looked for.
        expiry_interval: Duration = "30s",
        /// How often it is counted what is in doubt, given up and decided, for the metrics.
        watch_interval: Duration = "15s",
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
        engine: EngineConfig,
        sender: SenderConfig,
    }
}

impl Config {
    pub(crate) fn engine(&self) -> dispatch::Settings {
        dispatch::Settings {
            claim_lease: self.sender.claim_lease,
            keeps: self.engine.keeps,
            release_lease: self.engine.release_lease,
            partition_lease: self.engine.partition_lease,
            poll: self.engine.poll,
            store_timeout: self.engine.store_timeout,
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
