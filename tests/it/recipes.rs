//! The recipes for pipelines in `policies/README.md`, taken from there and run: in a throwaway repository with a branch that
//! changes policy, by the shell as the forges call it, against a forge of the test.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
};

use serde_json::Value;

use crate::support::{git::{commit_all, git}, service::Folder};

/// The YAML block that follows a sentence of the README.
fn recipe(beginning: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("policies/README.md")).unwrap();
    let (_, rest) = text.split_once(beginning).unwrap_or_else(|| panic!("the README has no recipe that begins with `{beginning}`"));
    let (_, rest) = rest.split_once("```yaml\n").unwrap();
    let (block, _) = rest.split_once("\n```").unwrap();
    serde_saphyr::from_str(block).unwrap_or_else(|e| panic!("the recipe is no YAML: {e}"))
}

/// A repository with the sample policy on `main` and one edit of a file on a branch.
struct Pull {
    folder: Folder,
    base: String,
}

impl Pull {
    fn new(file: &str, from: &str, to: &str) -> Self {
        let folder = Folder::new("bandpass_recipes");
        let repository = folder.path().join("repository");
        fs::create_dir(&repository).unwrap();
        let copied = Command::new("cp").args(["-R", concat!(env!("CARGO_MANIFEST_DIR"), "/policies")]).arg(&repository).status().unwrap();
        assert!(copied.success());
        let base = commit_all(&repository, "the base");
        git(&repository, &["switch", "--quiet", "--create", "change"]);
        let path = repository.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} holds {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        commit_all(&repository, "a change");
        fs::create_dir(folder.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bandpass"), folder.path().join("bin/bandpass")).unwrap();
        Self { folder, base }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a script as the forge does; answers its status and all it said.
    fn run(&self, options: &str, script: &str, variables: &BTreeMap<String, String>) -> (i32, String) {
        let path = self.at("script");
        fs::write(&path, script).unwrap();
        let programs = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash").args(["--noprofile", "--norc", options]).arg(&path).current_dir(self.at("repository")).env_clear().env("PATH", programs).env("HOME", self.folder.path()).envs(variables).output().unwrap();
        (output.status.code().unwrap(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }
}

const GROUP: &str = "policies/groups/data/warehouse-analysts.toml";
const WHO: &str = r#"who  = ["team:analytics", "team:forecasting"]"#;

/// Somebody gains and nothing else is wrong.
fn widened() -> Pull {
    Pull::new(GROUP, WHO, r#"who  = ["team:analytics", "team:forecasting", "team:it"]"#)
}

/// Somebody loses, and an example of the group says that they must not.
fn narrowed() -> Pull {
    Pull::new(GROUP, WHO, r#"who  = ["team:forecasting"]"#)
}

/// What guardrails read of a group has changed, which the recipes stop.
fn relabelled() -> Pull {
    Pull::new(GROUP, "sensitivity = \"", "sensitivity = \"public\" # \"")
}

/// What `${{ … }}` means in a run of the test.
fn github(text: &str, base: &str) -> String {
    let known = [("github.token", "ghs_token"), ("github.event.pull_request.base.sha", base), ("github.event.pull_request.number", "17")];
    let mut text = text.to_owned();
    while let Some((before, rest)) = text.clone().split_once("${{") {
        let (name, after) = rest.split_once("}}").unwrap();
        let (_, value) = known.iter().find(|(k, _)| *k == name.trim()).unwrap_or_else(|| panic!("the recipe uses `{}`, which the test does not know", name.trim()));
        text = format!("{before}{value}{after}");
    }
    text
}

/// Runs every `run:` of the job; answers the first status that is not 0, what was said, and what `gh` was called with.
fn on_github(pull: &Pull) -> (i32, String, Option<(Vec<String>, String)>) {
    let recipe = recipe("GitHub Actions, ");
    assert!(recipe["permissions"]["pull-requests"] == "write", "a comment needs the permission");
    let gh = "#!/bin/sh\n[ \"$GH_TOKEN\" = ghs_token ] || { echo 'gh: no token' >&2; exit 4; }\nprintf '%s\\n' \"$@\" > \"$HOME/arguments\"\nwhile [ $# -gt 0 ]; do [ \"$1\" = --body-file ] && cp \"$2\" \"$HOME/comment\"; shift; done\n";
    fs::write(pull.at("bin/gh"), gh).unwrap();
    fs::set_permissions(pull.at("bin/gh"), fs::Permissions::from_mode(0o755)).unwrap();
    let (mut status, mut said, mut steps) = (0, String::new(), 0);
    for step in recipe["jobs"]["policy"]["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str() else {
            assert_eq!((step["uses"].as_str(), step["with"]["fetch-depth"].as_u64()), (Some("actions/checkout@v4"), Some(0)), "a step that the test does not know");
            continue;
        };
        assert!(step["if"].is_null() || step["if"] == "${{ !cancelled() }}", "a condition that the test does not know: {}", step["if"]);
        if status != 0 && step["if"].is_null() {
            continue;
        }
        let variables = step["env"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), github(v.as_str().unwrap(), &pull.base))).collect();
        let (ended, text) = pull.run("-e", &github(script, &pull.base), &variables);
        said.push_str(&text);
        steps += 1;
        status = if status == 0 { ended } else { status };
    }
    assert!(steps > 0);
    let called = fs::read_to_string(pull.at("arguments")).ok().map(|a| (a.lines().map(str::to_owned).collect(), fs::read_to_string(pull.at("comment")).unwrap()));
    (status, said, called)
}

#[test]
fn the_recipe_for_github_checks_comments_and_tests() {
    let (status, said, called) = on_github(&widened());
    let (arguments, comment) = called.unwrap_or_else(|| panic!("no comment was made: {said}"));
    assert_eq!(arguments, ["pr", "comment", "17", "--body-file", "comment.md", "--edit-last", "--create-if-none"]);
    assert!(comment.contains("Warehouse analysts") && comment.contains("gain"), "{comment}");
    assert_eq!(status, 0, "{said}");
    // A failing test of policy fails the run, and the comment is made all the same.
    let (status, said, called) = on_github(&narrowed());
    assert!(status == 1 && called.is_some_and(|(_, comment)| comment.contains("lose")), "{said}");
    let (status, said, called) = on_github(&relabelled());
    assert!(status == 1 && called.is_some() && said.contains("stopped by --fail-on: relabelled"), "{said}");
    // What cannot be read has no diff: annotations, no comment.
    let (status, said, called) = on_github(&Pull::new(GROUP, "sensitivity", "sensitivty"));
    assert!(status == 1 && called.is_none() && said.contains("::error"), "{said}");
}

/// One request of a client, answered 201.
fn forge() -> (SocketAddr, mpsc::Receiver<(String, String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).unwrap() > 2 {
            head.push_str(&line);
            line.clear();
        }
        let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").and_then(|n| n.trim().parse().ok())).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").unwrap();
        let first = head.lines().next().unwrap_or_default().to_owned();
        tell.send((first, head, String::from_utf8(body).unwrap())).unwrap();
    });
    (address, told)
}

/// Runs the lines of the job as one script; answers its status, what it said, and the request that the forge got.
fn on_gitlab(pull: &Pull) -> (i32, String, Option<(String, String, String)>) {
    let job = recipe("GitLab, ")["policy"].clone();
    assert_eq!(job["variables"]["GIT_DEPTH"], "0", "the base is part of the clone");
    let lines: Vec<&str> = job["script"].as_array().unwrap().iter().map(|l| l.as_str().unwrap_or_else(|| panic!("a line of the script is no text: {l}"))).collect();
    let (address, told) = forge();
    let variables = [
        ("CI_API_V4_URL", format!("http://{address}/api/v4")),
        ("CI_PROJECT_ID", "7".to_owned()),
        ("CI_MERGE_REQUEST_IID", "17".to_owned()),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", pull.base.clone()),
        ("COMMENT_TOKEN", "glpat-token".to_owned()),
    ];
    let variables = variables.map(|(k, v)| (k.to_owned(), v)).into();
    let (status, said) = pull.run("-e", &format!("set -o pipefail\n{}\n", lines.join("\n")), &variables);
    (status, said, told.recv_timeout(std::time::Duration::from_millis(200)).ok())
}

#[test]
fn the_recipe_for_gitlab_checks_tests_and_comments() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl");
        return;
    }
    let (status, said, request) = on_gitlab(&widened());
    let (first, head, body) = request.unwrap_or_else(|| panic!("no comment was made: {said}"));
    assert_eq!(first.trim(), "POST /api/v4/projects/7/merge_requests/17/notes HTTP/1.1");
    assert!(head.to_lowercase().contains("private-token: glpat-token") && body.starts_with("body=") && body.contains("Warehouse"), "{head}{body}");
    assert!(status == 0 && !said.contains("glpat-token"), "{said}");
    let (status, said, request) = on_gitlab(&narrowed());
    assert!(status == 1 && request.is_some(), "{said}");
    let (status, said, request) = on_gitlab(&relabelled());
    assert!(status == 1 && request.is_some() && said.contains("stopped by --fail-on: relabelled"), "{said}");
    let (status, said, request) = on_gitlab(&Pull::new(GROUP, "sensitivity", "sensitivty"));
    assert!(status == 1 && request.is_none() && said.contains("sensitivity"), "{said}");
}
