//! The tail: the last bytes of a stream in a ring of fixed size, and its cut to what a report
//! has room for.
//!
//! Knows nothing of jobs or pings, and nothing of text beyond line ends and UTF-8's shape.

/// The last `capacity` bytes of all that was pushed.
#[derive(Debug)]
pub struct Tail {
    ring: Box<[u8]>,
    /// Where the next byte goes.
    next: usize,
    /// How many bytes were ever pushed.
    total: u64,
}

impl Tail {
    /// An empty tail that will keep `capacity` bytes, and takes that memory now.
    pub fn new(capacity: usize) -> Self {
        Self {
            ring: vec![0; capacity].into_boxed_slice(),
            next: 0,
            total: 0,
        }
    }

    /// Adds `bytes`, dropping the oldest where there is no room.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let capacity = self.ring.len();
        let mut rest = &bytes[bytes.len().saturating_sub(capacity)..];
        while !rest.is_empty() {
            let space = &mut self.ring[self.next..];
            let (now, later) = rest.split_at(rest.len().min(space.len()));
            space[..now.len()].copy_from_slice(now);
            self.next = (self.next + now.len()) % capacity;
            rest = later;
        }
    }

    /// Whether nothing was ever pushed.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// What is kept, oldest first.
    fn kept(&self) -> Vec<u8> {
        if self.total < self.ring.len() as u64 {
            return self.ring[..self.next].to_vec();
        }
        let (newest, oldest) = self.ring.split_at(self.next);
        [oldest, newest].concat()
    }

    /// What was pushed, in at most `room` bytes. Where that is not all of it, it is the end of
    /// it, from the beginning of a line where one is near, below a line of its own that says
    /// how many bytes are left out.
    pub fn cut(&self, room: usize) -> Vec<u8> {
        let kept = self.kept();
        if self.total == kept.len() as u64 && kept.len() <= room {
            return kept;
        }
        // The notice can only get shorter once it is known how much is left out.
        let longest_notice = notice(self.total);
        let Some(room) = room.checked_sub(longest_notice.len()) else {
            return Vec::new();
        };
        let end = &kept[whole_lines(&kept, kept.len().saturating_sub(room))..];
        let mut text = notice(self.total - end.len() as u64);
        text.extend_from_slice(end);
        text
    }
}

fn notice(left_out: u64) -> Vec<u8> {
    format!("[{left_out} earlier bytes left out]\n").into_bytes()
}

/// The first place at or after `from` at which `text` may be cut: where a line begins, unless
/// that loses more than half of what there is; else where a character begins.
fn whole_lines(text: &[u8], from: usize) -> usize {
    let begins_a_line = |at: &usize| *at > 0 && text[*at - 1] == b'\n';
    let last = from + (text.len() - from) / 2;
    if let Some(line) = (from..=last).find(begins_a_line) {
        return line;
    }
    // At most three bytes follow the first of a character (RFC 3629, section 3).
    let character = (from..text.len().min(from + 4)).find(|&at| text[at] & 0xC0 != 0x80);
    character.unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tail_of(capacity: usize, chunks: &[Vec<u8>]) -> Tail {
        let mut tail = Tail::new(capacity);
        for chunk in chunks {
            tail.push(chunk);
        }
        tail
    }

    fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![Just(b'\n'), Just(b'a'), Just(0xC3), Just(0xA9), any::<u8>()];
        prop::collection::vec(prop::collection::vec(byte, 0..50), 0..12)
    }

    proptest! {
        #[test]
        fn it_keeps_the_last_bytes_however_they_come(chunks in chunks(), capacity in 0..120usize) {
            let all = chunks.concat();
            let tail = tail_of(capacity, &chunks);
            prop_assert_eq!(tail.kept(), &all[all.len().saturating_sub(capacity)..]);
            prop_assert_eq!(tail.is_empty(), all.is_empty());
        }

        #[test]
        fn a_cut_fits_and_what_it_left_out_and_kept_is_all(
            chunks in chunks(),
            capacity in 1..200usize,
            room in 0..200usize,
        ) {
            let all = chunks.concat();
            let cut = tail_of(capacity, &chunks).cut(room);
            prop_assert!(cut.len() <= room);
            if all.len() <= room.min(capacity.saturating_sub(1)) {
                prop_assert_eq!(&cut, &all);
            } else if cut != all && !cut.is_empty() {
                let end = cut.iter().position(|&b| b == b'\n').unwrap();
                let said = std::str::from_utf8(&cut[1..end]).unwrap();
                let left_out: usize = said.split(' ').next().unwrap().parse().unwrap();
                prop_assert_eq!(&cut[end + 1..], &all[left_out..]);
            }
        }
    }

    #[test]
    fn a_cut_begins_with_a_whole_line() {
        let mut tail = Tail::new(60);
        tail.push(b"first line, which is long enough to be cut\nsecond line\nthird line\n");
        let text = String::from_utf8(tail.cut(60)).unwrap();
        assert_eq!(
            text,
            "[43 earlier bytes left out]\nsecond line\nthird line\n"
        );
    }

    #[test]
    fn a_line_that_is_longer_than_the_room_is_cut_between_characters() {
        let mut tail = Tail::new(1000);
        tail.push("é".repeat(400).as_bytes());
        for room in 60..64 {
            let text = String::from_utf8(tail.cut(room)).unwrap();
            assert!(text.ends_with("éé") && text.len() > room - 4, "{text}");
        }
    }

    #[test]
    fn a_long_line_is_not_dropped_for_a_short_one_after_it() {
        let mut tail = Tail::new(1000);
        tail.push(&[&b"x".repeat(2000)[..], b"\nexit 1\n"].concat());
        let text = tail.cut(1000);
        assert!(text.len() > 900, "{}", String::from_utf8_lossy(&text));
    }
}
