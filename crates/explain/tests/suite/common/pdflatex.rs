//! Compiling LaTeX.

use std::path::Path;
use std::process::{Command, Stdio};

/// Whether pdfLaTeX is installed; says so where it is not.
pub(crate) fn installed() -> bool {
    let version = Command::new("pdflatex").arg("--version").stdout(Stdio::null()).status();
    let installed = version.is_ok_and(|status| status.success());
    if !installed {
        println!("skipped: pdflatex is not installed");
    }
    installed
}

/// Compiles a document in a folder; the log where that fails or a line is too long.
pub(crate) fn compile(folder: &Path, name: &str, document: &str) -> Result<(), String> {
    std::fs::write(folder.join(name).with_extension("tex"), document).unwrap();
    let mut command = Command::new("pdflatex");
    command.args(["-interaction=nonstopmode", "-halt-on-error", name]).current_dir(folder);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    let pdf = folder.join(name).with_extension("pdf").is_file();
    if output.status.success() && pdf && !log.contains("Overfull") { Ok(()) } else { Err(log) }
}
