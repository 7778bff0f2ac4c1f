//! pushgate: a push gateway. Log in, post, and everyone present receives.
//!
//! The parts, and what each owns:
//!
//! - [`config`]: the typed configuration, checked whole before anything starts.
//! - [`code`]: the numbers of the wire: problems and close codes.
//! - [`identity`]: client ids, tokens, which of them were ended.
//! - [`channel`]: names, kinds, policies, positions, publications: plain data.
//! - [`dialect`]: what the bytes mean to a client. [`transport`]: how they are framed.
//! - [`presence`]: who is there, since when, until when; the inboxes.
//! - [`engine`]: gives a channel its order. [`store`]: what outlives the process.
//! - [`worker`]: one event loop per core with its connections and their outboxes.
//! - [`hub`]: orders, keeps and hands on what is published. [`hooks`]: what follows a join or leave,
//!   and a backend that is told of it.
//! - [`gate`]: the HTTP verbs. [`server`]: sockets before they become connections.
//! - [`command`]: the client side of the command line. [`metrics`]: what is counted, and how it is told.
//!
//! One publication, from post to socket: [`gate`] reads the request and asks the channel's
//! [`kind`](channel::Kind) to accept it; [`Hub::publish`](hub::Hub::publish) gives it its position, keeps
//! it and puts one entry into the queue of each worker with subscribers; the worker encodes it once
//! per encoding, joined with whatever else is pending on the channel, and writes that to each socket.

pub mod channel;
pub mod code;
pub mod command;
pub mod config;
pub mod dialect;
pub mod engine;
#[doc(hidden)]
pub mod fuzz;
pub mod gate;
pub mod hooks;
pub mod hub;
pub mod identity;
pub mod metrics;
pub mod presence;
pub mod server;
pub mod store;
pub mod transport;
mod wheel;
pub mod worker;
