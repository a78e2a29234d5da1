//! Durations (`30s`, `5m`, `1h30m`, `250ms`) and sizes (`16MiB`, `64KiB`, `1024`) as people write them in YAML.
//!
//! Both are newtypes that parse with words of what is allowed and print back in the same form.

use std::{fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest span, so that adding one to a clock never overflows.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A length of time, at most 366 days.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span(Duration);

impl Span {
    /// A span of whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A span of whole milliseconds.
    pub const fn millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// The same as the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Reads `30s`, `250ms`, `1h30m`; fails with what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || {
            format!("`{text}` is no duration; write for example `250ms`, `30s`, `5m` or `1h30m`")
        };
        let mut total = Duration::ZERO;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(refused());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
            let (number, tail) = rest.split_at(digits);
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, next) = tail.split_at(unit_end);
            let number: u64 = number.parse().map_err(|_| refused())?;
            let millis = match unit {
                "ms" => Some(1),
                "s" => Some(1_000),
                "m" => Some(60_000),
                "h" => Some(3_600_000),
                "d" => Some(86_400_000),
                _ => None,
            };
            let part = millis.and_then(|each: u64| number.checked_mul(each)).ok_or_else(refused)?;
            total = total.checked_add(Duration::from_millis(part)).ok_or_else(refused)?;
            rest = next;
        }
        if total > LONGEST {
            return Err(format!("`{text}` is longer than 366d"));
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match millis {
            0 => write!(f, "0s"),
            m if m % 3_600_000 == 0 => write!(f, "{}h", m / 3_600_000),
            m if m % 60_000 == 0 => write!(f, "{}m", m / 60_000),
            m if m % 1_000 == 0 => write!(f, "{}s", m / 1_000),
            m => write!(f, "{m}ms"),
        }
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Bytes(u64);

impl Bytes {
    /// Whole mebibytes.
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes * 1024 * 1024)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads `16MiB`, `64KiB`, `1GiB`, `512B` or a bare number; fails with what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused =
            || format!("`{text}` is no size; write for example `512B`, `64KiB`, `16MiB` or `1GiB`");
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| refused())?;
        let each: u64 = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(refused()),
        };
        number.checked_mul(each).map(Self).ok_or_else(refused)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n != 0 && n % (1 << 30) == 0 => write!(f, "{}GiB", n >> 30),
            n if n != 0 && n % (1 << 20) == 0 => write!(f, "{}MiB", n >> 20),
            n if n != 0 && n % (1 << 10) == 0 => write!(f, "{}KiB", n >> 10),
            n => write!(f, "{n}B"),
        }
    }
}

/// Takes YAML's numbers as text too: `maxStatementBytes: 1024`.
struct Text<T>(fn(&str) -> Result<T, String>);

impl<T> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its unit")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        (self.0)(&number.to_string()).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        (self.0)(&number.to_string()).map_err(E::custom)
    }
}

macro_rules! as_text {
    ($name:ident, $schema:tt) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Text(Self::parse))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

as_text!(Span, { "type": "string", "format": "span", "pattern": "^([0-9]+(ms|s|m|h|d))+$" });
as_text!(Bytes, {
    "type": ["string", "integer"],
    "format": "bytes",
    "minimum": 0,
    "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB)?$"
});

/// Stands in the schema for a network such as `10.0.0.0/8`.
pub(crate) struct Network;

impl JsonSchema for Network {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Network".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "cidr" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        assert_eq!(Span::parse("1h30m").unwrap().get(), Duration::from_secs(5400));
        assert_eq!(Span::parse("250ms").unwrap().to_string(), "250ms");
        assert_eq!(Span::parse("6m").unwrap().to_string(), "6m");
        for wrong in ["", "5", "s", "5 s", "-1s", "99999999999999999999s", "5x"] {
            assert!(Span::parse(wrong).unwrap_err().contains("no duration"), "{wrong}");
        }
        assert!(Span::parse("367d").unwrap_err().contains("longer than 366d"));
    }

    #[test]
    fn sizes_read_and_print() {
        assert_eq!(Bytes::parse("16MiB").unwrap(), Bytes::mib(16));
        assert_eq!(Bytes::parse("1024").unwrap().to_string(), "1KiB");
        for wrong in ["", "MiB", "1MB", "-1", "99999999999GiB"] {
            assert!(Bytes::parse(wrong).unwrap_err().contains("no size"), "{wrong}");
        }
    }
}
