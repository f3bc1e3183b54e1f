//! Child processes that cannot outlive the process which started them, however that ends.
//!
//! The child runs below a small shell that waits on a pipe. A word on the pipe ends the shell in order; a pipe that just
//! closes means that the test is gone, and the child with its children is killed, halted ones too.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

/// `$0` is a folder that goes with the child when nobody is left to want it; the rest is the child's command line. The
/// kernel hangs up on a halted group that loses its parent; the shell must outlive that.
const LEASH: &str = r#"trap '' HUP; "$@" </dev/null & pid=$!; echo $pid; read -r word
    kill -KILL $pid $(cat /proc/$pid/task/$pid/children 2>/dev/null) 2>/dev/null
    wait $pid; [ "$word" = keep ] || rm -rf "$0""#;

/// A child on its leash.
pub struct Leashed {
    shell: Child,
    pipe: ChildStdin,
    pid: u32,
}

impl Leashed {
    /// Starts `program`. `folder` is removed if this process goes without ending the child. `set_up` sets environment,
    /// user and working folder; both outputs of the child go to `log`.
    pub fn spawn(program: &Path, arguments: &[impl AsRef<OsStr>], folder: &Path, log: &Path, set_up: impl FnOnce(&mut Command)) -> Self {
        let log = fs::OpenOptions::new().create(true).append(true).open(log).expect("the log file");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", LEASH]).arg(folder).arg(program).args(arguments);
        let mut printed = log.try_clone().expect("the log file");
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        set_up(&mut command);
        let mut shell = command.spawn().expect("the child starts");
        let pipe = shell.stdin.take().expect("a pipe");
        let mut first = String::new();
        let mut said = BufReader::new(shell.stdout.take().expect("a pipe"));
        said.read_line(&mut first).expect("the child's number");
        let pid = first.trim().parse().expect("a process number");
        std::thread::spawn(move || std::io::copy(&mut said, &mut printed));
        Self { shell, pipe, pid }
    }

    /// The child's process number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the child runs, halted or not.
    pub fn is_alive(&self) -> bool {
        is_alive(self.pid)
    }

    /// Sends a signal to the child and its children.
    pub fn signal(&self, name: &str) {
        signal(name, &self.family());
    }

    /// Asks the child alone to end, and waits; answers whether it did so in time.
    pub fn end(self, name: &str, limit: Duration) -> bool {
        signal(name, &[self.pid]);
        let ended = wait_for_end(&[self.pid], limit);
        self.release();
        ended
    }

    /// Kills the child and its children at one moment, as a power cut would.
    pub fn kill(self) {
        // Halted first, so that no process starts another between the look and the kill.
        signal("STOP", &[self.pid]);
        let family = self.family();
        signal("KILL", &family);
        wait_for_end(&family, Duration::from_secs(10));
        self.release();
    }

    fn family(&self) -> Vec<u32> {
        let mut family = children_of(self.pid);
        family.push(self.pid);
        family
    }

    fn release(mut self) {
        let _ = self.pipe.write_all(b"keep\n");
        drop(self.pipe);
        let _ = self.shell.wait();
    }
}

/// Sends a signal to processes that this file started, by number.
fn signal(name: &str, pids: &[u32]) {
    let _ = Command::new("/bin/kill").arg(format!("-{name}")).args(pids.iter().map(u32::to_string)).stderr(Stdio::null()).status();
}

fn wait_for_end(pids: &[u32], limit: Duration) -> bool {
    let limit = Instant::now() + limit;
    while pids.iter().any(|pid| is_alive(*pid)) {
        if Instant::now() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn stat(pid: &Path) -> Option<(String, u32)> {
    let text = fs::read_to_string(pid.join("stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc is readable").flatten();
    processes
        .filter_map(|e| {
            let pid = e.file_name().to_str()?.parse().ok()?;
            (stat(&e.path())?.1 == parent).then_some(pid)
        })
        .collect()
}

fn is_alive(pid: u32) -> bool {
    stat(Path::new(&format!("/proc/{pid}"))).is_some_and(|(state, _)| state != "Z" && state != "X")
}
