//! Hashes whose values are the same in every process and on every replica.
//!
//! The standard library's are seeded or may change with a release; these are not secret and resist no attacker,
//! who could only pile up users of his own making on one backend.

/// FNV-1a, 64 bits: the offset basis and the prime of its authors.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The increment of SplitMix64: the golden ratio in 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads a seed, which may be a mere counter, over 64 bits.
pub(super) fn of_seed(seed: u64) -> u64 {
    spread(seed.wrapping_add(GOLDEN))
}

/// An own draw for each place, from one seed.
pub(super) fn of_place(seed: u64, place: usize) -> u64 {
    let place = u64::try_from(place).unwrap_or(u64::MAX);
    spread(of_seed(seed) ^ place.wrapping_mul(GOLDEN))
}

/// The draw of a backend for a user, above 0 and below 1.
pub(super) fn of_user(user: &str, backend: &str) -> f64 {
    // 0xff is in no UTF-8 text, so no two pairs read the same.
    let bytes = user.bytes().chain([0xff]).chain(backend.bytes());
    let hash =
        bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
    #[expect(clippy::cast_precision_loss, reason = "52 bits fit a mantissa")]
    let draw = (spread(hash) >> 12) as f64;
    (draw + 0.5) / (1_u64 << 52) as f64
}

/// The finaliser of SplitMix64: every bit of the input changes every bit of the output half of the time.
fn spread(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_published_ones() {
        // The first output of SplitMix64 for the seed 1234567, as its reference gives it.
        assert_eq!(of_seed(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn draws_lie_between_0_and_1_and_never_change() {
        for user in ["", "will", "grüße"] {
            for backend in ["a", "trino-b"] {
                let draw = of_user(user, backend);
                assert!(draw > 0.0 && draw < 1.0);
            }
        }
        assert_ne!(of_user("a", "b"), of_user("ab", ""));
    }
}
