//! bash's command line as it stands in the editor: quotes and all. bash splits words at `=` and
//! `:` too, and replaces only what follows the last of these, so it is read here once more.

/// A line up to the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The words as the program would get them; the last is the one that is being typed.
    pub(super) words: Vec<String>,
    /// How much of the last word stays as it is, without its quotes.
    kept: String,
    /// The quote that is open at the cursor.
    open: Option<char>,
}

/// What a backslash takes its meaning from, between double quotes (bash(1), QUOTING).
const SPECIAL_IN_QUOTES: &str = "$`\"\\";

impl Line {
    /// `text` up to the cursor; `replaced` is its end, which bash would exchange.
    pub(super) fn read(text: &str, replaced: &str) -> Self {
        let (words, start, open) = split(text);
        let raw = text.get(start..).unwrap_or_default();
        let kept = raw.strip_suffix(replaced).unwrap_or_default();
        let (mut kept, _, _) = split(kept);
        Self {
            words,
            kept: kept.pop().unwrap_or_default(),
            open,
        }
    }

    /// What to put where bash replaces the end of the line, so that the last word becomes
    /// `word`; `None` where it can't, as it does not begin with what stays.
    pub(super) fn quoted(&self, word: &str) -> Option<String> {
        let rest = word.strip_prefix(self.kept.as_str())?;
        let mut text = String::new();
        for c in rest.chars() {
            let escape = match self.open {
                Some('\'') if c == '\'' => return None,
                Some('\'') => false,
                Some(_) => SPECIAL_IN_QUOTES.contains(c),
                None => c.is_ascii() && !(c.is_ascii_alphanumeric() || "/=:,._-+@%^".contains(c)),
            };
            if escape {
                text.push('\\');
            }
            text.push(c);
        }
        Some(text)
    }
}

/// The words, where the last one begins, and the quote that is open at the end.
fn split(text: &str) -> (Vec<String>, usize, Option<char>) {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut start, mut inside, mut open) = (0, false, None);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if open.is_none() && c.is_ascii_whitespace() {
            if inside {
                words.push(std::mem::take(&mut word));
            }
            inside = false;
            continue;
        }
        if !inside {
            (start, inside) = (at, true);
        }
        match (open, c) {
            (None, '\'' | '"') => open = Some(c),
            (Some(quote), _) if quote == c => open = None,
            (None | Some('"'), '\\') => match chars.next() {
                Some((_, next)) => {
                    if open.is_some() && !SPECIAL_IN_QUOTES.contains(next) {
                        word.push('\\');
                    }
                    word.push(next);
                }
                None => break,
            },
            _ => word.push(c),
        }
    }
    if !inside {
        start = text.len();
    }
    words.push(word);
    (words, start, open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_split_as_bash_splits_them() {
        let words = |text| Line::read(text, "").words;
        assert_eq!(words("pakyas  check "), ["pakyas", "check", ""]);
        assert_eq!(words("pakyas --org \"My Co"), ["pakyas", "--org", "My Co"]);
        assert_eq!(words("a 'b \"c' d\\ e"), ["a", "b \"c", "d e"]);
        assert_eq!(words("a \"x\\\"y\\z\""), ["a", "x\"y\\z"]);
        assert_eq!(words(""), [""]);
    }

    #[test]
    fn only_what_bash_replaces_is_given_and_quoted_as_the_cursor_is() {
        let put = |text, replaced, word| Line::read(text, replaced).quoted(word);
        let company = Some("My\\ Company".to_owned());
        assert_eq!(put("pakyas org switch My", "My", "My Company"), company);
        assert_eq!(put("pakyas --org=My", "My", "--org=My Company"), company);
        assert_eq!(
            put("pakyas org switch \"My", "My", "My Company").as_deref(),
            Some("My Company")
        );
        assert_eq!(
            put("pakyas login --api-key file:/ru", "/ru", "file:/run/").as_deref(),
            Some("/run/")
        );
        assert_eq!(put("x \"a", "a", "a$b\"c").as_deref(), Some("a\\$b\\\"c"));
        assert_eq!(put("x 'a", "a", "a'b"), None);
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_as_the_same_word(word in "\\PC{0,20}", open in "|'|\"") {
            let text = format!("pakyas {open}");
            if let Some(put) = Line::read(&text, "").quoted(&word) {
                let line = Line::read(&format!("{text}{put}"), "");
                prop_assert_eq!(line.words.last(), Some(&word));
            }
        }
    }
}
