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

/// The lines of an output, without the blank ones at its end. Where `is_cut`, it is only the end
/// of a longer one, and the line that was cut through is left out, unless there is no other.
pub fn lines(output: &[u8], is_cut: bool) -> Vec<String> {
    let text = plain(output);
    let mut lines: Vec<String> = text.trim_end().lines().map(str::to_owned).collect();
    if is_cut {
        match lines.as_mut_slice() {
            [only] => *only = format!("…{}", only.trim_start_matches('\u{fffd}')),
            [] => {}
            _ => drop(lines.remove(0)),
        }
    }
    lines
}

/// The line in at most `most` characters: of a longer one both ends, since what went wrong
/// stands at the one or the other, and an ellipsis where its middle was.
pub fn shortened(line: &str, most: usize) -> String {
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let part = most.saturating_sub(3) / 2;
    let start: String = line.chars().take(part).collect();
    let mut end: Vec<char> = line.chars().rev().take(part).collect();
    end.reverse();
    format!(
        "{} … {}",
        start.trim_end(),
        end.into_iter().collect::<String>().trim_start()
    )
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

    #[test]
    fn of_the_end_of_an_output_only_whole_lines_are_kept() {
        assert_eq!(lines(b"a\n\nb\n \n\n", false), ["a", "", "b"]);
        assert_eq!(lines(b"alf a line\nwhole\nlast", true), ["whole", "last"]);
        assert_eq!(
            lines(b"\x80\x80the end of one line\n", true),
            ["…the end of one line"]
        );
        assert!(lines(b"", true).is_empty() && lines(b"\n\n", false).is_empty());
    }

    #[test]
    fn a_long_line_keeps_both_its_ends() {
        assert_eq!(shortened("as it is", 8), "as it is");
        assert_eq!(
            shortened("level=error 0123456789 disk full", 23),
            "level=erro … disk full"
        );
        let long = shortened(&"ä".repeat(900), 150);
        assert!(long.chars().count() <= 150 && long.contains("ä … ä"));
    }

    proptest! {
        #[test]
        fn no_output_leaves_a_control_character(output: Vec<u8>) {
            let text = plain(&output);
            prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        }
    }
}
