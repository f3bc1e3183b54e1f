//! Any bytes as people: a Backstage catalogue, a TOML table, a CSV table. What is read is planned and applied.
#![no_main]

use bandpass_fuzz::{
    directory::{
        Directory, backstage,
        plan::{self, Source},
        table,
    },
    policy::render,
};

fn follow(source: &Source) {
    table::check("people", source);
    let directory = plan::apply(&Directory::default(), &plan::plan(&Directory::default(), source).changes, 1);
    assert!(plan::plan(&directory, source).changes.is_empty(), "importing twice changes nothing");
    for id in directory.people().keys() {
        directory.manager_chain(id);
    }
    for id in directory.teams().keys() {
        directory.members(id);
        directory.ancestors(id);
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let mut source = Source::default();
    let problems = match kind % 3 {
        0 => {
            let (mut catalogue, mut memberships) = (backstage::Catalogue::default(), Vec::new());
            backstage::read("people.yaml", text, &mut catalogue, &mut memberships);
            let catalogue = backstage::finish(catalogue, memberships);
            source = catalogue.source;
            catalogue.problems
        }
        1 => table::read_toml("people.toml", text, &mut source),
        _ => table::read_csv("people.csv", text, &mut source),
    };
    for problem in &problems {
        assert!(!render::text(problem).is_empty());
    }
    follow(&source);
});
