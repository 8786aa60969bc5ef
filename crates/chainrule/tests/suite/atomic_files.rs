//! Files appear whole or not at all.

use std::fs;
use std::path::Path;

use chainrule::Error;
use chainrule::file::write_atomically;

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn refused(path: &Path) -> String {
    let error = write_atomically(path, b"new").unwrap_err();
    assert!(matches!(error, Error::Io { action: "write", .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && !text.contains('\n'), "{text}");
    text
}

#[test]
fn a_file_is_written_and_replaced_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_atomically(&path, b"first").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"first");
    write_atomically(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(entries(folder.path()), ["file"]);
}

#[test]
fn a_missing_folder_and_a_folder_in_the_place_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    refused(&folder.path().join("none").join("file"));
    fs::create_dir(folder.path().join("taken")).unwrap();
    fs::write(folder.path().join("taken").join("inside"), b"old").unwrap();
    refused(&folder.path().join("taken"));
    refused(Path::new(""));
    assert_eq!(entries(folder.path()), ["taken"]);
    assert_eq!(entries(&folder.path().join("taken")), ["inside"]);
}

#[test]
fn a_path_without_a_folder_is_in_the_current_one() {
    // The test's current folder is the crate's.
    let name = format!("written-by-a-test-{}", std::process::id());
    let written = write_atomically(Path::new(&name), b"here");
    let read = fs::read(&name);
    let _ = fs::remove_file(&name);
    written.unwrap();
    assert_eq!(read.unwrap(), b"here");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn links_are_followed_also_where_they_lead_to_nothing_yet() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        symlink("target", &link).unwrap();
        for content in ["first", "second"] {
            write_atomically(&link, content.as_bytes()).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(&target).unwrap(), content);
        }
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        refused(&folder.path().join("a"));
        assert_eq!(entries(folder.path()), ["a", "b", "link", "target"]);
    }

    #[test]
    fn the_permissions_of_a_replaced_file_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::write(folder.path().join("usual"), b"").unwrap();
        write_atomically(&path, b"first").unwrap();
        assert_eq!(mode(&path), mode(&folder.path().join("usual")));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error_and_the_device_stays() {
        let text = refused(Path::new("/dev/full"));
        assert!(text.contains("No space left"), "{text}");
        assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
        write_atomically(Path::new("/dev/null"), b"gone").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }
}
