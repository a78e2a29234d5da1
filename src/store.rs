//! What replicas share: bytes under keys that expire, and nothing about queries.
//!
//! In reading order: `key` names what is kept, [`Store`] (`contract`) is what every kind of store does, [`Memory`] is the
//! kind within one process, [`Redis`] the one between several, and [`SharedStore`] is what the other rooms hold: it adds
//! the deadline, the breaker (`gate`), the layout of values with its [`Seal`], the counts and the queue of writes (`queue`)
//! that nobody waits for.
//!
//! The data plane needs no store: while it is lost every call fails at once, and who calls goes on with what it can
//! derive. Nothing here knows what the bytes mean, and no key is ever searched for: whoever reads knows the id, or
//! lists one kind.

mod contract;
mod gate;
mod key;
mod memory;
mod queue;
mod redis;
mod seal;
mod shared;
#[cfg(test)]
mod tests;

pub use self::{
    contract::{Change, Claim, Fault, Pending, Store},
    key::{Key, Kind},
    memory::Memory,
    redis::Redis,
    seal::Seal,
    shared::{Found, Had, Inbox, Scope, SharedStore, Terms},
};
