//! A group file of any bytes: check, show the problems, decide if it loads.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(set) = bandpass_fuzz::checked(&[("groups/g.toml", bytes)]) {
        bandpass_fuzz::decide(&set, "g");
    }
});
