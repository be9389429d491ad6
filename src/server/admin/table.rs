//! Rows for people to read: columns under each other, and nothing that could steer a terminal.

/// The rows under `heads`.
pub(super) fn text<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let clean = |cell: &str| -> String { cell.chars().filter(|c| !c.is_control()).collect() };
    let mut lines = vec![heads.map(str::to_owned)];
    lines.extend(
        rows.iter()
            .map(|row| row.each_ref().map(|cell| clean(cell))),
    );
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        let mut whole = String::new();
        for (width, cell) in widths.iter().zip(line) {
            whole.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(whole.trim_end());
        text.push('\n');
    }
    text
}
