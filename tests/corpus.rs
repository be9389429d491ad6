//! Every input that the fuzzer keeps, and every one that once broke something, without the fuzzer.

#[path = "fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Tries all files of these folders; gives how many there were.
fn try_all(name: &str, target: targets::Target) -> usize {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let mut count = 0;
    for folder in ["corpus", "crashes"] {
        let Ok(files) = fs::read_dir(fuzz.join(folder).join(name)) else {
            continue;
        };
        for file in files {
            let path = file.unwrap().path();
            // Told before a panic is.
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
            count += 1;
        }
    }
    count
}

#[test]
fn no_input_that_is_known_breaks_its_target() {
    std::thread::scope(|scope| {
        for (name, target) in targets::ALL {
            scope.spawn(move || assert!(try_all(name, target) > 0, "{name} has no corpus"));
        }
    });
}

#[test]
fn every_folder_of_inputs_belongs_to_a_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    for folder in ["corpus", "crashes"] {
        for name in fs::read_dir(fuzz.join(folder)).unwrap() {
            let name = name.unwrap().file_name().into_string().unwrap();
            assert!(
                name == "README" || targets::named(&name).is_some(),
                "{folder}/{name}"
            );
        }
    }
}
