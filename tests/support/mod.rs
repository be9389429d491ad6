//! What the tests from outside share. Each test program uses a part of it.
#![allow(
    dead_code,
    reason = "each test program is compiled with all of it and uses a part"
)]

pub mod home;
pub mod stub;
pub mod world;
