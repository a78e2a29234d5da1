//! The queries that Sluice knows: who is counted, who serves an id, and when that is forgotten.
//!
//! `ledger` counts (rules L1 to L9, L12 and L13 of the demand ledger), `room` is where statements wait, `query` is one record, `stake` says which replica counts it, `table` finds records by
//! id, `keeping` bounds what is kept of them, `bindings` keeps what is tied to a backend without a query id (transactions, OAuth2 exchanges), `sessions` who was active, `reaper`
//! ends the abandoned and forgets the old, `story` is what is told of a query at its end, and `chronicle` where that goes. Nothing here forwards anything.

pub mod bindings;
pub mod chronicle;
pub mod keeping;
pub mod ledger;
pub mod query;
pub mod reaper;
pub mod room;
pub mod sessions;
mod span;
mod stake;
pub mod story;
pub mod table;
mod unfinished;

pub use bindings::Bindings;
pub use chronicle::{Chronicle, Told};
pub use keeping::{Keeping, Kept};
pub use ledger::{Lease, Ledger};
pub use query::{Ending, Query};
pub use room::{
    FIRST_TOKEN, Full, GaveUp, Guest, Keeper, LetGo, Parcel, Pass, Refused, ReplicaMark, RoomSeen,
    Rooms, Slug, Turn, Waiting, WaitingState, Why, is_ours,
};
pub use sessions::Sessions;
pub use stake::Sight;
pub use table::Table;
