//! Output as a terminal would show it: of a line that is written over and over, as progress bars
//! are, what stands there at its end. Pure.

/// The longest line that is folded, bytes. What is longer goes on as it is.
const LINE_MAX: usize = 10_000;

const ESCAPE: u8 = 0x1b;

/// Folds what is pushed, line by line.
#[derive(Debug, Default)]
pub struct Fold {
    /// What stands in the line by what was written before the last carriage return.
    shown: Vec<Cell>,
    /// What came since, as it came.
    rest: Vec<u8>,
}

/// A character, with what goes before it and takes no room: colours.
type Cell = Vec<u8>;

impl Fold {
    /// Adds `bytes`; whole lines go on to `to`.
    pub fn push(&mut self, bytes: &[u8], to: &mut impl FnMut(&[u8])) {
        let is_plain = self.shown.is_empty() && !bytes.contains(&b'\r') && !self.ends_with_return();
        if is_plain && let Some(end) = bytes.iter().rposition(|&byte| byte == b'\n') {
            to(&self.rest);
            to(&bytes[..=end]);
            self.rest.clear();
            return self.add(&bytes[end + 1..], to);
        }
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')) {
            // Only now is it clear that this is no line end of two bytes.
            if self.ends_with_return() && part != b"\n" && part != b"\r" {
                self.write_over();
            }
            match part.strip_suffix(b"\n") {
                Some(_) => {
                    self.rest.extend_from_slice(part);
                    self.finish(to);
                }
                None => self.add(part, to),
            }
        }
    }

    /// Hands on what stands in a line that has not ended.
    pub fn finish(&mut self, to: &mut impl FnMut(&[u8])) {
        let end: &[u8] = match self.rest.as_slice() {
            [.., b'\r', b'\n'] => b"\r\n",
            [.., b'\n'] => b"\n",
            _ => b"",
        };
        self.rest.truncate(self.rest.len() - end.len());
        if self.shown.is_empty() && !self.ends_with_return() {
            to(&self.rest);
        } else {
            self.write_over();
            to(&self.shown.concat());
        }
        to(end);
        self.shown.clear();
        self.rest.clear();
    }

    fn ends_with_return(&self) -> bool {
        self.rest.ends_with(b"\r")
    }

    fn add(&mut self, bytes: &[u8], to: &mut impl FnMut(&[u8])) {
        self.rest.extend_from_slice(bytes);
        if self.rest.len() > LINE_MAX {
            self.finish(to);
        }
    }

    /// Writes what came since the last carriage return over what stood there.
    fn write_over(&mut self) {
        let written = std::mem::take(&mut self.rest);
        let mut rest = written.as_slice();
        let (mut column, mut before) = (0, Vec::new());
        while let Some((&first, others)) = rest.split_first() {
            let length = match first {
                b'\r' => {
                    rest = others;
                    continue;
                }
                ESCAPE => sequence(rest),
                _ => character(rest),
            };
            let (now, later) = rest.split_at(length);
            rest = later;
            match (first, now.last()) {
                (ESCAPE, Some(b'K')) => self.erase(column, now),
                (ESCAPE, _) => before.extend_from_slice(now),
                _ => {
                    let cell = [std::mem::take(&mut before).as_slice(), now].concat();
                    match self.shown.get_mut(column) {
                        Some(there) => *there = cell,
                        None => self.shown.push(cell),
                    }
                    column += 1;
                }
            }
        }
        if let Some(last) = column.checked_sub(1).and_then(|at| self.shown.get_mut(at)) {
            last.extend_from_slice(&before);
        }
        self.shown.truncate(LINE_MAX);
    }

    /// Erases a part of the line, as `EL` says (ECMA-48 section 8.3.41).
    fn erase(&mut self, column: usize, sequence: &[u8]) {
        match sequence {
            [_, b'[', b'1', ..] => {
                let end = self.shown.len().min(column + 1);
                self.shown[..end].fill(vec![b' ']);
            }
            [_, b'[', b'2', ..] => {
                self.shown.truncate(column);
                self.shown.fill(vec![b' ']);
            }
            _ => self.shown.truncate(column),
        }
    }
}

/// The length of the control sequence at the beginning (ECMA-48 section 5.4), or of the escape
/// alone.
fn sequence(bytes: &[u8]) -> usize {
    let Some(b'[') = bytes.get(1) else { return 1 };
    let end = bytes[2..]
        .iter()
        .position(|byte| (0x40..=0x7e).contains(byte));
    end.map_or(1, |end| end + 3)
}

/// The length of the character at the beginning: of what is no UTF-8, one byte.
fn character(bytes: &[u8]) -> usize {
    let length = match bytes[0] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    let whole = bytes
        .get(..length)
        .is_some_and(|b| str::from_utf8(b).is_ok());
    if whole { length } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(chunks: &[&[u8]]) -> Vec<u8> {
        let mut fold = Fold::default();
        let mut out = Vec::new();
        for chunk in chunks {
            fold.push(chunk, &mut |bytes| out.extend_from_slice(bytes));
        }
        fold.finish(&mut |bytes| out.extend_from_slice(bytes));
        out
    }

    #[test]
    fn of_a_line_that_is_written_over_what_stands_there_at_its_end_is_left() {
        for (written, shown) in [
            ("10 %\r50 %\r100 %\ndone\n", "100 %\ndone\n"),
            ("abcdef\rxy\n", "xycdef\n"),
            ("working\r\u{1b}[Kok\n", "ok\n"),
            ("working\r\u{1b}[2Kok\n", "ok\n"),
            ("working\r\u{1b}[1K\n", " orking\n"),
            ("█░░\r██░\r███\n", "███\n"),
            ("aaa\r\u{1b}[32mb\u{1b}[0m\n", "\u{1b}[32mb\u{1b}[0maa\n"),
            ("1\r2\r", "2"),
            ("1\r2\r3", "3"),
            ("half a line", "half a line"),
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\rb\r\nc", "b\r\nc"),
            ("a\r\r\nb\n", "a\r\nb\n"),
            ("\r", ""),
            ("", ""),
        ] {
            let told = String::from_utf8(folded(&[written.as_bytes()])).unwrap();
            assert_eq!(told, shown, "{written:?}");
        }
    }

    #[test]
    fn a_bar_that_is_drawn_a_million_times_takes_no_more_room_than_once() {
        let mut fold = Fold::default();
        let mut out = Vec::new();
        for percent in 0..100_000 {
            let line = format!("\r{percent:>6} of 100000 [#####>    ]");
            fold.push(line.as_bytes(), &mut |bytes| out.extend_from_slice(bytes));
        }
        assert!(out.is_empty() && fold.shown.len() < 100 && fold.rest.len() < 100);
        fold.push(b"\n", &mut |bytes| out.extend_from_slice(bytes));
        assert_eq!(out, b" 99999 of 100000 [#####>    ]\n");
    }

    #[test]
    fn a_line_that_is_too_long_to_be_folded_loses_nothing() {
        let line = "x".repeat(3 * LINE_MAX);
        assert_eq!(folded(&[line.as_bytes()]), line.as_bytes());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_in_which_pieces_it_comes(
            text in "[a-c\r\n\u{1b}\\[K2mé█]{0,40}", at in any::<prop::sample::Index>(),
        ) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(folded(&[first, second]), folded(&[bytes]));
        }

        #[test]
        fn what_has_no_carriage_return_stays_as_it_is(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes: Vec<u8> = bytes.into_iter().filter(|&byte| byte != b'\r').collect();
            prop_assert_eq!(folded(&[&bytes]), bytes);
        }

        #[test]
        fn what_is_folded_has_as_many_lines_and_no_bare_carriage_return(
            bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..200),
        ) {
            let out = folded(&[&bytes]);
            let lines = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
            prop_assert_eq!(lines(&out), lines(&bytes));
            for (at, _) in out.iter().enumerate().filter(|(_, byte)| **byte == b'\r') {
                prop_assert_eq!(out.get(at + 1), Some(&b'\n'));
            }
        }
    }
}
