#!/usr/bin/env python3
"""Names the exported functions of an object file from which a panic can be reached.

usage: guilty.py OBJECT

Follows calls and references between the functions of the object, as objdump shows them. Prints a line
for each exported function that reaches the panic handler, with the way there.
"""

import re
import subprocess
import sys
from collections import defaultdict

HANDLER = "a_public_function_can_panic"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(path):
    symbols = output("nm", "--extern-only", "--defined-only", path)
    exported = {line.split()[-1] for line in symbols.splitlines()}
    calls = defaultdict(set)
    section = function = None
    for line in output("objdump", "-dr", "--no-show-raw-insn", path).splitlines():
        if start := re.match(r"Disassembly of section (.*):$", line):
            section = start[1]
        elif start := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            function = start[1]
            # Relocations name a function by its section where it is local.
            calls[section].add(function)
        elif target := re.search(r"\sR_X86_64_\w+\s+(\S+?)(?:[-+]0x[0-9a-f]+)?$", line):
            calls[function].add(target[1])
        elif target := re.search(r"\s(?:call|j\w+)\s+[0-9a-f]+ <(.+?)(?:\+0x[0-9a-f]+)?>$", line):
            calls[function].add(target[1])

    for start in sorted(exported):
        way = {start: None}
        queue = [start]
        for function in queue:
            for target in sorted(calls[function]):
                if target not in way:
                    way[target] = function
                    queue.append(target)
        # rustc's own symbol of the handler is exported too, and no wrapper.
        if HANDLER in way and "rust_begin_unwind" not in start:
            steps = [HANDLER]
            while steps[0] != start:
                steps.insert(0, way[steps[0]])
            print(" -> ".join(step for step in steps if not step.startswith(".text.")))


if __name__ == "__main__":
    main(sys.argv[1])
