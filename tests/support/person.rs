//! A person at a terminal: types at a program, and waits for what it shows.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::os::{pseudo_terminal, start_on_terminal};

/// A person at a terminal of their own, on which a program runs.
pub struct Person {
    pub keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    past: String,
    pub child: Child,
}

impl Person {
    pub fn starts(mut command: Command) -> Self {
        let (keyboard, programs) = pseudo_terminal();
        start_on_terminal(&mut command, &programs);
        let child = command.spawn().unwrap();
        let mut eyes = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = eyes.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keyboard,
            screen,
            seen: String::new(),
            past: String::new(),
            child,
        }
    }

    /// Presses these keys.
    pub fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits until this is on the screen, below what was waited for before; gives what came
    /// before it.
    pub fn sees(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(text) {
                let before: String = self.seen.drain(..at + text.len()).collect();
                self.past.push_str(&before);
                return before;
            }
            let more = self.screen.recv_timeout(PATIENCE);
            let more = more.unwrap_or_else(|_| panic!("'{text}' is not in: {}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// All that was on the screen so far.
    pub fn all(&self) -> String {
        format!("{}{}", self.past, self.seen)
    }

    /// Waits for the end of the program, and fails where it is not with this exit code.
    #[track_caller]
    pub fn leaves_with(mut self, code: i32) {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end: {}", self.all());
            thread::sleep(Duration::from_millis(5));
        };
        let rest = self.screen.try_iter();
        self.seen
            .extend(rest.map(|more| String::from_utf8_lossy(&more).into_owned()));
        assert_eq!(status.code(), Some(code), "{}", self.all());
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
