//! How JSON is laid out for people. Knows nothing of what it says.

/// A document without spaces as people read it: a line for each thing, those within another
/// further in. Not by serde_json, which would bring its code for every type a second time.
pub fn indented(compact: &str) -> String {
    let mut text = String::with_capacity(2 * compact.len());
    let mut depth = 0;
    let mut quoted = false;
    let mut escaped = false;
    let mut before = ' ';
    for c in compact.chars() {
        let (opens, closes) = (matches!(before, '{' | '['), matches!(c, '}' | ']'));
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            text.push(c);
        } else {
            depth -= usize::from(closes);
            if opens != closes || before == ',' {
                text.push('\n');
                text.extend(std::iter::repeat_n("  ", depth));
            }
            depth += usize::from(matches!(c, '{' | '['));
            quoted = c == '"';
            text.push(c);
            if c == ':' {
                text.push(' ');
            }
        }
        before = if quoted { '"' } else { c };
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_for_people_is_laid_out_as_serde_json_does() {
        let value = serde_json::json!({
            "empty": [[], {}, "", [{}]],
            "text": "a,b:{\"[\\\\\"]}\\",
            "number": [1, -2.5e3, null, true],
            "é\n": {"deep": [{"er": [1]}, 2]},
        });
        for value in [value, serde_json::json!([]), serde_json::json!("a\"")] {
            assert_eq!(
                indented(&value.to_string()),
                serde_json::to_string_pretty(&value).unwrap() + "\n"
            );
        }
    }
}
