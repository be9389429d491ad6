//! A body in chunks (RFC 9112 section 7.1), decoded as it comes and refused where it is doubtful.
//!
//! Another program before us may find the end of a chunk elsewhere where a size has a sign, or a
//! line ends with half a line end: so neither is accepted. Extensions and trailers are skipped.

use ureq_proto::http::StatusCode;

use super::answer::{Refusal, TOO_LARGE};

/// The longest line, bytes: a chunk's size and extensions, or a trailer.
pub(super) const LINE_MAX: usize = 8 * 1024;

/// The trailers together, bytes.
const TRAILERS_MAX: usize = 16 * 1024;

/// The longest size of a chunk, digits: more than any body may have.
const DIGITS_MAX: usize = 12;

const MALFORMED: Refusal = Refusal::Answer(
    StatusCode::BAD_REQUEST,
    "the body is not in the chunks that its Transfer-Encoding promises",
);

/// Where in a chunked body we are.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    trailers: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a chunk's size.
    #[default]
    Size,
    /// Within a chunk: so many bytes are missing.
    Data(usize),
    /// After its last byte.
    DataEnd,
    /// After the last chunk.
    Trailers,
    Ended,
}

impl Chunks {
    /// Whether the end has come.
    pub fn is_ended(&self) -> bool {
        self.at == At::Ended
    }

    /// Decodes what there is of `input` into `output`, as far as that has room: how much was
    /// used, and how much written. Nothing at all where more has to come first.
    pub fn read(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize), Refusal> {
        let (mut used, mut written) = (0, 0);
        loop {
            let rest = &input[used..];
            match self.at {
                At::Data(missing) => {
                    let length = missing.min(rest.len()).min(output.len() - written);
                    output[written..written + length].copy_from_slice(&rest[..length]);
                    used += length;
                    written += length;
                    if length < missing {
                        self.at = At::Data(missing - length);
                        return Ok((used, written));
                    }
                    self.at = At::DataEnd;
                }
                At::Ended => return Ok((used, written)),
                At::DataEnd if rest.len() >= 2 || rest.first().is_some_and(|&b| b != b'\r') => {
                    if !rest.starts_with(b"\r\n") {
                        return Err(MALFORMED);
                    }
                    used += 2;
                    self.at = At::Size;
                }
                At::DataEnd => return Ok((used, written)),
                At::Size | At::Trailers => {
                    let Some(line) = line(rest)? else {
                        return Ok((used, written));
                    };
                    used += line.len() + 2;
                    self.at = self.after(line)?;
                }
            }
        }
    }

    /// What follows a line.
    fn after(&mut self, line: &[u8]) -> Result<At, Refusal> {
        if self.at == At::Size {
            return Ok(match size(line)? {
                0 => At::Trailers,
                size => At::Data(size),
            });
        }
        self.trailers += line.len();
        match line {
            [] => Ok(At::Ended),
            _ if self.trailers > TRAILERS_MAX => Err(TOO_LARGE),
            _ => Ok(At::Trailers),
        }
    }
}

/// The first line without its end; none where that has not come.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    let end = bytes.iter().position(is_control);
    if end.unwrap_or(bytes.len()) > LINE_MAX {
        return Err(TOO_LARGE);
    }
    let Some(end) = end else { return Ok(None) };
    match &bytes[end..] {
        [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(&bytes[..end])),
        _ => Err(MALFORMED),
    }
}

/// The size that a line tells.
fn size(line: &[u8]) -> Result<usize, Refusal> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, extensions) = line.split_at(digits.count());
    let extensions = extensions.trim_ascii_start();
    if digits.len() > DIGITS_MAX || !matches!(extensions, [] | [b';', ..]) {
        return Err(MALFORMED);
    }
    str::from_utf8(digits)
        .ok()
        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        .ok_or(MALFORMED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes `input` that comes in pieces of `step` bytes: the body and what is left after it;
    /// the rest is none where the end has not come.
    fn decode(input: &[u8], step: usize, room: usize) -> Result<(Vec<u8>, Option<Vec<u8>>), u16> {
        let (mut chunks, mut body, mut unread) = (Chunks::default(), Vec::new(), Vec::new());
        let mut output = vec![0; room];
        for piece in input.chunks(step) {
            unread.extend_from_slice(piece);
            loop {
                let (used, written) =
                    chunks
                        .read(&unread, &mut output)
                        .map_err(|refusal| match refusal {
                            Refusal::Answer(status, _) => status.as_u16(),
                            _ => 0,
                        })?;
                unread.drain(..used);
                body.extend_from_slice(&output[..written]);
                if used == 0 && written == 0 {
                    break;
                }
            }
        }
        Ok((body, chunks.is_ended().then_some(unread)))
    }

    #[test]
    fn extensions_and_trailers_are_skipped_and_what_follows_is_left() {
        let input = b"2\r\nhe\r\n3 ; x=\"y;z\"\r\nllo\r\n00\r\nA: b\r\n\r\nGET";
        for step in 1..input.len() {
            let decoded = decode(input, step, 2);
            assert_eq!(decoded, Ok((b"hello".to_vec(), Some(b"GET".to_vec()))));
        }
    }

    #[test]
    fn what_leaves_doubt_is_refused() {
        for input in [
            &b"+1\r\na\r\n"[..],
            b"-1\r\na\r\n",
            b" 1\r\na\r\n",
            b"0x1\r\na\r\n",
            b"\r\n",
            b";x\r\n",
            b"1\na\r\n",
            b"1\ra\r\n",
            b"1\r\na\n",
            b"1\r\nab\r\n",
            b"1 1\r\na\r\n",
            b"1;x\x00\r\na\r\n",
            b"1;x\ny\r\na\r\n",
            b"1\r\na\r\n0\r\nX: y\nZ: z\r\n\r\n",
            b"ffffffffffffffffff\r\na",
        ] {
            for step in [1, 100] {
                let text = String::from_utf8_lossy(input);
                assert_eq!(decode(input, step, 100), Err(400), "{text:?}");
            }
        }
    }

    #[test]
    fn extensions_and_trailers_have_an_end() {
        let extension = [b"1;".to_vec(), vec![b'x'; LINE_MAX + 1]].concat();
        assert_eq!(decode(&extension, 1000, 100), Err(413));
        let trailers = [b"0\r\n".to_vec(), b"X-Trailer: yes\r\n".repeat(2000)].concat();
        assert_eq!(decode(&trailers, 1000, 100), Err(413));
    }

    proptest! {
        #[test]
        fn any_body_comes_out_as_it_went_in(
            pieces in proptest::collection::vec("\\PC{1,40}", 0..8), step in 1_usize..50
        ) {
            let mut input = String::new();
            for piece in &pieces {
                input += &format!("{:x}\r\n{piece}\r\n", piece.len());
            }
            input += "0\r\n\r\nrest";
            let expected = (pieces.concat().into_bytes(), Some(b"rest".to_vec()));
            prop_assert_eq!(decode(input.as_bytes(), step, 7), Ok(expected));
        }
    }
}
