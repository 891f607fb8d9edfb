#!/usr/bin/env python3
"""The public functions of the crate, as rustdoc's JSON lists them.

usage: api.py wrappers RUSTDOC_JSON EXCEPTIONS           a line of Rust for each function, for src/lib.rs
       api.py compare RUSTDOC_JSON EXCEPTIONS LIBRARY    what is missing from the library, or too much in it

Public functions are free functions, inherent methods and the methods of trait impls that are written
out; what derives make is left out. A trait's method is called TYPE::METHOD, the trait's type arguments
behind it: `wire::Vni::try_from::u32`. What only one kind of a generic type has is marked with the kind,
as `tunnel::Endpoint::remote.Vxlan`. So are the instances of generic functions; those that cannot be made
up from the function's signature are written out in src/lib.rs.

Each function must be a symbol of the library or covered by an exception, which gives a reason; no symbol
and no exception may be left over.
"""

import itertools
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field


def wrappers(json_path, exceptions_path):
    exceptions = read_exceptions(exceptions_path)
    for function in read_crate(json_path):
        if covering(function.name, exceptions) is None:
            for symbol, call in function.instances:
                print(f'prove! {{ "{symbol}" = {call} }}')


def compare(json_path, exceptions_path, library):
    api = {function.name for function in read_crate(json_path)}
    nm = ["nm", "--dynamic", "--defined-only", library]
    symbols = subprocess.run(nm, check=True, capture_output=True, text=True).stdout
    proven = {line.split()[-1] for line in symbols.splitlines()}
    while instances := {name for name in proven - api if "." in name}:
        proven = proven - instances | {name.rpartition(".")[0] for name in instances}
    exceptions = read_exceptions(exceptions_path)

    used = {name: covering(name, exceptions) for name in api - proven}
    problems = [f"neither proven nor excepted: {name}" for name, by in used.items() if by is None]
    problems += [f"proven, but not public: {name}" for name in proven - api]
    problems += [f"excepted for nothing: {name}" for name in set(exceptions) - set(used.values())]
    for problem in sorted(problems):
        print(problem)
    excepted = sum(by is not None for by in used.values())
    print(f"{len(api)} public functions: {len(api & proven)} proven not to panic, {excepted} excepted")
    return len(problems) > 0


def read_crate(path):
    with open(path, encoding="utf-8") as file:
        return sorted(Crate(json.load(file)).functions(), key=lambda function: function.name)


def read_exceptions(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    for line in lines:
        if ": " not in line:
            sys.exit(f"{path}: no reason given: {line}")
    return [line.partition(": ")[0] for line in lines]


def covering(name, exceptions):
    """The exception for `name`: itself, or a pattern with * for one path segment, ** for several."""
    for exception in exceptions:
        pattern = re.escape(exception).replace(r"\*\*", r"[\w:]+").replace(r"\*", r"\w+")
        if re.fullmatch(pattern, name):
            return exception
    return None


# What converts to a type, and is one choice for a parameter of which no more is known.
CONVERSIONS = {"AsRef": "&'static ", "Into": ""}


@dataclass
class Function:
    name: str
    # A symbol and the call that it stands for.
    instances: list = field(default_factory=list)


class Crate:
    def __init__(self, doc):
        self.index = doc["index"]
        self.external = doc["paths"]
        self.paths = {}
        self.free = []
        self.walk(self.item(doc["root"]), [])
        self.impls = list(self.written_impls())

    def item(self, key):
        return self.index.get(str(key))

    # Every public item gets its shortest public path.

    def walk(self, item, path):
        kind, inner = next(iter(item["inner"].items()))
        if kind == "module":
            for child in inner["items"]:
                self.walk_child(self.item(child), path)
        elif kind == "function":
            self.free.append(item)

    def walk_child(self, item, path):
        kind, inner = next(iter(item["inner"].items()))
        if kind == "use":
            target = self.item(inner["id"]) if inner["id"] is not None else None
            if target is not None and inner["is_glob"]:
                self.walk(target, path)
            elif target is not None:
                self.enter(target, path + [inner["name"]])
        elif item["name"] and item["visibility"] == "public":
            self.enter(item, path + [item["name"]])

    def enter(self, item, path):
        known = self.paths.get(item["id"])
        if known is None or len(path) < known.count("::") + 1:
            self.paths[item["id"]] = "::".join(path)
            self.walk(item, path)

    # Functions, and how to call them.

    def written_impls(self):
        for item in self.index.values():
            block = item["inner"].get("impl")
            if block is None or block["is_synthetic"] or block["blanket_impl"]:
                continue
            if "automatically_derived" not in str(item["attrs"]) and self.name(block["for"]):
                yield block

    def functions(self):
        for item in {item["id"]: item for item in self.free}.values():
            name = self.paths[item["id"]]
            yield self.function(name, f"encap::{name}", item, [{}])
        for block in self.impls:
            trait = block["trait"]
            params = {param["name"]: "" for param in block["generics"]["params"]}
            args = type_arguments(block["for"].get("resolved_path"))
            kinds = [mark(self.rust(arg, params)) for arg in args if arg.get("generic") not in params]
            kind = "".join("." + kind for kind in kinds)
            suffix = "".join("::" + self.name(arg) for arg in type_arguments(trait)) if trait else ""
            choices = self.choices(block)
            for method in filter(None, map(self.item, block["items"])):
                if "function" in method["inner"] and (trait or method["visibility"] == "public"):
                    name = f"{self.name(block['for'])}::{method['name']}{suffix}{kind}"
                    path = lambda chosen: self.method_path(block, method, chosen)
                    yield self.function(name, path, method, choices)

    def method_path(self, block, method, chosen):
        of = self.rust(block["for"], chosen)
        if block["trait"]:
            args = ", ".join(self.rust(arg, chosen) for arg in type_arguments(block["trait"]))
            trait = block["trait"]["path"].rpartition("::")[2] + (f"<{args}>" if args else "")
            of = f"{of} as {trait}"
        return f"<{of}>::{method['name']}"

    def function(self, name, path, item, choices):
        function = Function(name)
        signature = item["inner"]["function"]["sig"]
        params = item["inner"]["function"]["generics"]["params"]
        params = [param["name"] for param in params if "lifetime" not in param["kind"]]
        if any(not name.startswith(("impl Into", "impl FnMut")) for name in params):
            return function
        args = [self.argument(of) for _, of in signature["inputs"]]
        call = f"call{len(args)}"
        end = ".for_each(drop)" if "'impl_trait'" in str(signature["output"]) else ""
        for chosen in choices:
            callee = path if isinstance(path, str) else path(chosen)
            symbol = ".".join([name, *map(mark, chosen.values())])
            function.instances.append((symbol, f"{call}({', '.join([callee, *args])}){end}"))
        return function

    def argument(self, of):
        if "impl_trait" not in of:
            return "any()"
        bound = of["impl_trait"][0]["trait_bound"]["trait"]
        if bound["path"] == "FnMut":
            output = bound["args"]["parenthesized"]["output"]
            return "|told| { black_box(told); " + ("any() }" if output else "}")
        # impl Into<T> is called with a T.
        return f"any::<{self.rust(type_arguments(bound)[0], {})}>()"

    def choices(self, block):
        """What the generic parameters of an impl may be."""
        options = []
        for param in block["generics"]["params"]:
            if "const" in param["kind"]:
                options.append([(param["name"], value) for value in ("false", "true")])
            elif "type" in param["kind"]:
                bounds = param["kind"]["type"]["bounds"]
                bound = bounds[0]["trait_bound"]["trait"] if bounds else {"path": None}
                if bound["path"] in CONVERSIONS:
                    [to] = type_arguments(bound)
                    options.append([(param["name"], CONVERSIONS[bound["path"]] + self.rust(to, {}))])
                    continue
                traits = {bound["trait_bound"]["trait"]["id"] for bound in bounds}
                options.append([(param["name"], kind) for kind in self.implementers(traits)])
        return [dict(chosen) for chosen in itertools.product(*options)]

    def implementers(self, traits):
        """The types with an impl of one of the traits; where there is none, a blanket impl is the reason:
        then those for which something generic has methods of its own."""
        found = [(block["for"], block) for block in self.impls if (block["trait"] or {}).get("id") in traits]
        if not found:
            for block in self.impls:
                args = [] if block["trait"] else type_arguments(block["for"].get("resolved_path"))
                found += [(arg, block) for arg in args if "generic" not in arg]
        return sorted({self.rust(of, chosen) for of, block in found for chosen in self.choices(block)})

    # Types.

    def name(self, of):
        """A name for a type that a symbol may have; None for types that nobody outside can name."""
        kind, inner = next(iter(of.items()))
        if kind == "resolved_path":
            if inner["id"] in self.paths:
                return self.paths[inner["id"]]
            if self.item(inner["id"]) is not None:
                return None
            return self.external[str(inner["id"])]["path"][-1]
        if kind == "borrowed_ref":
            return self.name(inner["type"])
        if kind == "array":
            return f"{self.name(inner['type'])}_{re.sub(r'[^0-9A-Za-z]+', '_', inner['len'])}"
        if kind == "tuple":
            return "_".join(str(self.name(part)) for part in inner)
        return inner if kind in ("primitive", "generic") else kind

    def rust(self, of, chosen):
        """The type in Rust, generic parameters replaced by what was chosen for them."""
        kind, inner = next(iter(of.items()))
        if kind == "resolved_path":
            args = [self.rust(arg, chosen) for arg in type_arguments(inner)]
            args += [chosen.get(value, value) for value in const_arguments(inner)]
            return self.rust_path(inner) + (f"<{', '.join(args)}>" if args else "")
        if kind == "borrowed_ref":
            return f"&{'mut ' if inner['is_mutable'] else ''}{self.rust(inner['type'], chosen)}"
        if kind == "array":
            return f"[{self.rust(inner['type'], chosen)}; {inner['len']}]"
        if kind == "slice":
            return f"[{self.rust(inner, chosen)}]"
        if kind == "tuple":
            return f"({', '.join(self.rust(part, chosen) for part in inner)})"
        if kind == "generic":
            return chosen.get(inner, inner)
        assert kind == "primitive", of
        return inner

    def rust_path(self, path):
        if path["id"] in self.paths:
            return "encap::" + self.paths[path["id"]]
        full = self.external[str(path["id"])]["path"]
        # What is needed of core is in scope, and other crates have their types at the root, or in a public module.
        if full[0] in ("alloc", "core", "std"):
            return full[-1]
        return "::".join([full[0], *(part for part in full[1:-1] if part in PUBLIC), full[-1]])


# Modules of other crates in which their types are to be named.
PUBLIC = {"icmpv6"}


def mark(of):
    """What a symbol may hold of a type."""
    return re.sub(r"\W+", "_", of.rpartition("::")[2]).strip("_")


def arguments(path):
    return ((path or {}).get("args") or {}).get("angle_bracketed", {}).get("args", [])


def type_arguments(path):
    return [arg["type"] for arg in arguments(path) if isinstance(arg, dict) and "type" in arg]


def const_arguments(path):
    return [arg["const"]["expr"] for arg in arguments(path) if isinstance(arg, dict) and "const" in arg]


if __name__ == "__main__":
    commands = {"wrappers": wrappers, "compare": compare}
    sys.exit(commands[sys.argv[1]](*sys.argv[2:]))
