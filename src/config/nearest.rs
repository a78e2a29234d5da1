//! Did you mean …? The allowed word that is nearest to a mistyped one.

/// The candidate at the smallest edit distance, if that is near enough to be a slip.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A third of the letters wrong, or two swapped: beyond that it is another word.
    let letters = word.chars().count();
    let reach = if letters < 3 { 1 } else { (letters / 3).max(2) };
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(far, _)| *far <= reach)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …? ` before the list of what is allowed, or nothing.
pub(crate) fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Levenshtein's distance without regard to case, over at most the first 64 letters: keys are short.
fn distance(left: &str, right: &str) -> usize {
    let letters = |text: &str| text.chars().take(64).flat_map(char::to_lowercase).collect();
    let (left, right): (Vec<char>, Vec<char>) = (letters(left), letters(right));
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.iter().enumerate() {
        let mut next = vec![index + 1];
        for ((b, diagonal), above) in right.iter().zip(&row).zip(row.iter().skip(1)) {
            let before = next.last().copied().unwrap_or(0);
            next.push((diagonal + usize::from(a != b)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let keys = ["weight", "url", "name", "routingGroups"];
        assert_eq!(nearest("wieght", keys), Some("weight"));
        assert_eq!(nearest("routinggroups", keys), Some("routingGroups"));
        assert_eq!(nearest("routing_groups", keys), Some("routingGroups"));
        assert_eq!(nearest("ulr", keys), Some("url"));
        assert_eq!(nearest("urls", keys), Some("url"));
        assert_eq!(nearest("banana", keys), None);
        assert_eq!(nearest("", keys), None);
    }

    #[test]
    fn the_distance_is_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("Same", "same"), 0);
    }
}
