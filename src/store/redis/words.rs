//! What is asked of the server: names of keys, commands, and small scripts where one command is not enough.
//!
//! A listed kind has an index, a sorted set of its ids by the time at which each is gone. Its values and its index bear
//! one hash tag, so that they stand in one slot and a script may touch both. What stands under our keys with another type,
//! or for ever, is not ours, since everything we write has a life: writes take its place. A script takes nothing away that
//! is not there: after its first write a full server refuses none of its others.

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, cmd};

use crate::store::{Change, Key, Kind};

/// Writes a member of a listed kind. Keys: index, value. Arguments: value, life, id.
const PUT_LISTED: &str = "\
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end";

/// Keys: index, value. Arguments: id.
const REMOVE_LISTED: &str = "\
redis.call('DEL', KEYS[2])
if redis.call('TYPE', KEYS[1]).ok == 'zset' then redis.call('ZREM', KEYS[1], ARGV[1]) end";

/// Keys: inbox. Arguments: life, items.
const PUSH: &str = "\
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'list' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
for at = 2, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])";

/// Keys: inbox. Arguments: where the last item stands that is wanted, items that were had; those are the first, so none is
/// searched for.
const DRAIN: &str = "\
for at = 2, #ARGV do redis.call('LREM', KEYS[1], 1, ARGV[at]) end
return redis.call('LRANGE', KEYS[1], 0, ARGV[1])";

/// Keys: claim. Arguments: holder, life. Answers who holds it, or nothing if the asker does now.
const CLAIM: &str = "\
local held = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] and redis.call('PTTL', KEYS[1]) >= 0 then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false";

/// Keys: claim. Arguments: holder.
const RELEASE: &str = "\
if redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) == ARGV[1] then
return redis.call('DEL', KEYS[1]) end
return 0";

/// Keys: value, and the index of a listed kind. Arguments: whether something is expected, what, value, life, id.
const REPLACE: &str = "\
local found = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('PTTL', KEYS[1]) >= 0 and redis.call('GET', KEYS[1])
if ARGV[1] == '1' and found ~= ARGV[2] or ARGV[1] == '0' and found then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
if KEYS[2] then
local kind = redis.call('TYPE', KEYS[2]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', KEYS[2]) end
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[4], ARGV[5])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
end
return 1";

/// Keys: index. Answers the ids of what is not gone.
const INDEX: &str = "\
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then return {} end
local now = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000 + math.floor(now[2] / 1000))
return redis.call('ZRANGE', KEYS[1], 0, -1)";

/// Says everything with our prefix.
#[derive(Debug)]
pub(super) struct Words {
    prefix: String,
}

impl Words {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn change(&self, change: &Change) -> Cmd {
        match change {
            Change::Put { key, value, life } if key.kind.is_listed() => self
                .indexed(PUT_LISTED, key)
                .arg(&value[..])
                .arg(millis(*life))
                .arg(&*key.id)
                .take(),
            Change::Put { key, value, life } => {
                cmd("SET").arg(self.name(key)).arg(&value[..]).arg("PX").arg(millis(*life)).take()
            }
            Change::Push { key, items, life } => {
                let mut words = script(PUSH, &[self.name(key)]);
                words.arg(millis(*life));
                for item in items {
                    words.arg(&item[..]);
                }
                words
            }
            Change::Remove { key } if key.kind.is_listed() => {
                self.indexed(REMOVE_LISTED, key).arg(&*key.id).take()
            }
            Change::Remove { key } => cmd("DEL").arg(self.name(key)).take(),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Cmd {
        cmd("GET").arg(self.name(key)).take()
    }

    pub(super) fn claim(&self, key: &Key, holder: &[u8], life: Duration) -> Cmd {
        script(CLAIM, &[self.name(key)]).arg(holder).arg(millis(life)).take()
    }

    pub(super) fn release(&self, key: &Key, holder: &[u8]) -> Cmd {
        script(RELEASE, &[self.name(key)]).arg(holder).take()
    }

    pub(super) fn replace(
        &self,
        key: &Key,
        expected: Option<&[u8]>,
        value: &[u8],
        life: Duration,
    ) -> Cmd {
        let (is_expected, expected) = (u8::from(expected.is_some()), expected.unwrap_or_default());
        let mut keys = vec![self.name(key)];
        if key.kind.is_listed() {
            keys.push(self.index_name(key.kind));
        }
        let mut words = script(REPLACE, &keys);
        words.arg(is_expected).arg(expected).arg(value).arg(millis(life)).arg(&*key.id).take()
    }

    pub(super) fn drain(&self, key: &Key, had: &[Bytes], most: usize) -> Cmd {
        let last = most.saturating_sub(1);
        if had.is_empty() {
            return cmd("LRANGE").arg(self.name(key)).arg(0).arg(last).take();
        }
        let mut words = script(DRAIN, &[self.name(key)]);
        words.arg(last);
        for item in had {
            words.arg(&item[..]);
        }
        words
    }

    pub(super) fn index(&self, kind: Kind) -> Cmd {
        script(INDEX, &[self.index_name(kind)])
    }

    fn indexed(&self, text: &str, key: &Key) -> Cmd {
        script(text, &[self.index_name(key.kind), self.name(key)])
    }

    fn name(&self, key: &Key) -> String {
        let (prefix, kind, id) = (&self.prefix, key.kind.as_str(), &key.id);
        if key.kind.is_listed() {
            format!("{prefix}:{{{kind}}}:{id}")
        } else {
            format!("{prefix}:{kind}:{id}")
        }
    }

    fn index_name(&self, kind: Kind) -> String {
        format!("{}:{{{}}}", self.prefix, kind.as_str())
    }
}

fn script(text: &str, keys: &[String]) -> Cmd {
    let mut words = cmd("EVAL");
    words.arg(text).arg(keys.len()).arg(keys);
    words
}

/// At least one: the server refuses a life of zero.
fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}
