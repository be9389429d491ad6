//! What jobs write, as text for people.

/// An output without what steers a terminal, such as colours. Of characters that are not to be
/// printed, only line feeds and tabs stay.
pub fn plain(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // A control sequence is digits and signs, then a letter or one of a few other signs
            // (ECMA-48 section 5.4).
            '\u{1b}' if rest.next_if_eq(&'[').is_some() => {
                while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
                let _end = rest.next_if(|c| ('@'..='~').contains(c));
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            // What was overwritten, such as the steps of a progress bar, stands line by line.
            '\r' => kept.push('\n'),
            '\n' | '\t' => kept.push(c),
            c if c.is_control() => {}
            c => kept.push(c),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_output_is_shown_without_what_steers_a_terminal() {
        for (output, text) in [
            ("a\r\nb\n", "a\nb\n"),
            ("\u{1b}[1;31mred\u{1b}[0m plain", "red plain"),
            ("10%\r20%", "10%\n20%"),
            ("bell\u{7}\u{0}\ttab", "bell\ttab"),
            ("\u{1b}[", ""),
            ("\u{1b}[1;\nnext", "\nnext"),
        ] {
            assert_eq!(plain(output.as_bytes()), text);
        }
        assert_eq!(plain(b"\xff"), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn no_output_leaves_a_control_character(output: Vec<u8>) {
            let text = plain(&output);
            prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        }
    }
}
