//! The workspace's invariants, checked on its metadata: which crate may know which, who names faer,
//! where `unsafe` is forbidden, that every crate has a README.

use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// A crate of the workspace and the packages it names.
struct Crate {
    name: String,
    /// Normal and build dependencies.
    uses: Vec<String>,
    tests_with: Vec<String>,
}

/// The storey a crate lives on; it may use those below.
fn rank(name: &str) -> Option<u32> {
    Some(match name {
        "chainrule-tensor" | "chainrule-gradcheck" => 0,
        "chainrule-layers" | "chainrule-loss" | "chainrule-optim" | "chainrule-data" => 1,
        "chainrule-autograd-manual" => 2,
        "chainrule-explain" => 3,
        "chainrule" => 4,
        "chainrule-cli" | "chainrule-examples" | "chainrule-benches" => 5,
        _ => return None,
    })
}

/// Everything that breaks the order of the house.
fn violations(crates: &[Crate]) -> Vec<String> {
    let mut found = Vec::new();
    for Crate { name, uses, tests_with } in crates {
        let Some(own) = rank(name) else {
            found.push(format!("{name} has no rank; give it one in this test"));
            continue;
        };
        for used in uses.iter().filter(|used| rank(used).is_some_and(|rank| rank >= own)) {
            found.push(format!("{name} (rank {own}) uses {used}, which is not below it"));
        }
        let above = |used: &&String| {
            rank(used).is_some_and(|rank| rank >= own) && *used != "chainrule-gradcheck"
        };
        for used in tests_with.iter().filter(above) {
            // Examples and benches have nothing but dev-dependencies on what is below.
            found.push(format!("{name} (rank {own}) tests with {used}, which is not below it"));
        }
        let names_faer = uses.iter().chain(tests_with).any(|used| used.starts_with("faer"));
        if names_faer && name != "chainrule-tensor" {
            found.push(format!("{name} names faer; only chainrule-tensor may"));
        }
    }
    found
}

fn workspace() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).no_deps().other_options(["--offline".to_owned()]);
    command.exec().expect("cargo metadata")
}

fn crates(metadata: &Metadata) -> Vec<Crate> {
    let of = |package: &cargo_metadata::Package| {
        let names = |wanted: fn(DependencyKind) -> bool| {
            let kinds = package.dependencies.iter().filter(|d| wanted(d.kind));
            kinds.map(|d| d.name.clone()).collect()
        };
        Crate {
            name: package.name.to_string(),
            uses: names(|kind| kind != DependencyKind::Development),
            tests_with: names(|kind| kind == DependencyKind::Development),
        }
    };
    metadata.workspace_packages().into_iter().map(of).collect()
}

/// Whether the crate's root file forbids `unsafe`, in code.
fn forbids_unsafe(source: &str) -> bool {
    source.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]")
}

#[test]
fn every_crate_uses_lower_ranks_only_and_faer_stays_in_tensor() {
    let crates = crates(&workspace());
    for name in ["chainrule-tensor", "chainrule", "chainrule-cli"] {
        assert!(crates.iter().any(|c| c.name == name), "{name} is not in the workspace");
    }
    let tensor = crates.iter().find(|c| c.name == "chainrule-tensor").unwrap();
    assert!(tensor.uses.iter().any(|used| used == "faer"), "the check looks for faer");
    let found = violations(&crates);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_bad_graph_is_seen() {
    let make = |name: &str, uses: &[&str], tests_with: &[&str]| Crate {
        name: name.to_owned(),
        uses: uses.iter().map(|&used| used.to_owned()).collect(),
        tests_with: tests_with.iter().map(|&used| used.to_owned()).collect(),
    };
    let good = [
        make("chainrule-tensor", &["faer", "rand"], &["chainrule-gradcheck"]),
        make("chainrule-loss", &["chainrule-tensor"], &["chainrule-gradcheck"]),
        make("chainrule-benches", &["chainrule"], &["chainrule"]),
    ];
    assert_eq!(violations(&good), Vec::<String>::new());
    for (bad, what) in [
        (make("chainrule-layers", &["chainrule-loss"], &[]), "uses chainrule-loss"),
        (make("chainrule-explain", &["chainrule"], &[]), "uses chainrule"),
        (make("chainrule-tensor", &["chainrule-gradcheck"], &[]), "uses chainrule-gradcheck"),
        (make("chainrule-loss", &[], &["chainrule-layers"]), "tests with chainrule-layers"),
        (make("chainrule-autograd-manual", &["faer"], &[]), "names faer"),
        (make("chainrule-data", &[], &["faer-ext"]), "names faer"),
        (make("chainrule-onnx", &[], &[]), "has no rank"),
    ] {
        let found = violations(&[bad]);
        assert!(found.len() == 1 && found[0].contains(what), "{found:?} for {what}");
    }
}

#[test]
fn unsafe_code_is_forbidden_but_in_tensor() {
    let metadata = workspace();
    for package in published(&metadata).filter(|p| p.name.as_str() != "chainrule-tensor") {
        for target in package.targets.iter().filter(|t| t.is_lib() || t.is_bin()) {
            let source = fs::read_to_string(&target.src_path)
                .unwrap_or_else(|error| panic!("{}: {error}", target.src_path));
            assert!(forbids_unsafe(&source), "{} does not forbid unsafe code", target.src_path);
        }
    }
    assert!(forbids_unsafe("//! Words.\n#![forbid(unsafe_code)]\n"));
    assert!(!forbids_unsafe("//! `#![forbid(unsafe_code)]`\n// #![forbid(unsafe_code)]\n"));
}

#[test]
fn every_crate_has_a_readme() {
    let metadata = workspace();
    let mut checked = 0;
    for package in published(&metadata) {
        let folder = package.manifest_path.parent().expect("a folder");
        assert!(has_readme(folder.as_std_path()), "{folder} has no README.md to speak of");
        checked += 1;
    }
    assert!(checked >= 10, "{checked} crates");
    assert!(!has_readme(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))));
}

/// The crates, without examples and benches.
fn published(metadata: &Metadata) -> impl Iterator<Item = &cargo_metadata::Package> {
    metadata.workspace_packages().into_iter().filter(|package| {
        // `publish = false` reads as an empty list of registries.
        package.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    })
}

fn has_readme(folder: &Path) -> bool {
    fs::read_to_string(folder.join("README.md")).is_ok_and(|text| text.len() > 100)
}
