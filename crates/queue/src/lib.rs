//! Messages between services: the only AMQP, and an in-process broker behind the same API.
//! Owns delivery, acknowledgement, dead letters and reconnecting; must not know what a message says.
//! Delivery is at least once, from both brokers: whoever consumes has to recognise a duplicate.

mod broker;
mod delivery;
mod in_process;
mod message;
mod metrics;
mod rabbitmq;
mod topology;

pub use broker::{Broker, Consumer};
pub use delivery::{AckError, Delivery};
pub use message::{Message, PublishError};
pub use metrics::describe as describe_metrics;
pub use rabbitmq::{InvalidUrl, RabbitConfig};
pub use topology::{DELIVERY_LIMIT, MAX_LENGTH, Queue};
