//! The command lines of a guide in Markdown: from its blocks of shell, crontabs, workflows and
//! scripts, and from code within its sentences.

/// A command line that the guide shows.
#[derive(Debug)]
pub struct Shown {
    /// Where it begins in the guide, from 1.
    pub line: usize,
    /// The `##` heading that it stands below.
    pub part: String,
    /// The nearest heading.
    pub section: String,
    /// As a shell takes it.
    pub text: String,
    /// What stdout must be, where the guide tells.
    pub output: Option<String>,
    /// What its block exports before it.
    pub exported: Vec<(String, String)>,
    /// The `PAKYAS_PROJECT` of its block.
    pub project: Option<String>,
}

/// Every command line with `pakyas`, in order.
pub fn lines(guide: &str) -> Vec<Shown> {
    let mut shown = Vec::new();
    let (mut part, mut section) = (String::new(), String::new());
    let mut block: Option<Vec<(usize, &str)>> = None;
    for (index, line) in guide.lines().enumerate() {
        let number = index + 1;
        if line.trim_start().starts_with("```") {
            match block.take() {
                Some(lines) => of_block(&lines, &part, &section, &mut shown),
                None => block = Some(Vec::new()),
            }
        } else if let Some(lines) = &mut block {
            lines.push((number, line));
        } else if let Some(heading) = line.strip_prefix('#') {
            section = heading.trim_start_matches('#').trim().to_owned();
            if !heading.starts_with("##") && heading.starts_with('#') {
                part.clone_from(&section);
            }
        } else {
            of_sentence(number, line, &part, &section, &mut shown);
        }
    }
    assert!(block.is_none(), "a block of the guide has no end");
    shown
}

fn of_block(lines: &[(usize, &str)], part: &str, section: &str, shown: &mut Vec<Shown>) {
    let project = lines.iter().find_map(|(_, line)| project(line));
    let mut exported = Vec::new();
    let mut lines = lines.iter().copied().peekable();
    while let Some((number, line)) = lines.next() {
        let mut text = line.trim().to_owned();
        while let Some(open) = text.strip_suffix('\\') {
            let next = lines.next().map_or("", |(_, line)| line.trim());
            text = format!("{}{next}", open.to_owned());
        }
        if let Some(setting) = text.strip_prefix("export ") {
            let (name, value) = setting.split_once('=').unwrap();
            exported.push((name.to_owned(), value.to_owned()));
        }
        if let Some(words) = text.strip_prefix("your-image:latest ") {
            // The image's entry point is the line before these words.
            text = format!("pakyas monitor {words}");
        }
        let Some(command) = command(&text) else {
            continue;
        };
        let mut comments = Vec::new();
        while let Some((_, comment)) = lines.next_if(|(_, line)| line.trim().starts_with("# ")) {
            comments.push(comment.trim().trim_start_matches("# "));
        }
        shown.push(Shown {
            line: number,
            part: part.to_owned(),
            section: section.to_owned(),
            text: command,
            output: output(&comments),
            exported: exported.clone(),
            project: project.clone(),
        });
    }
}

/// What the comments right below a command say that it prints.
fn output(comments: &[&str]) -> Option<String> {
    let lines = match comments {
        ["Output:", lines @ ..] => lines,
        [first, ..] if first.starts_with("Pong!") => comments,
        _ => return None,
    };
    Some(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// `PAKYAS_PROJECT` as a block sets it: in YAML, in a shell, for a container.
fn project(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("PAKYAS_PROJECT")?;
    let rest = rest.trim_start_matches([':', '=', ' ', '\'', '"']);
    let end = rest.find([' ', '\'', '"']).unwrap_or(rest.len());
    Some(rest[..end].to_owned()).filter(|name| !name.is_empty())
}

/// The command in a line of a block, without what is around it there.
fn command(line: &str) -> Option<String> {
    if !mentions(line) {
        return None;
    }
    let line = line.split("  #").next().unwrap_or(line).trim();
    let inner = |open: &str, close: char| {
        let (_, rest) = line.split_once(open)?;
        rest.rsplit_once(close).map(|(inner, _)| inner)
    };
    let text = inner("sh '", '\'')
        .or_else(|| inner("os.system(\"", '"'))
        .unwrap_or(line);
    let text = ["run: ", "command: ", "- "]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text);
    let text = without_cron_fields(text.trim_start_matches("# "));
    let first = text.split_whitespace().next().unwrap_or_default();
    assert!(
        first == "pakyas" || first == "npm" || first.contains('='),
        "this form of a command is new: {line}"
    );
    Some(text.to_owned())
}

/// Whether `pakyas` is there with an argument, and not as a file or a name.
fn mentions(line: &str) -> bool {
    line.match_indices("pakyas ").any(|(at, word)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        before.is_none_or(|c| c.is_whitespace() || "'\"`(".contains(c))
            && after.is_some_and(|c| c.is_ascii_lowercase() || "-<".contains(c))
            && !line.contains('│')
    })
}

/// A crontab's line without its five fields.
fn without_cron_fields(line: &str) -> &str {
    let mut rest = line;
    for _ in 0..5 {
        let (field, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        if field.is_empty()
            || !field
                .chars()
                .all(|c| c.is_ascii_digit() || "*/,-".contains(c))
        {
            return line;
        }
        rest = tail;
    }
    rest
}

fn of_sentence(number: usize, line: &str, part: &str, section: &str, shown: &mut Vec<Shown>) {
    for code in line.split('`').skip(1).step_by(2) {
        if code != "pakyas" && !mentions(code) {
            continue;
        }
        let text = match code {
            // Mentioned, not typed.
            "pakyas monitor" | "pakyas ping" => format!("{code} --help"),
            "pakyas <command> --help" => "pakyas monitor --help".to_owned(),
            _ => code.to_owned(),
        };
        shown.push(Shown {
            line: number,
            part: part.to_owned(),
            section: section.to_owned(),
            text,
            output: None,
            exported: Vec::new(),
            project: None,
        });
    }
}

/// `text` with a key that is one in place of each of the guide's.
pub fn with_key(text: &str, key: &str) -> String {
    let mut parts = text.split("pk_live_");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
        result.push_str(key);
        result.push_str(rest);
    }
    result
}
