//! Output as a terminal would show it: of a line that is written over and over, as progress bars
//! are, what stands there at its end. Pure.

/// The longest line that is folded, bytes. What is longer goes on as it is.
const LINE_MAX: usize = 10_000;

const ESCAPE: u8 = 0x1b;

/// Folds what is pushed, line by line.
#[derive(Debug, Default)]
pub struct Fold {
    /// What stands in the line by what was written before the last carriage return.
    shown: Vec<u8>,
    /// What came since, as it came.
    rest: Vec<u8>,
}

impl Fold {
    /// Adds `bytes`; whole lines go on to `to`.
    pub fn push(&mut self, bytes: &[u8], to: &mut impl FnMut(&[u8])) {
        let is_plain = self.shown.is_empty() && !bytes.contains(&b'\r') && !self.ends_with_return();
        if is_plain {
            return self.push_plain(bytes, to);
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

    /// Adds what nothing is written over by: it may be a gigabyte.
    fn push_plain(&mut self, bytes: &[u8], to: &mut impl FnMut(&[u8])) {
        let is_long = self.rest.len() + bytes.len() > LINE_MAX;
        // A line that began longer ago is not folded any more.
        let late = bytes.len().saturating_sub(LINE_MAX);
        let whole = match bytes[late..].iter().rposition(|&byte| byte == b'\n') {
            Some(end) => late + end + 1,
            None if is_long => bytes.len(),
            None => 0,
        };
        if whole > 0 {
            to(&self.rest);
            to(&bytes[..whole]);
            self.rest.clear();
        }
        self.add(&bytes[whole..], to);
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
            to(&self.shown);
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
        while self.ends_with_return() {
            self.rest.pop();
        }
        // Most bars are drawn anew from end to end.
        let widths = (width(&self.rest), width(&self.shown));
        if matches!(widths, (Some(new), Some(old)) if new >= old) {
            std::mem::swap(&mut self.shown, &mut self.rest);
        } else {
            let mut cells = Vec::new();
            write(&mut cells, &self.shown);
            write(&mut cells, &self.rest);
            self.shown = cells.concat();
            self.shown.truncate(LINE_MAX);
        }
        self.rest.clear();
    }
}

/// How many cells a text takes; `None` where it erases some.
fn width(text: &[u8]) -> Option<usize> {
    let (mut width, mut at) = (0, 0);
    while let Some(&byte) = text.get(at) {
        if byte == ESCAPE {
            let length = sequence(&text[at..]);
            at += length;
            if text[at - 1] == b'K' {
                return None;
            }
        } else {
            width += usize::from(byte & 0xC0 != 0x80);
            at += 1;
        }
    }
    Some(width)
}

/// Writes `text` from the line's beginning on. A cell is a character, with what stands around it
/// and takes no room: colours.
fn write<'a>(cells: &mut Vec<&'a [u8]>, text: &'a [u8]) {
    let (mut column, mut begin, mut at) = (0, 0, 0);
    while let Some(&first) = text.get(at) {
        let length = match first {
            ESCAPE => sequence(&text[at..]),
            _ => character(&text[at..]),
        };
        let now = &text[at..at + length];
        at += length;
        match (first, now.last()) {
            (ESCAPE, Some(b'K')) => {
                erase(cells, column, now);
                begin = at;
            }
            (ESCAPE, _) => {}
            _ => {
                match cells.get_mut(column) {
                    Some(there) => *there = &text[begin..at],
                    None => cells.push(&text[begin..at]),
                }
                column += 1;
                begin = at;
            }
        }
    }
    // The colour's end belongs to what it colours.
    if let Some(last) = column.checked_sub(1)
        && let Some(cell) = cells.get_mut(last)
        && begin < at
        && text[..begin].ends_with(cell)
    {
        *cell = &text[begin - cell.len()..];
    }
}

/// Erases a part of the line, as `EL` says (ECMA-48 section 8.3.41).
fn erase(cells: &mut Vec<&[u8]>, column: usize, sequence: &[u8]) {
    match sequence {
        [_, b'[', b'1', ..] => {
            let end = cells.len().min(column + 1);
            cells[..end].fill(b" ");
        }
        [_, b'[', b'2', ..] => {
            cells.truncate(column);
            cells.fill(b" ");
        }
        _ => cells.truncate(column),
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
    fn a_line_that_is_too_long_to_be_folded_loses_nothing_and_is_not_held() {
        let line = "x".repeat(3 * LINE_MAX);
        assert_eq!(folded(&[line.as_bytes()]), line.as_bytes());
        for before in ["", "a\r"] {
            let (mut fold, mut out) = (Fold::default(), Vec::new());
            fold.push(before.as_bytes(), &mut |bytes| out.extend_from_slice(bytes));
            for piece in line.as_bytes().chunks(100) {
                fold.push(piece, &mut |bytes| out.extend_from_slice(bytes));
                assert!(fold.rest.len() <= LINE_MAX);
            }
            fold.finish(&mut |bytes| out.extend_from_slice(bytes));
            assert_eq!(out, line.as_bytes());
        }
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
