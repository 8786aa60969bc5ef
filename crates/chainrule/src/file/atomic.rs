//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{Error as IoError, Write};
use std::path::Path;

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
        Err(_) => path.to_owned(),
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new().prefix(".chainrule-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    set_usual_permissions(&target, file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    // The rename itself is durable once the folder is; not every system can open one.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// A temporary file is private to its owner; a model file is as public as the one it replaces, or
/// as the folder's files usually are.
#[cfg(unix)]
fn set_usual_permissions(target: &Path, file: &File) -> Result<(), IoError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(target).map_or(0o644, |metadata| metadata.permissions().mode());
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_usual_permissions(_: &Path, _: &File) -> Result<(), IoError> {
    Ok(())
}
