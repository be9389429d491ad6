//! The nearest of what there is to what was typed.

/// The nearest of `known` to `typed`, where it is near enough to be what was meant: at most
/// a third of the letters differ.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What nobody can have meant to type is not worth a quadratic comparison.
    const LONGEST: usize = 100;
    let typed: Vec<char> = typed.chars().take(LONGEST).collect();
    let limit = (typed.len() / 3).max(1);
    known
        .into_iter()
        // So many letters must be put in or left out at least.
        .filter(|name| name.chars().count().abs_diff(typed.len()) <= limit)
        .map(|name| (distance(&typed, name), name))
        .filter(|(distance, _)| (1..=limit).contains(distance))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be put in, left out, exchanged or swapped with the next to make one
/// of the other (optimal string alignment).
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().take(101).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let exchanged = last[j] + usize::from(x != y);
            let mut best = exchanged.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["create", "list", "show", "logs"];
        assert_eq!(nearest("craete", known), Some("create"));
        assert_eq!(nearest("lst", known), Some("list"));
        assert_eq!(nearest("shwo", known), Some("show"));
    }

    #[test]
    fn what_is_far_from_everything_gets_no_suggestion() {
        assert_eq!(nearest("frobnicate", ["create", "list"]), None);
        assert_eq!(nearest("", ["create"]), None);
    }
}
