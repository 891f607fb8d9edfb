//! Imports go one way: `wire`, then `packet`, `table` and `tunnel`, then `vtep`. And what is public can grow.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a layer may import, besides itself. The crate's root, which only declares them, may import all.
const LAYERS: [(&str, &[&str]); 7] = [
    ("wire", &[]),
    ("time", &[]),
    ("mix", &[]),
    ("packet", &["wire"]),
    ("table", &["wire", "time", "mix"]),
    ("tunnel", &["wire", "time", "mix", "packet"]),
    ("vtep", &["wire", "time", "packet", "table", "tunnel"]),
];

#[test]
fn imports_go_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&src);
    assert!(files.len() > 15, "the crate has more files than {files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let module = module(file.strip_prefix(&src).unwrap());
        let Some(layer) = module.first() else { continue };
        for import in imports(&module, &fs::read_to_string(&file).unwrap()) {
            if !may_import(layer, &import) {
                wrong.push(format!("{}: `{layer}` may not import `{import}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What comes later does not break who matches on what is there.
#[test]
fn public_enums_can_grow_or_say_that_they_do_not() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("pub enum ")) {
            let about =
                lines[..at].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
            let says = |line: &&str| line.contains("enum is complete") || *line == "#[non_exhaustive]";
            seen += 1;
            if !about.clone().any(says) {
                wrong.push(format!("{}: {line}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty() && seen > 40, "{seen}: {wrong:#?}");
}

#[track_caller]
fn may_import(layer: &str, import: &str) -> bool {
    let (_, below) = LAYERS.iter().find(|(name, _)| *name == layer).unwrap_or_else(|| {
        panic!("`{layer}` is a new layer: say in this test what it may import");
    });
    layer == import || below.contains(&import)
}

/// All source files below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => rust_files(&path),
            Some(extension) if extension == "rs" => vec![path],
            _ => vec![],
        })
        .collect()
}

/// The path of the module in this file of the source folder; empty for the crate's root.
fn module(file: &Path) -> Vec<String> {
    let mut path: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|name| ["mod", "lib"].contains(&name.as_str())) {
        path.pop();
    }
    path
}

/// The first parts of all paths in `text`, the source of `module`, that start at the crate's root: with
/// `crate`, or with as many `super` as there are modules around. The text is formatted as rustfmt does.
fn imports(module: &[String], text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        // Not the end of a longer word, nor a `super` after the first.
        if before.is_alphanumeric() || "_:".contains(before) {
            continue;
        }
        let path = &code[at..];
        let rest = match path.strip_prefix("crate::") {
            Some(rest) => rest,
            None => {
                let supers = path.len() - path.trim_start_matches("super::").len();
                let up = supers / "super::".len();
                if up < module.len() + inline_modules(&code[..at]) {
                    continue;
                }
                &path[supers..]
            }
        };
        found.extend(heads(rest).into_iter().filter(|head| *head != "self").map(str::to_owned));
    }
    found
}

/// How many inline modules are open at the end of `before`.
fn inline_modules(before: &str) -> usize {
    let mut open: Vec<usize> = Vec::new();
    for line in before.lines() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["}"] => open.retain(|&outer| outer != indent),
            ["mod", _, "{"] | [_, "mod", _, "{"] => open.push(indent),
            _ => {}
        }
    }
    open.len()
}

/// The first names of a path or of every path in `{…}`.
fn heads(path: &str) -> Vec<&str> {
    let name = |path| {
        let path: &str = path;
        let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
        &path[..end]
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut heads, mut start) = (0, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                heads.push(name(group[start..at].trim()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// The reader of imports sees what it has to.
#[test]
fn imports_are_found() {
    let text = "
//! use crate::vtep;
use core::fmt;
use crate::wire::{MacAddr, Vni};
use crate::{
    time::Instant,
    tunnel::{self, Packet},
};
use super::super::table::Fdb;
use super::sibling;

fn f() -> crate::packet::Packet {
    $crate::wire::f();
    my_crate::vtep::f()
}

mod tests {
    use super::super::nothing_of_the_root;
    use super::super::super::{self, vtep};
}
";
    let module = ["table".to_owned(), "fdb".to_owned()];
    let expected = ["wire", "time", "tunnel", "packet", "wire", "table", "vtep"];
    assert_eq!(imports(&module, text), expected);
    assert!(may_import("vtep", "tunnel") && !may_import("tunnel", "vtep"));
    assert!(!may_import("tunnel", "table") && !may_import("table", "tunnel"));
    assert!(may_import("wire", "wire") && !may_import("wire", "packet") && !may_import("packet", "time"));
}

#[test]
fn modules_are_named_by_their_files() {
    let name = |file| module(Path::new(file)).join("::");
    assert_eq!(name("lib.rs"), "");
    assert_eq!(name("time.rs"), "time");
    assert_eq!(name("wire/mod.rs"), "wire");
    assert_eq!(name("wire/gre.rs"), "wire::gre");
}
