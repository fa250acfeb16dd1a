"""names_check.py README COMPILER [OPTION…]: every name in the second column of core/README.md's table of names compiles.

Fails on a row whose Duel side is no code that a user could write, and on a table that is too short to be the one meant."""
import pathlib
import re
import subprocess
import sys
import tempfile

PROLOGUE = """#include <iostream>
#include "duel/core/engine/checkpoint.h"
#include "duel/core/engine/functional.h"
#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
using namespace duel;
void names(Tensor x, Tensor y, Tensor w, Tensor m, Tensor i) {
  const auto f = [](const Tensor& t) { return t; };
  const auto g = [](const std::vector<Tensor>& t) { return t[0]; };
"""


def names(readme):
    table = readme.split("## The names of PyTorch", 1)[1]
    # a cell ends at a bar that is not inside of code
    rows = [re.findall(r"((?:`[^`]*`|[^|`])*)\|", line[1:]) for line in table.split("\n") if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]*)`", row[1])]


def main():
    readme, compiler, *options = sys.argv[1:]
    found = names(pathlib.Path(readme).read_text())
    if len(found) < 150:
        sys.exit(f"expected the table of names in {readme} to have at least 150, got {len(found)}")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "names.cpp"
        body = "".join(f"  {{ {name}; }}\n" for name in found)
        source.write_text(PROLOGUE + "  (void)f, (void)g;\n" + body + "}\n")
        sys.exit(subprocess.run([compiler, "-std=c++20", "-fsyntax-only", *options, source]).returncode)


main()
