//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{Error as IoError, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Writes `bytes` to `path`: to a temporary file in the same folder, synchronised to the disk,
/// then renamed. What stood there before stays until the new file is complete. A link is followed;
/// what is no regular file (a device, a pipe) is written to directly.
///
/// # Errors
/// [`Error::Io`] with the system's answer; nothing is left behind.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    try_write(path, bytes).map_err(|source| Error::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

fn try_write(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    let target = match fs::canonicalize(path) {
        Ok(existing) if !existing.is_file() => {
            let mut file = File::options().write(true).open(existing)?;
            file.write_all(bytes)?;
            return file.flush();
        }
        Ok(existing) => existing,
        Err(error) if error.kind() == ErrorKind::NotFound => link_target(path),
        Err(error) => return Err(error),
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = temporary_file(folder)?;
    file.write_all(bytes)?;
    // As public as the file that it replaces.
    if let Ok(replaced) = fs::metadata(&target) {
        file.as_file().set_permissions(replaced.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    // The rename itself is durable once the folder is; not every system can open one.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Where a link that leads to no file yet leads to; any other path itself.
fn link_target(path: &Path) -> PathBuf {
    let mut target = path.to_owned();
    // It ends: `canonicalize` has refused links that go round in a circle.
    while let Ok(next) = fs::read_link(&target) {
        target = target.parent().map_or(next.clone(), |folder| folder.join(&next));
    }
    target
}

/// A temporary file that, unlike others, is not for its owner alone: the umask decides, as for any
/// new file.
fn temporary_file(folder: &Path) -> Result<NamedTempFile, IoError> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".chainrule-").tempfile_in(folder)
}
