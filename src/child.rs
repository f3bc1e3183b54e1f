//! Running another program with a deadline and a bound on what it says. Whatever it does, the caller gets an answer in time.

use std::{
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// The most that is kept of what a program says on standard error.
const MOST_COMPLAINT: u64 = 64 * 1024;

/// Bounds on one run.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The program and all that it started are killed then.
    pub deadline: Duration,
    /// The most bytes that it may say on standard output.
    pub output: u64,
}

/// What a program that ended by itself left.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said.
    pub said: Vec<u8>,
    /// What it said on standard error, cut.
    pub complaint: String,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no such program.
    #[error("the program `{0}` is not installed, or not on the PATH")]
    Absent(String),
    /// The system did not let it run.
    #[error("`{0}` could not be run: {1}")]
    Io(String, io::Error),
    /// It was killed at its deadline.
    #[error("it took longer than {} s and was stopped", .0.as_secs_f32())]
    TooLate(Duration),
    /// It said more than was asked for.
    #[error("it said more than {0} bytes and was stopped")]
    TooMuch(u64),
}

/// Runs a program in a process group of its own, gives it `input`, and waits for its end within the bounds. Blocks.
///
/// # Errors
/// [`Failure`]; the whole group is gone by then.
pub fn run(mut command: Command, input: Vec<u8>, bounds: Bounds) -> Result<Output, Failure> {
    let until = Instant::now() + bounds.deadline;
    let program = command.get_program().to_string_lossy().into_owned();
    let broken = |error| Failure::Io(program.clone(), error);
    let mut child = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Failure::Absent(program)),
        Err(error) => return Err(broken(error)),
    };
    let outcome = converse(&mut child, input, bounds, until);
    if outcome.is_err() {
        end_group(&mut child);
    }
    outcome?.map_err(broken)
}

type Told = (bool, io::Result<Vec<u8>>);

fn converse(child: &mut Child, input: Vec<u8>, bounds: Bounds, until: Instant) -> Result<io::Result<Output>, Failure> {
    let (tell, told) = mpsc::channel::<Told>();
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early does not read everything; that shows in how it ended.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
    }
    if let Some(stdout) = child.stdout.take() {
        let tell = tell.clone();
        let most = bounds.output.saturating_add(1);
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let read = stdout.take(most).read_to_end(&mut said).map(|_| said);
            drop(tell.send((true, read)));
        });
    }
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let read = Read::by_ref(&mut stderr).take(MOST_COMPLAINT).read_to_end(&mut said).map(|_| said);
            drop(tell.send((false, read)));
            // It must not wait for a reader.
            drop(io::copy(&mut stderr, &mut io::sink()));
        });
    }
    let (mut said, mut complaint) = (Vec::new(), String::new());
    for _ in 0..2 {
        let left = until.saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok((true, Ok(bytes))) if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bounds.output => return Err(Failure::TooMuch(bounds.output)),
            Ok((true, Ok(bytes))) => said = bytes,
            Ok((false, Ok(bytes))) => complaint = String::from_utf8_lossy(&bytes).into_owned(),
            Ok((_, Err(error))) => return Ok(Err(error)),
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(Failure::TooLate(bounds.deadline)),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    // Both streams are closed, so it has ended or is about to.
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Ok(Output { status, said, complaint })),
            Ok(None) if Instant::now() >= until => return Err(Failure::TooLate(bounds.deadline)),
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Kills the program and everything in its group. The shell's own `kill` does it, since the standard library kills one
/// process only; the child is not waited for before, so its number still is its own.
fn end_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("/bin/sh").args(["-c", "kill -9 \"$1\"", "sh", &group]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::{Duration, Instant}};

    use super::{Bounds, Failure, run};

    fn shell(script: &str, milliseconds: u64, output: u64) -> Result<super::Output, Failure> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, b"given".to_vec(), Bounds { deadline: Duration::from_millis(milliseconds), output })
    }

    #[test]
    fn it_hands_over_what_was_given_and_said() {
        let output = shell("cat; echo oh >&2; exit 3", 10_000, 100).unwrap();
        assert_eq!((output.status.code(), output.said.as_slice(), output.complaint.as_str()), (Some(3), b"given".as_slice(), "oh\n"));
    }

    #[test]
    fn it_kills_what_hangs_with_all_it_started_and_what_never_stops_talking() {
        let began = Instant::now();
        assert!(matches!(shell("sleep 100 & sleep 100", 200, 100), Err(Failure::TooLate(_))));
        assert!(matches!(shell("while :; do echo more; done", 20_000, 100), Err(Failure::TooMuch(100))));
        assert!(began.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let outcome = run(Command::new("no-such-program-at-all"), Vec::new(), Bounds { deadline: Duration::from_secs(1), output: 1 });
        assert_eq!(outcome.unwrap_err().to_string(), "the program `no-such-program-at-all` is not installed, or not on the PATH");
    }
}
