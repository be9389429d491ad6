//! SECURITY.md names the tests that show what it claims; each of them is there.

use std::path::Path;

#[test]
fn each_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = String::new();
    for folder in ["tests", "src"] {
        read_all(&root.join(folder), &mut source);
    }
    let page = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let named: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.trim_end_matches('|').rsplit_once('|'))
        .flat_map(|(_, tests)| tests.split('`').skip(1).step_by(2))
        .filter(|name| name.contains('_') && !name.contains(['.', '/', ' ']))
        .collect();
    assert!(named.len() > 40, "only {} are named", named.len());
    for name in named {
        assert!(
            source.contains(&format!("#[test]\nfn {name}()")),
            "SECURITY.md names the test '{name}', and there is none"
        );
    }
}

fn read_all(directory: &Path, into: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
