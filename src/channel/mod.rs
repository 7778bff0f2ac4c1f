//! Channels as plain data: names, positions, policies, publications, and what each kind accepts.
//!
//! A channel is a named stream with subscribers, presence and history. Nothing here knows a
//! socket, a clock or a runtime: a unit test calls all of it directly.

mod extent;
pub mod json;
pub mod kind;
mod name;
mod policy;
mod position;
mod publication;
mod topics;

pub use extent::Extent;
pub use kind::{Accepted, Content, Inbound, Kind, Rejection};
pub use name::{ChannelName, NameError, Pattern};
pub use policy::{Bounds, DeliveryPolicy, Policies, Policy};
pub use position::{Epoch, Position, Since, SinceError};
pub use publication::{Gap, Publication, Retry, Stored};
pub use topics::{Topic, Topics};
