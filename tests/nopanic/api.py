#!/usr/bin/env python3
"""Compares the exported functions of the proof with the public functions of the crate.

usage: api.py RUSTDOC_JSON LIBRARY EXCEPTIONS

Public functions are free functions, inherent methods and the methods of trait impls that are written
out; what derives make is left out. A trait's method is called TYPE::METHOD, the trait's type arguments
behind it: `wire::Vni::try_from::u32`. What only one kind of a generic type has is marked with the kind:
`tunnel::Endpoint::remote.Gre`; and so may instances of generic functions be among the symbols.

Each public function must be a symbol of the library or a line of the exceptions, which give a reason; no
symbol and no exception may be left over.
"""

import json
import re
import subprocess
import sys


def main(json_path, library, exceptions_path):
    with open(json_path, encoding="utf-8") as file:
        api = set(Crate(json.load(file)).functions())
    symbols = subprocess.run(
        ["nm", "--dynamic", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout
    proven = {line.split()[-1] for line in symbols.splitlines()}
    with open(exceptions_path, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    excepted = {}
    for line in lines:
        name, _, reason = line.partition(": ")
        if not reason:
            sys.exit(f"{exceptions_path}: no reason given: {line}")
        excepted[name] = reason

    instances = {name if name in api else name.partition(".")[0] for name in proven}
    used = {name: covering(name, excepted) for name in api - instances}
    problems = [f"neither proven nor excepted: {name}" for name, by in used.items() if by is None]
    problems += [f"proven, but not public: {name}" for name in instances - api]
    problems += [f"excepted for nothing: {name}" for name in set(excepted) - set(used.values())]
    for problem in sorted(problems):
        print(problem)
    print(f"{len(api)} public functions: {len(api & instances)} proven not to panic, {len(used)} excepted")
    return len(problems) > 0


def covering(name, exceptions):
    """The exception for `name`: itself, or a pattern with * for one path segment, ** for several."""
    for exception in exceptions:
        pattern = re.escape(exception).replace(r"\*\*", r"[\w:]+").replace(r"\*", r"\w+")
        if re.fullmatch(pattern, name):
            return exception
    return None


class Crate:
    def __init__(self, doc):
        self.index = doc["index"]
        self.external = doc["paths"]
        self.paths = {}
        self.free = []
        self.walk(self.item(doc["root"]), [])

    def item(self, key):
        return self.index.get(str(key))

    def walk(self, item, path):
        """Gives every public item its shortest public path."""
        kind, inner = next(iter(item["inner"].items()))
        if kind == "module":
            for child in inner["items"]:
                self.walk_child(self.item(child), path)
        elif kind == "function":
            self.free.append(item["id"])

    def walk_child(self, item, path):
        kind, inner = next(iter(item["inner"].items()))
        if kind == "use":
            target = self.item(inner["id"]) if inner["id"] is not None else None
            if target is None:
                return
            if inner["is_glob"]:
                self.walk(target, path)
            else:
                self.enter(target, path + [inner["name"]])
        elif item["name"] and item["visibility"] == "public":
            self.enter(item, path + [item["name"]])

    def enter(self, item, path):
        known = self.paths.get(item["id"])
        if known is None or len(path) < known.count("::") + 1:
            self.paths[item["id"]] = "::".join(path)
            self.walk(item, path)

    def functions(self):
        yield from (self.paths[key] for key in self.free)
        for item in self.index.values():
            if "impl" not in item["inner"]:
                continue
            block = item["inner"]["impl"]
            derived = "automatically_derived" in str(item["attrs"])
            owner = self.type(block["for"])
            if derived or block["is_synthetic"] or block["blanket_impl"] or owner is None:
                continue
            trait = block["trait"]
            generics = {param["name"] for param in block["generics"]["params"]}
            path = block["for"].get("resolved_path", {})
            kinds = [name for name in self.arguments(path) if name not in generics]
            kind = "." + "_".join(kinds).rpartition("::")[2] if kinds else ""
            suffix = "".join("::" + name for name in self.arguments(trait)) if trait else ""
            for key in block["items"]:
                method = self.item(key)
                if method is None or "function" not in method["inner"]:
                    continue
                if trait or method["visibility"] == "public":
                    yield f"{owner}::{method['name']}{suffix}{kind}"

    def arguments(self, path):
        args = path.get("args") or {}
        for arg in args.get("angle_bracketed", {}).get("args", []):
            if isinstance(arg, dict) and "type" in arg:
                yield self.type(arg["type"]) or "private"

    def type(self, of):
        """A name for a type that a symbol may have; None for types that nobody outside can name."""
        kind, inner = next(iter(of.items()))
        if kind == "resolved_path":
            if inner["id"] in self.paths:
                return self.paths[inner["id"]]
            if self.item(inner["id"]) is not None:
                return None
            external = self.external.get(str(inner["id"]))
            return (external["path"][-1] if external else inner["path"]).split("::")[-1]
        if kind in ("primitive", "generic"):
            return inner
        if kind == "borrowed_ref":
            return self.type(inner["type"])
        if kind == "array":
            return f"{self.type(inner['type'])}_{re.sub(r'[^0-9A-Za-z]+', '_', inner['len'])}"
        return kind


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
