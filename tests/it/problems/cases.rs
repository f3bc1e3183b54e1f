//! The cases: each a set of files that has one problem, and as little else as can be.

use bandpass::{domain::problem::Problem, folder, policy::codes};

/// A set that has a problem.
pub struct Case {
    /// The problem.
    pub code: &'static str,
    /// Paths and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// Codes of warnings and errors that cannot be kept away from it.
    pub beside: &'static [&'static str],
    /// `policy.timezone`.
    pub timezone: &'static str,
    /// Problems that do not come from files, made as the program makes them.
    pub elsewhere: Vec<Problem>,
}

impl Case {
    fn beside(mut self, codes: &'static [&'static str]) -> Self {
        self.beside = codes;
        self
    }

    fn and(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.as_bytes().to_vec()));
        self
    }
}

fn set(code: &'static str) -> Case {
    Case { code, files: Vec::new(), beside: &[], timezone: "UTC", elsewhere: Vec::new() }
}

/// A sound head, and what stands below it.
fn group(title: &str, below: &str) -> String {
    format!("title = \"{title}\"\ndescription = \"Read-only SQL on the warehouse.\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n{below}")
}

const RULE: &str = "[[rule]]\nname = \"ops\"\nwho = [\"team:ops\"]\nthen = \"grant\"\nfor = \"7d\"\n";
const EXAMPLE: &str = "[[example]]\nperson = { team = \"ops\" }\nfor = \"1d\"\nexpect = \"granted\"\nrule = \"ops\"\n";

/// One group `a` with this below its head.
fn a(code: &'static str, below: &str) -> Case {
    set(code).and("groups/a.toml", &group("Analysts", below))
}

/// A group without a problem.
pub fn sound_group() -> String {
    group("Analysts", &format!("{RULE}{EXAMPLE}"))
}

/// One sound group `a`, and other files.
fn sound(code: &'static str) -> Case {
    set(code).and("groups/a.toml", &sound_group())
}

fn rule(lines: &str) -> String {
    format!("[[rule]]\nname = \"r\"\n{lines}")
}

fn guardrail(code: &'static str, text: &str) -> Case {
    sound(code).and("guardrails/g.cedar", text)
}

const RAIL: &str = "@id(\"no-contractors\")\n@reason(\"Contractors may not.\")\n@fix(\"Ask the owner.\")\nforbid (principal, action, resource)\n";

fn keys_and_values() -> Vec<Case> {
    vec![
        set("BP001").and("groups/a.toml", "title = \"Analysts\nowner = \"team:owners\"\n"),
        a("BP002", &rule("who = [\"team:ops\"]\nthen = \"grant\"\nfor = \"7d\"\njustificaton = \"required\"\n")),
        a("BP003", &format!("tags = 3\n{RULE}{EXAMPLE}")),
        a("BP004", &rule("who = [\"team:ops\"]\nthen = \"grant\"\n")),
        a("BP005", &rule("who = [\"team:ops\"]\nthen = \"grant\"\nfor = \"30 days\"\n")),
        a("BP006", &rule("who = [\"team:ops\"]\nthen = \"granted\"\nfor = \"7d\"\n")),
        a("BP007", &rule("who = [\"manager\"]\nthen = \"grant\"\nfor = \"7d\"\n")),
        a("BP008", &rule("who = []\nthen = \"grant\"\nfor = \"7d\"\n")),
        a("BP009", &format!("{RULE}{EXAMPLE}{}", RULE.replace("team:ops", "team:pair"))),
        a("BP010", ""),
        a("BP011", &rule("who = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"manager\"]\nneed = 0\n")),
        a("BP012", &rule("who = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"person:ann\"]\nneed = 2\n")),
        a("BP013", &rule("who = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n")),
        a("BP014", &rule("who = [\"everyone\"]\nthen = \"grant\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"manager\"]\n")),
        a("BP015", &format!("tags = {}{}\n", "[".repeat(100), "]".repeat(100))),
        set("BP016").and("groups/a.toml", &format!("title = \"A\"\nowner = \"team:owners\"\nsensitivity = \"internal\"\n{RULE}{EXAMPLE}")),
        sound("BP017").and("groups/b.toml", &group("analysts", &format!("{RULE}{EXAMPLE}"))),
        a("BP018", &(0..120).map(|n| format!("k{n} = {n}\n")).collect::<String>()).beside(&["BP002"]),
        a("BP019", &format!("{RULE}{}{}", rule("who = [\"team:pair\"]\nthen = \"grant\"\nfor = \"7d\"\n"), EXAMPLE)),
    ]
}

fn whole_files() -> Vec<Case> {
    let two = |code| sound(code).and("groups/b.toml", &group("Brokers", &format!("{RULE}{EXAMPLE}")));
    vec![
        sound("BP020").and("conflicts.toml", "[[conflict]]\ngroups = [\"a\"]\nreason = \"one hand only\"\n"),
        two("BP021").and("conflicts.toml", "[[conflict]]\ngroups = [\"a\", \"b\"]\nreason = \"one hand only\"\nkeep = \"c\"\n"),
        sound("BP022").and("roles.toml", "[auditor]\nwho = [\"team:admins\"]\n"),
        sound("BP023").and("attributes.toml", "[attributes]\nlevel = \"number\"\n"),
        sound("BP024").and("attributes.toml", "[attributes]\nteam = \"string\"\n"),
        sound("BP025").and("attributes.toml", "[attributes]\nif = \"bool\"\n"),
        two("BP026").and("conflicts.toml", "[[conflict]]\ngroups = [\"a\", \"b\"]\nreason = \"one hand only\"\n[[conflict]]\ngroups = [\"b\", \"a\"]\nreason = \"once more\"\n"),
        a("BP027", &format!("{RULE}{}", EXAMPLE.replace("rule = \"ops\"", "rule = \"opps\""))),
        a("BP028", &format!("{RULE}{}", EXAMPLE.replace("team = \"ops\"", "team = \"ops\", employmnt = \"permanent\""))),
    ]
}

fn conditions() -> Vec<Case> {
    let when = |code, condition: &str, max: &str| a(code, &rule(&format!("who = [\"everyone\"]\nwhen = '{condition}'\nthen = \"grant\"\nfor = \"{max}\"\n")));
    vec![
        when("BP030", "principal.employment = \"permanent\"", "7d"),
        when("BP031", &format!("{}true{}", "(".repeat(40), ")".repeat(40)), "7d"),
        when("BP032", "principal.employmnt == \"permanent\"", "7d"),
        when("BP033", "principal.employment == \"permanent\" && context.duration_hours <= 12", "30d"),
        when("BP034", "context.duration_hours > 720", "7d"),
    ]
}

fn guardrails() -> Vec<Case> {
    let when = |condition: &str| format!("{RAIL}when {{ {condition} }};\n");
    let contractors = "principal.employment == \"contractor\"";
    vec![
        guardrail("BP040", &format!("{RAIL}when {{ {contractors} ")),
        guardrail("BP041", &when(contractors).replace("forbid", "permit")),
        guardrail("BP042", &when(contractors).replace("(principal,", "(principal == Person::\"ann\",")),
        guardrail("BP043", &when(contractors).replace("@id(\"no-contractors\")\n", "")),
        guardrail("BP044", &when(contractors).replace("@reason(\"Contractors may not.\")\n", "")),
        guardrail("BP045", &when("context.holds.contains(\"aa\")")),
        guardrail("BP046", &when("principal.level > 3")).and("attributes.toml", "[attributes]\nlevel = \"long\"\n"),
        guardrail("BP047", &when(contractors)).and("guardrails/h.cedar", &when(contractors)),
        guardrail("BP048", &when("principal.employment == \"contractor\" && resource.sensitivity == \"secret\"")),
        guardrail("BP049", &when(contractors).replace("@fix(\"Ask the owner.\")\n", "")),
    ]
}

fn of_files() -> Vec<Case> {
    let mut many = sound("BP050").beside(&["BP022", "BP056"]);
    many.files.extend((0..10_000).map(|n| (format!("notes/{n:05}.toml"), Vec::new())));
    let mut large = sound("BP051");
    large.files.push(("groups/b.toml".to_owned(), vec![b'#'; 300_000]));
    let mut latin = sound("BP052");
    latin.files.push(("groups/b.toml".to_owned(), b"title = \"Caf\xe9\"\n".to_vec()));
    let mut zone = sound("BP053");
    zone.timezone = "Europe/Olso";
    let mut link = set("BP058");
    link.elsewhere = vec![codes::of_file("", "BP058", folder::is_a_link("groups/a.toml"), None)];
    link.beside = &["BP057"];
    let mut crash = set("BP059").beside(&["BP057"]);
    crash.elsewhere = vec![codes::of_file("", "BP059", "the files could not be read: a parser failed, or no thread could be had", None)];
    vec![
        many,
        large,
        latin,
        zone,
        sound("BP054").and("groups/Größe Analysts.toml", ""),
        sound("BP055").and("groups/old/a.toml", ""),
        sound("BP056").and("groups.toml", ""),
        set("BP057"),
        link,
        crash,
    ]
}

fn meanings() -> Vec<Case> {
    let approve = |from: &str| rule(&format!("who = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [{from}]\n"));
    let asks = |who: &str| rule(&format!("who = [\"{who}\"]\nthen = \"grant\"\nfor = \"7d\"\n"));
    let entitlement = "[[entitlement]]\nconnector = \"warehouse\"\nname = \"analyst_ro\"\n";
    let restricted = |below: &str| group("Brokers", below).replace("internal", "restricted");
    let mut chain = set("BP069");
    for n in 0..10 {
        let who = if n == 9 { "team:ops".to_owned() } else { format!("group:g{}", n + 1) };
        chain = chain.and(&format!("groups/g{n}.toml"), &group(&format!("Number {n}"), &asks(&who)));
    }
    vec![
        a("BP060", &approve("\"group:b\"")).and("groups/b.toml", &group("Brokers", &format!("{RULE}{EXAMPLE}"))),
        a("BP061", &approve("\"group:b\"")).and("groups/b.toml", &group("Brokers", &approve("\"group:a\""))),
        a("BP062", &format!("{}[[rule]]\nname = \"loose\"\nwho = [\"team:ops\"]\nthen = \"grant\"\nfor = \"30d\"\n", approve("\"owner\""))),
        a("BP063", &format!("{}{RULE}{EXAMPLE}", asks("everyone"))),
        set("BP064").and("groups/b.toml", &restricted(&asks("everyone"))),
        a("BP065", &rule("who = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"team:pair\"]\nneed = 3\n")),
        set("BP066").and("groups/a.toml", &group("Analysts", &format!("{RULE}{EXAMPLE}")).replace("\"team:owners\"", "[\"person:lena\", \"team:empty\"]")),
        a("BP067", &format!("{entitlement}{RULE}{EXAMPLE}")).and("groups/b.toml", &restricted(&format!("{entitlement}{RULE}{EXAMPLE}"))),
        a("BP068", &asks("group:b")).and("groups/b.toml", &group("Brokers", &asks("group:a"))),
        chain,
    ]
}

const CASE: &str = "[[case]]\nname = \"c\"\ngroup = \"a\"\nperson = { team = \"ops\" }\nfor = \"1d\"\nexpect = \"granted\"\n";

fn names() -> Vec<Case> {
    let asks = |code, who: &str| a(code, &rule(&format!("who = [\"{who}\"]\nthen = \"grant\"\nfor = \"7d\"\n")));
    let allow = |code: &str| format!("{RULE}{EXAMPLE}[[allow]]\ncode = \"{code}\"\nreason = \"it is right here\"\n");
    let emergency = |code, max: &str| a(code, &format!("{RULE}{EXAMPLE}[break_glass]\nwho = [\"team:ops\"]\nfor = \"{max}\"\nreview_by = [\"team:owners\"]\n"));
    let comes = |below: &str| format!("[[rule]]\nname = \"comes with it\"\nwho = [\"team:ops\"]\nthen = \"always\"\n{below}");
    let was = |title: &str, id: &str| group(title, &format!("formerly = [\"{id}\"]\n{RULE}{EXAMPLE}"));
    vec![
        asks("BP070", "group:aa"),
        asks("BP071", "team:sales"),
        asks("BP072", "team:opps"),
        asks("BP073", "team:empty"),
        asks("BP074", "person:lena"),
        asks("BP075", "person:anne"),
        a("BP076", &format!("[[entitlement]]\nconnector = \"warehose\"\nname = \"analyst_ro\"\n{RULE}{EXAMPLE}")),
        a("BP077", &allow("BP064")),
        a("BP078", &allow("BP004")),
        sound("BP079").and("groups/b.toml", &was("Brokers", "a").replace("[\"a\"]", "[\"a\", \"b\"]")),
        set("BP080").and("groups/b.toml", &was("Brokers", "a")).and("groups/c.toml", &was("Clerks", "a")),
        a("BP081", &rule("who = [\"everyone\"]\nthen = \"approve\"\nfor = \"7d\"\n[[rule.stage]]\nfrom = [\"owner\", \"manager\"]\nescalate = [\"owner\"]\n")),
        emergency("BP082", "4h"),
        emergency("BP083", "3d"),
        a("BP090", &format!("{}{RULE}{EXAMPLE}", comes(""))),
        a("BP091", &format!("{}{RULE}{EXAMPLE}", comes("for = \"30d\"\n"))),
        a("BP092", &format!("on_change = \"flag\"\n{}{RULE}{EXAMPLE}", comes(""))),
        sound("BP180").and("proofs.toml", "[[claim]]\nname = \"c\"\nnever = 'true'\n[[claim]]\nname = \"c\"\nnever = 'false'\n"),
        sound("BP181").and("proofs.toml", ""),
        sound("BP190").and("tests/t.toml", &format!("{CASE}{CASE}")),
        sound("BP191").and("tests/t.toml", &CASE.replace("\"a\"", "\"aa\"")),
        sound("BP192").and("tests/t.toml", &format!("{CASE}rule = \"opps\"\n")),
        sound("BP193").and("tests/t.toml", &format!("{CASE}guardrail = \"no-contractors\"\n")),
    ]
}

/// Every case, by code.
pub fn all() -> Vec<Case> {
    [keys_and_values(), whole_files(), conditions(), guardrails(), of_files(), meanings(), names()].into_iter().flatten().collect()
}
