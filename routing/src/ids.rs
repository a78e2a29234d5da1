//! Names and numbers that requests, coordinators and the configuration speak of.
//!
//! A query id says when and by which coordinator process it was minted, so it is parsed strictly: an unchecked
//! segment of a path would let bogus ids cost look-ups. Whether an id is known to anyone is not decided here.

mod locate;
mod names;

use std::fmt;

pub use self::{
    locate::query_id_of,
    names::{BackendName, GroupName},
};

/// `20241030_150409_00000_zhg55`: date, time, index, coordinator (Trino's `QueryIdGenerator`).
const QUERY_ID_LENGTH: usize = 27;

/// The five characters that a coordinator process draws once at its start.
const COORDINATOR_ID_LENGTH: usize = 5;

/// The id of one query, in Trino's shape.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QueryId([u8; QUERY_ID_LENGTH]);

/// The part of a query id that names the coordinator process which minted it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CoordinatorId([u8; COORDINATOR_ID_LENGTH]);

impl QueryId {
    /// Takes exactly `\d{8}_\d{6}_\d{5}_[a-z0-9]{5}`, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; QUERY_ID_LENGTH] = text.as_bytes().try_into().ok()?;
        let fits = bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 15 | 21 => *byte == b'_',
            22.. => is_suffix_byte(*byte),
            _ => byte.is_ascii_digit(),
        });
        fits.then_some(Self(bytes))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets past `parse`, so the default is never seen.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The coordinator process that minted it.
    pub fn suffix(&self) -> CoordinatorId {
        let [.., a, b, c, d, e] = self.0;
        CoordinatorId([a, b, c, d, e])
    }

    /// When it was minted by its own date and time, in Unix seconds; `None` if there is no such moment.
    pub fn minted_at(&self) -> Option<i64> {
        let number = |from: usize, to: usize| self.as_str().get(from..to)?.parse::<i64>().ok();
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(days_since_epoch(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second)
    }
}

impl CoordinatorId {
    /// Takes exactly five of `a`–`z` and `0`–`9`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; COORDINATOR_ID_LENGTH] = text.as_bytes().try_into().ok()?;
        bytes.iter().copied().all(is_suffix_byte).then_some(Self(bytes))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueryId({self})")
    }
}

impl fmt::Display for CoordinatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for CoordinatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoordinatorId({self})")
    }
}

/// Trino draws from fewer characters; a synthetic id uses one that it never draws, so all of them pass.
const fn is_suffix_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Days from 1970-01-01 in the Gregorian calendar; `None` if the calendar has no such day.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one; 719,468 days lie between 0000-03-01 and the epoch.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
            - 719_468,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_gives_back_its_parts() {
        let id = QueryId::parse("20241030_150409_00000_zhg55").unwrap();
        assert_eq!(id.as_str(), "20241030_150409_00000_zhg55");
        assert_eq!(id.suffix(), CoordinatorId::parse("zhg55").unwrap());
        assert_eq!(
            format!("{id} {id:?} {:?}", id.suffix()),
            concat!(
                "20241030_150409_00000_zhg55 QueryId(20241030_150409_00000_zhg55) ",
                "CoordinatorId(zhg55)"
            )
        );
    }

    #[test]
    fn ids_that_are_none() {
        for text in [
            "",
            "x",
            "not_an_id",
            "0_1_2_a",
            "20240102_blah",
            "20240102_030405_00006_abcd",
            "20240102_030405_00006_abcdef",
            "20240102_030405_00006_ABCDE",
            "20240102_030405_00006_ab_de",
            "20240102-030405-00006-abcde",
            "2024010a_030405_00006_abcde",
            "20240102_030405_00006_abcdé",
            "٢0240102_030405_00006_abcd",
            " 20240102_030405_00006_abcd",
        ] {
            assert_eq!(QueryId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn minting_time_is_the_ids_own_date_and_time() {
        for (text, seconds) in [
            ("19700101_000000_00000_aaaaa", Some(0)),
            ("20241030_150409_00000_zhg55", Some(1_730_300_649)),
            ("20240229_235959_00000_zhg55", Some(1_709_251_199)),
            ("20000301_000000_00000_zhg55", Some(951_868_800)),
            ("19691231_235959_00000_zhg55", Some(-1)),
            ("20230229_000000_00000_zhg55", None),
            ("21000229_000000_00000_zhg55", None),
            ("20241301_000000_00000_zhg55", None),
            ("20240001_000000_00000_zhg55", None),
            ("20240100_000000_00000_zhg55", None),
            ("20240102_240000_00000_zhg55", None),
            ("20240102_006000_00000_zhg55", None),
            ("20240102_000060_00000_zhg55", None),
        ] {
            assert_eq!(QueryId::parse(text).unwrap().minted_at(), seconds, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_parses_reads_back(text in "[0-9]{8}_[0-9]{6}_[0-9]{5}_[a-z0-9]{5}") {
            let id = QueryId::parse(&text).unwrap();
            prop_assert_eq!(id.as_str(), text.as_str());
            let _ = id.minted_at();
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            if let Some(id) = QueryId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
