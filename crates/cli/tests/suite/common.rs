//! Running the program, and data to run it on.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// The program, in a folder of its own.
pub(crate) struct Lab {
    pub(crate) folder: TempDir,
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("chainrule");
        command.current_dir(self.folder.path());
        command
    }

    /// Runs `chainrule` with these words.
    pub(crate) fn run(&self, words: &str) -> Run {
        let output = self.command().args(words.split_whitespace()).output().unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs what must succeed; its standard output.
    pub(crate) fn ok(&self, words: &str) -> String {
        let run = self.run(words);
        assert_eq!(run.code, Some(0), "{words}: {}{}", run.stdout, run.stderr);
        assert_eq!(run.stderr, "", "{words}");
        run.stdout
    }

    /// Runs what must fail with this code and one line on standard error; the line.
    pub(crate) fn fails(&self, words: &str, code: i32) -> String {
        let run = self.run(words);
        assert_eq!(run.code, Some(code), "{words}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.starts_with("error: "), "{words}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{words}: {}", run.stderr);
        run.stderr
    }

    /// Names of the files in the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The JSON objects of the lines.
pub(crate) fn json(lines: &str) -> Vec<serde_json::Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `y = 2 u − v + 3`, with a header.
pub(crate) fn line_csv(rows: usize) -> String {
    let mut text = "u,v,y\n".to_owned();
    for i in 0..rows {
        let (u, v) = ((i * 7 % 23) as f64 / 4.0, (i * 5 % 19) as f64 / 8.0);
        text += &format!("{u},{v},{}\n", 2.0 * u - v + 3.0);
    }
    text
}

/// Two classes by the sign of `u − v`, with text labels and the target first.
pub(crate) fn classes_csv(rows: usize) -> String {
    let mut text = "kind,u,v\n".to_owned();
    for i in 0..rows {
        let (u, v) = ((i * 7 % 23) as f64 + 0.25, (i * 5 % 19) as f64);
        let kind = if u > v { "over, all" } else { "under" };
        text += &format!("\"{kind}\",{u},{v}\n");
    }
    text
}

/// A folder of four IDX files: 2×2 images of two classes, bright left or bright right.
pub(crate) fn idx_folder(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for (part, count) in [("train", 40_u8), ("t10k", 10)] {
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2];
        let mut labels = vec![0, 0, 8, 1, 0, 0, 0, count];
        for i in 0..count {
            let (left, right) = if i % 2 == 0 { (200 + i, i) } else { (i, 200 + i) };
            images.extend([left, right, left, right]);
            labels.push(i % 2);
        }
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}
