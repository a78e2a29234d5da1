//! Statements that wait, where any replica finds them: kept before their clients know their ids, taken over by whoever
//! is asked for them, and sent by one only.
//!
//! One record a statement says who has it and whether it is being sent; it changes hands by `replace`, so of two that
//! want it one gets it. Its text and its client's credentials leave the process sealed (`store`). What it became is
//! written down as an alias. While the store is lost a statement waits where it is, as with one replica.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sluice_routing::{BackendName, GroupName, QueryId};

use super::{Mates, Pending, Replicas, fleet::Standing, report::Incarnation, words::Word};
use crate::{
    queries::{
        Keeper, Parcel, Query, Slug, Waiting,
        query::Statement,
        room::packed::{pack, unpack},
    },
    store::{Change, Fault, Found, Key, Kind},
};

/// Statements that are looked for in one call.
const READ_AT_ONCE: usize = 256;

/// Tries of taking over before somebody else is let have it: each fails only because another one succeeded.
const TRIES: u32 = 3;

/// What stands before the headers and the text.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Label {
    slug: String,
    group: String,
    ticket: u64,
    /// Milliseconds since 1970.
    since: u64,
    user: Option<String>,
    in_transaction: bool,
    headers: usize,
    owner: Incarnation,
    /// It is counted in each report of its owner after this one.
    after: u64,
    /// Whether its owner is sending it.
    is_underway: bool,
}

/// What a statement became.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct AliasRecord {
    slug: String,
    real: String,
    backend: String,
    group: String,
    entrance: Option<String>,
}

/// What a statement became that another replica sent.
#[derive(Clone)]
pub(crate) struct Alias {
    /// The secret of its own `nextUri`.
    pub(crate) slug: Slug,
    /// What its coordinator calls it.
    pub(crate) real: QueryId,
    /// The backend that serves it.
    pub(crate) backend: BackendName,
    /// Its group.
    pub(crate) group: GroupName,
    /// The path of its first `nextUri`.
    pub(crate) entrance: Option<String>,
}

/// What is known elsewhere of an id of ours.
pub(crate) enum Recalled {
    /// Nothing, or it cannot be asked.
    Nothing,
    /// It is a query by now.
    Became(Alias),
    /// Another replica is sending it, and has so since then.
    Busy(Busy),
    /// It waits, and is this replica's from now on: let it in, then say [`Replicas::took`].
    Taken(Taken),
}

/// A statement that another replica is sending.
pub(crate) struct Busy {
    /// When it came.
    pub(crate) since: SystemTime,
    /// The secret of its `nextUri`.
    pub(crate) slug: Slug,
    owner: Incarnation,
}

/// A statement that another replica had.
pub(crate) struct Taken {
    /// All that is needed of it.
    pub(crate) parcel: Parcel,
    from: Incarnation,
    after: u64,
}

/// A statement that waits at another replica, as a look from here shows it.
pub(crate) struct Seen {
    /// Where it waits.
    pub(crate) group: GroupName,
    /// When it came.
    pub(crate) since: SystemTime,
    /// Whether it is being sent.
    pub(crate) is_underway: bool,
}

/// Whether a statement whose turn has come may be sent from here.
pub(crate) enum May {
    /// Nobody else will.
    Go,
    /// Another replica has it.
    Gone,
    /// Another replica has sent it.
    Became(Alias),
}

fn key(id: QueryId) -> Key {
    Key::new(Kind::Waiting, id.as_str())
}

fn alias_key(id: QueryId) -> Key {
    Key::new(Kind::Alias, id.as_str())
}

fn call_key(id: QueryId) -> Key {
    Key::new(Kind::Alias, format!("call-{id}"))
}

impl Replicas {
    /// Keeps a statement where other replicas find it, for so long; whether it is.
    pub(crate) async fn keep(&self, waiting: &Waiting, life: Duration) -> bool {
        let Some(mates) = &self.shared else { return false };
        let Some(value) = mates.written(waiting, false) else { return false };
        // Said first: should it end in the meantime, its record goes too.
        waiting.stored(true);
        let is_kept = mates.store.put(key(waiting.id), value, life).await.is_ok();
        waiting.stored(is_kept);
        is_kept
    }

    /// Keeps those again that the store does not know (any more).
    pub(super) async fn keep_again(
        &self,
        waiting: &[Arc<Waiting>],
        life: Duration,
    ) -> Result<(), Fault> {
        let Some(mates) = &self.shared else { return Ok(()) };
        let told: Vec<_> = waiting.iter().filter(|waiting| waiting.has_page()).collect();
        for some in told.chunks(READ_AT_ONCE) {
            let keys = some.iter().map(|waiting| key(waiting.id)).collect();
            let found = mates.store.get_many(keys).await?;
            for (waiting, _) in some.iter().zip(found).filter(|(_, found)| found.is_none()) {
                self.keep(waiting, life).await;
            }
        }
        Ok(())
    }

    /// What the others know of an id of ours; whoever asks with a slug must know the right one.
    pub(crate) async fn recall(&self, id: QueryId, slug: Option<&str>, life: Duration) -> Recalled {
        let Some(mates) = &self.shared else { return Recalled::Nothing };
        for _ in 0..TRIES {
            let Ok(found) = mates.store.get_many(vec![alias_key(id), key(id)]).await else {
                break;
            };
            let mut found = found.into_iter();
            if let Some(alias) = found.next().flatten().as_ref().and_then(Alias::read) {
                return Recalled::Became(alias);
            }
            let Some(found) = found.next().flatten() else { break };
            let Some((label, parcel)) = read(id, found.value.clone()) else { break };
            if slug.is_some_and(|slug| !parcel.slug.is(slug)) {
                break;
            }
            if label.is_underway && mates.serves(label.owner) {
                let (since, slug, owner) = (parcel.since, parcel.slug, label.owner);
                return Recalled::Busy(Busy { since, slug, owner });
            }
            let own =
                Label { owner: mates.me, after: mates.sequence(), is_underway: false, ..label };
            let Some(value) = write(&own, &parcel.statement) else { break };
            if mates.store.replace(key(id), Some(&found), value, life).await == Ok(true) {
                return Recalled::Taken(Taken { parcel, from: label.owner, after: label.after });
            }
        }
        Recalled::Nothing
    }

    /// What the others know of an id of ours, for who only looks: it stays where it is.
    pub(crate) async fn look(&self, id: QueryId) -> Result<Option<Seen>, Alias> {
        let Some(mates) = &self.shared else { return Ok(None) };
        let found = mates.store.get_many(vec![alias_key(id), key(id)]).await.unwrap_or_default();
        let mut found = found.into_iter().flatten();
        let Some(first) = found.next() else { return Ok(None) };
        if let Some(alias) = Alias::read(&first) {
            return Err(alias);
        }
        let seen = read(id, first.value).map(|(label, parcel)| Seen {
            group: parcel.group,
            since: parcel.since,
            is_underway: label.is_underway,
        });
        Ok(seen)
    }

    /// Keeps a CALL that was answered here, for whoever is asked for its second page.
    pub(crate) fn keep_call(&self, id: QueryId, call: &impl Serialize, life: Duration) {
        if let (Some(mates), Ok(value)) = (&self.shared, serde_json::to_vec(call)) {
            mates.store.later(Change::put(call_key(id), value, life));
        }
    }

    /// A CALL that another replica has answered.
    pub(crate) async fn call<T: DeserializeOwned>(&self, id: QueryId) -> Option<T> {
        let found = self.shared.as_ref()?.store.get(call_key(id)).await.ok()??;
        serde_json::from_slice(&found.value).ok()
    }

    /// It waits here, and is counted: its last owner is told.
    pub(crate) fn took(&self, taken: &Taken) {
        let Some(mates) = &self.shared else { return };
        if taken.from == mates.me {
            return;
        }
        mates.standing().pending.push(Pending {
            from: taken.from,
            group: taken.parcel.group.clone(),
            is_waiting: true,
            after: taken.after,
        });
        let word = Word::Taken(taken.parcel.id.as_str().into(), mates.me);
        mates.tell(vec![(taken.from, word)]);
    }

    /// Whether a statement may be sent from here, and nobody else sends it from then on unless it waits on.
    pub(crate) async fn may_send(&self, waiting: &Waiting, life: Duration) -> May {
        let Some(mates) = self.shared.as_ref().filter(|_| waiting.is_stored()) else {
            return May::Go;
        };
        for _ in 0..TRIES {
            let keys = vec![alias_key(waiting.id), key(waiting.id)];
            // Nobody takes it over while the store is lost.
            let Ok(found) = mates.store.get_many(keys).await else { return May::Go };
            let mut found = found.into_iter();
            if let Some(alias) = found.next().flatten().as_ref().and_then(Alias::read) {
                return May::Became(alias);
            }
            let Some(found) = found.next().flatten() else { return May::Go };
            match read(waiting.id, found.value.clone()) {
                Some((label, _)) if label.owner != mates.me => return May::Gone,
                _ => {}
            }
            let Some(value) = mates.written(waiting, true) else { return May::Gone };
            match mates.store.replace(key(waiting.id), Some(&found), value, life).await {
                Ok(true) | Err(_) => {
                    waiting.underway();
                    return May::Go;
                }
                Ok(false) => {}
            }
        }
        May::Gone
    }

    /// It is a query now: whoever asks for it by its old id anywhere is led there.
    pub(crate) fn became(&self, waiting: &Waiting, query: &Query, life: Duration) {
        let Some(mates) = self.shared.as_ref().filter(|_| waiting.has_page()) else { return };
        let record = AliasRecord {
            slug: waiting.slug.as_str().to_owned(),
            real: query.id.to_string(),
            backend: query.backend.to_string(),
            group: query.group.to_string(),
            entrance: query.entrance().map(str::to_owned),
        };
        if let Ok(value) = serde_json::to_vec(&record) {
            mates.store.later(Change::put(alias_key(waiting.id), value, life));
        }
    }

    /// A statement that another replica is sending is not wanted any more.
    pub(crate) fn unwanted(&self, id: QueryId, busy: &Busy, message: Option<&str>) {
        if let Some(mates) = &self.shared {
            let word = Word::Unwanted(id.as_str().into(), message.map(Into::into));
            mates.tell(vec![(busy.owner, word)]);
        }
    }
}

impl Keeper for Replicas {
    fn ended(&self, waiting: &Waiting) {
        if let Some(mates) = &self.shared {
            mates.store.later(Change::remove(key(waiting.id)));
        }
    }

    fn waits_on(&self, waiting: &Waiting, life: Duration) {
        let Some(mates) = &self.shared else { return };
        if let Some(value) = mates.written(waiting, false) {
            mates.store.later(Change::put(key(waiting.id), value, life));
        }
    }
}

impl Mates {
    /// Whether that one is here, and does itself what it began.
    fn serves(&self, owner: Incarnation) -> bool {
        let standing = self.standing().peers.standing(owner);
        owner != self.me && matches!(standing, Standing::Living | Standing::Leaving)
    }

    /// What is kept of a statement that waits here.
    fn written(&self, waiting: &Waiting, is_underway: bool) -> Option<Bytes> {
        let parcel = waiting.parcel()?;
        let since = parcel.since.duration_since(UNIX_EPOCH).ok()?.as_millis();
        let label = Label {
            slug: parcel.slug.as_str().to_owned(),
            group: parcel.group.to_string(),
            ticket: parcel.ticket,
            since: u64::try_from(since).ok()?,
            user: parcel.statement.user.clone(),
            in_transaction: parcel.statement.in_transaction,
            headers: 0,
            owner: self.me,
            after: self.sequence(),
            is_underway,
        };
        write(&label, &parcel.statement)
    }
}

/// The label behind its length, the headers, the text.
fn write(label: &Label, statement: &Statement) -> Option<Bytes> {
    let headers = pack(&statement.headers);
    let label = serde_json::to_vec(&Label { headers: headers.len(), ..label.clone() }).ok()?;
    let mut value = BytesMut::with_capacity(4 + label.len() + headers.len() + statement.body.len());
    value.put_u32(u32::try_from(label.len()).ok()?);
    value.put_slice(&label);
    value.put_slice(&headers);
    value.put_slice(&statement.body);
    Some(value.freeze())
}

fn read(id: QueryId, mut value: Bytes) -> Option<(Label, Parcel)> {
    let length = usize::try_from(value.try_get_u32().ok()?).ok()?;
    let label: Label = serde_json::from_slice(value.get(..length)?).ok()?;
    value.advance(length);
    if label.headers > value.len() {
        return None;
    }
    let headers = unpack(value.split_to(label.headers));
    let statement = Statement {
        body: value,
        headers,
        kept: None,
        in_transaction: label.in_transaction,
        user: label.user.clone(),
    };
    let parcel = Parcel {
        id,
        slug: Slug::parse(&label.slug)?,
        group: GroupName::parse(&label.group)?,
        ticket: label.ticket,
        since: UNIX_EPOCH.checked_add(Duration::from_millis(label.since))?,
        statement: Arc::new(statement),
    };
    Some((label, parcel))
}

impl Alias {
    fn read(found: &Found) -> Option<Self> {
        let record: AliasRecord = serde_json::from_slice(&found.value).ok()?;
        Some(Self {
            slug: Slug::parse(&record.slug)?,
            real: QueryId::parse(&record.real)?,
            backend: BackendName::parse(&record.backend)?,
            group: GroupName::parse(&record.group)?,
            entrance: record.entrance,
        })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn label() -> Label {
        Label {
            slug: Slug::draw().unwrap().as_str().to_owned(),
            group: "adhoc".to_owned(),
            ticket: 7,
            since: 1_700_000_000_123,
            user: Some("alice".to_owned()),
            in_transaction: true,
            headers: 0,
            owner: Incarnation::draw(),
            after: 3,
            is_underway: true,
        }
    }

    #[test]
    fn a_statement_is_read_as_it_was_written_and_nothing_else_is() {
        let id = QueryId::parse("20261101_101500_00000_0gw1a").unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-trino-session", HeaderValue::from_static("a=1"));
        headers.append("x-trino-session", HeaderValue::from_static("b=2"));
        let statement = Statement {
            body: Bytes::from_static(b"SELECT '\xc3\xa4'"),
            headers,
            kept: None,
            in_transaction: true,
            user: Some("alice".to_owned()),
        };
        let label = label();
        let written = write(&label, &statement).unwrap();
        let (read_label, parcel) = read(id, written.clone()).unwrap();
        assert_eq!((parcel.statement.body.as_ref(), parcel.ticket), (statement.body.as_ref(), 7));
        assert_eq!(parcel.statement.headers, statement.headers);
        assert!(parcel.slug.is(&label.slug) && parcel.group.as_str() == "adhoc");
        assert_eq!(
            (read_label.owner, read_label.after, read_label.is_underway),
            (label.owner, 3, true)
        );
        let since = parcel.since.duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert_eq!(since, 1_700_000_000_123);
        for cut in [0, 3, 4, 20, written.len() - statement.body.len() - 1] {
            assert!(read(id, written.slice(..cut)).is_none(), "{cut}");
        }
        assert!(read(id, Bytes::from_static(b"\0\0\0\x02{}SELECT 1")).is_none());
    }
}
