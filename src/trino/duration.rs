//! Durations as Trino writes them (airlift's `Duration`): `11.82m`, `1.10d`, two decimals and the largest unit that
//! is not below one.

use std::time::Duration;

/// The units from small to large, with their length in seconds.
const UNITS: [(&str, f64); 7] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3_600.0),
    ("d", 86_400.0),
];
/// A value this near to one counts as one: airlift's own allowance for rounding.
const NEARLY_ONE: f64 = 0.9999;

/// `duration` in Trino's words.
pub fn format(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let fits = |(_, length): &&(&str, f64)| seconds / length > NEARLY_ONE;
    let (unit, length) = UNITS.iter().take_while(fits).last().copied().unwrap_or(("ns", 1e-9));
    format!("{:.2}{unit}", seconds / length)
}

/// The duration that Trino wrote; `None` when it is none or longer than can be counted.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let (number, unit) = text.split_at(digits);
    let value: f64 = number.parse().ok()?;
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    Duration::try_from_secs_f64(value * length).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn formats_as_airlift_does() {
        for (nanos, text) in [
            (0, "0.00ns"),
            (1, "1.00ns"),
            (1_234, "1.23us"),
            (999_950_000, "1.00s"),
            (709_200_000_000, "11.82m"),
            (5_400_000_000_000, "1.50h"),
            (95_040_000_000_000, "1.10d"),
        ] {
            assert_eq!(format(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn parses_what_trino_writes() {
        for (text, millis) in [
            ("11.82m", 709_200),
            ("1.70m", 102_000),
            ("1.10d", 95_040_000),
            (" 5 s", 5_000),
            ("250.00ms", 250),
        ] {
            assert_eq!(parse(text).unwrap().as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            "m",
            "5",
            "5.",
            "..s",
            "1.2.3s",
            "5 weeks",
            "-1s",
            "99999999999999999999999d",
            "NaNs",
            "1é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
