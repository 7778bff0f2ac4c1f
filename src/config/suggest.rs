//! The known word that a mistyped one was meant to be.

/// The nearest of `known` to `word`, if it is near: about one slip in three letters.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let bound = (word.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(slips, _)| *slips <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, drop, change, or swap with the next one, between two words.
///
/// The optimal string alignment, kept as the last two rows of its table.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (done, letter) in from.chars().enumerate() {
        let mut row = vec![done + 1];
        let mut left = done + 1;
        for (column, other) in to.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let changed = at(&above, column) + usize::from(letter != *other);
            left = changed.min(at(&above, column + 1) + 1).min(left + 1);
            if let Some(earlier) = column.checked_sub(1)
                && previous == Some(*other)
                && to.get(earlier) == Some(&letter)
            {
                left = left.min(at(&before, earlier).saturating_add(1));
            }
            row.push(left);
        }
        before = std::mem::replace(&mut above, row);
        previous = Some(letter);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (from, to, slips) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("port", "port", 0),
            ("prot", "port", 1),
            ("timeuot", "timeout", 1),
            ("presense", "presence", 1),
            ("orign", "origins", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), slips, "{from} {to}");
        }
    }

    #[test]
    fn what_is_far_is_not_suggested() {
        assert_eq!(nearest("prot", ["post", "port", "bind"]), Some("port"));
        assert_eq!(nearest("zzzz", ["port", "bind"]), None);
        assert_eq!(nearest("", ["port"]), None);
    }
}
