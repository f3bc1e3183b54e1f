//! Any bytes as a guardrail file, and as the condition of a rule: check, show the problems, decide if it loads.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(set) = bandpass_fuzz::checked(&[("guardrails/g.cedar", bytes)]) {
        bandpass_fuzz::decide(&set, "other");
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains("'''")
    {
        let head = "title = \"G\"\ndescription = \"g\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n[[rule]]\nname = \"r\"\nwho = [\"everyone\"]\nthen = \"grant\"\nfor = \"1d\"\n";
        let file = format!("{head}when = '''{text}'''\n");
        if let Some(set) = bandpass_fuzz::checked(&[("groups/g.toml", file.as_bytes())]) {
            bandpass_fuzz::decide(&set, "g");
        }
    }
});
