//! What a waiting statement is called: an id in Trino's shape, and a secret that only its client knows.
//!
//! Trino never draws a `0` in the suffix of an id, so a suffix that begins with it names no coordinator; the other four
//! characters name this process, so that two replicas never mint one id. The secret stands in `nextUri` and
//! nowhere else: it is not logged, and compared in constant time.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::{Timestamp, tz::TimeZone};
use sluice_routing::QueryId;
use subtle::ConstantTimeEq;

/// Ids a second, as in Trino; more than that are dated a second ahead.
const IDS_A_SECOND: u32 = 100_000;

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// 160 bits: nobody guesses a statement's secret.
const SECRET_BYTES: usize = 20;

/// Whether an id is one of Sluice's own: its suffix begins with a character that Trino never uses there.
pub fn is_ours(id: QueryId) -> bool {
    id.suffix().as_str().starts_with('0')
}

/// What tells the ids of this process from those of any other replica, past or present.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplicaMark([u8; 4]);

impl ReplicaMark {
    /// Draws one; a process does so once.
    pub fn draw() -> Self {
        let mut drawn = [0_u8; 4];
        if getrandom::fill(&mut drawn).is_err() {
            // It tells replicas apart and keeps no secret: any source of chance will do.
            fastrand::fill(&mut drawn);
        }
        // 256 is no multiple of 36: some marks are a little likelier, which harms nobody.
        Self(
            drawn.map(|byte| {
                ALPHABET.get(usize::from(byte) % ALPHABET.len()).copied().unwrap_or(b'0')
            }),
        )
    }

    /// Four of `a`–`z` and `0`–`9`.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Makes ids that no other statement of this process has, whatever the clock does.
#[derive(Debug)]
pub(super) struct Minter {
    mark: ReplicaMark,
    /// The second of the last id, and its number within it.
    last: Mutex<(i64, u32)>,
}

impl Minter {
    pub(super) fn new(mark: ReplicaMark) -> Self {
        Self { mark, last: Mutex::new((i64::MIN, 0)) }
    }

    /// `20261101_101500_00000_0gw1a`; `None` only if the clock shows no year of four digits.
    pub(super) fn mint(&self) -> Option<QueryId> {
        let (second, number) = self.next(Timestamp::now().as_second());
        let date = Timestamp::from_second(second).ok()?.to_zoned(TimeZone::UTC);
        let date = date.strftime("%Y%m%d_%H%M%S");
        QueryId::parse(&format!("{date}_{number:05}_0{}", self.mark.as_str()))
    }

    fn next(&self, now: i64) -> (i64, u32) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (second, number) = *last;
        *last = match number + 1 {
            _ if now > second => (now, 0),
            IDS_A_SECOND.. => (second + 1, 0),
            next => (second, next),
        };
        *last
    }
}

/// The secret part of a waiting statement's `nextUri`.
#[derive(Clone, Eq, PartialEq)]
pub struct Slug([u8; 1 + 2 * SECRET_BYTES]);

impl Slug {
    /// Draws one from the operating system; `None` if it has no randomness to give.
    pub fn draw() -> Option<Self> {
        let mut drawn = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut drawn).ok()?;
        let digits = drawn.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut slug = [b'y'; 1 + 2 * SECRET_BYTES];
        for (place, digit) in slug.iter_mut().skip(1).zip(digits) {
            *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        Some(Self(slug))
    }

    /// One that another replica drew.
    pub fn parse(text: &str) -> Option<Self> {
        let slug: [u8; 1 + 2 * SECRET_BYTES] = text.as_bytes().try_into().ok()?;
        let is_hex = slug.iter().skip(1).all(u8::is_ascii_hexdigit);
        (slug.first() == Some(&b'y') && is_hex).then_some(Self(slug))
    }

    /// `y` and 40 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether a client knows it; takes the same time whatever it says.
    pub fn is(&self, said: &str) -> bool {
        bool::from(self.0.as_slice().ct_eq(said.as_bytes()))
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slug(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_have_trinos_shape_and_a_suffix_that_no_coordinator_has() {
        let minter = Minter::new(ReplicaMark(*b"gw1a"));
        let id = minter.mint().unwrap();
        assert_eq!(id.suffix().as_str(), "0gw1a");
        let age = Timestamp::now().as_second() - id.minted_at().unwrap();
        assert!((0..60).contains(&age), "{id}");
        assert!(ReplicaMark::draw().as_str().bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn no_id_is_minted_twice_in_a_busy_second_or_when_the_clock_jumps_back() {
        let minter = Minter::new(ReplicaMark::draw());
        let mut seen = HashSet::new();
        for now in std::iter::repeat_n(7, 150_000).chain([3, 8, 8, 100, 9]) {
            let next = minter.next(now);
            assert!(next.1 < IDS_A_SECOND && seen.insert(next), "{next:?}");
        }
        assert_eq!(minter.next(100), (100, 2));
        assert_eq!(minter.next(101), (101, 0));
    }

    #[test]
    fn a_slug_is_secret_and_its_own() {
        let (slug, other) = (Slug::draw().unwrap(), Slug::draw().unwrap());
        assert!(slug.is(slug.as_str()) && !slug.is(other.as_str()) && !slug.is(""));
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        assert!(slug.as_str().len() == 41 && slug.as_str().starts_with('y'));
        assert!(slug.as_str().bytes().skip(1).all(hex));
        assert_eq!(format!("{slug:?}"), "Slug(…)");
        assert!(Slug::parse(slug.as_str()) == Some(slug) && Slug::parse("y12").is_none());
    }
}
