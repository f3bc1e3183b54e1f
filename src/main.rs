//! The binary: arguments in, library called.

fn main() -> std::process::ExitCode {
    bandpass::cli::run()
}
