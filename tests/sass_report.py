#!/usr/bin/env python3
"""sass_report.py [BUILD_DIR [--write]]: what nvcc made of every kernel for sm_90, and that none of it is bad.

Disassembles the objects of a CUDA build. A kernel that spills fails, and so does a loop that calls a division (or root, or
remainder) which the list ALLOWED below does not excuse. The rest is a table, one line a kernel: registers and shared memory
as ptxas reported them, instructions, fused multiply-adds, tensor core instructions, barriers, accesses to global memory by
their width in bits and how many of a hundred have 128, calls in loops. What the build gives must be what
tests/golden/kernels_sm90.json says, if this is the toolkit that it was made with; --write writes it. `duel-graph bench graph`
takes registers and shared memory from there.

A call is in a loop if the kernel can come back to it: by its blocks and branches, not by where the code lies.

Needs cuobjdump and nvdisasm, on PATH or in BUILD_DIR/tools, where pip puts them if it can. Where it cannot, that is said and
the exit status is 0. First it checks itself on planted text; without BUILD_DIR that is all.
"""
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import ptxas_report

ARCHITECTURE = "sm_90"
TABLE = Path(__file__).resolve().parent / "golden" / "kernels_sm90.json"
PACKAGES = ["nvidia-cuda-cuobjdump==13.5.37", "nvidia-cuda-nvdisasm==13.5.37"]

# Divisions that a loop may call: subroutine, kernel by its short name, and why. Both are regular expressions.
ALLOWED = [
    (r"div_rn_noftz_f32_slowpath|rcp_rn_f32_slowpath|sqrt_rn_f32_slowpath|div_rn_f64_full|dblrcp_rn_slowpath_v3|dsqrt_rn_f64_mediumpath_v1", ".*",
     "quotients and roots of floating point round once (kernels/README.md): they are made in place, and called for operands of extreme size alone"),
    (r"(div|rem)_s64", r"(map|binary)_kernel<(\d, )?(FloorDivide|Remainder), long, .*>", "the op is the division of i64 tensors"),
    (r"rem_s64", r"conv_input_grad_kernel<.*>", "once a block: the first of a filter's taps that the block's phase meets"),
    (r"div_u64", r"shuffled_items_kernel", "once for an item of the batch: its place is a counter of 64 bits"),
]

SECTION = re.compile(r'\s*\.section\s+\.text\.(\S+?),"ax"')
LABEL = re.compile(r"([.$\w]+):$")
INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]+\*/\s+\{?\s*(@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)\s*(.*?)\s*;")
TARGET = re.compile(r"`\((.+?)\)")
DIVISION = re.compile(r"div|rem|rcp|sqrt")
ACCESS = {"LDG": "loads", "LD": "loads", "STG": "stores", "ST": "stores"}


def short_name(name):
    """As short_kernel_name in apps/bench/graph.cpp has it: without namespaces, parameters and what is returned."""
    name = name.replace("(anonymous namespace)::", "")
    depth = 0
    for k, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">")
        if letter == "(" and depth == 0:
            name = name[:k]
            break
    return re.sub(r"\w*::", "", name.removeprefix("void "))


class Kernel:
    """The instructions of one kernel, and its blocks: where they begin, and which may follow."""

    def __init__(self):
        self.instructions = []  # (opcode, operands, is it conditional)
        self.labels = {}        # of the kernel's own code
        self.own = None         # how many are its own: subroutines follow

    def label(self, name):
        if name.startswith("$") and self.own is None and self.instructions:
            self.own = len(self.instructions)
        self.labels[name] = len(self.instructions)

    def next(self, at):
        """The instructions that may follow: a call comes back."""
        opcode, operands, conditional = self.instructions[at]
        base = opcode.split(".")[0]
        follow = []
        if base in ("BRA", "JMP") and (target := TARGET.search(operands)):
            follow.append(self.labels[target[1]])
            # A branch may be conditional by an operand too: BRA.U !UP0, `(.L_x_3).
            conditional = conditional or "," in operands
        if base not in ("BRA", "JMP", "EXIT", "RET", "BRX", "KILL") or conditional:
            follow.append(at + 1)
        return [each for each in follow if each < self.own]

    def in_loop(self, at):
        seen, waiting = set(), self.next(at)
        while waiting:
            here = waiting.pop()
            # Straight on to where code may be entered or left from elsewhere.
            while here not in seen:
                if here == at:
                    return True
                seen.add(here)
                follow = self.next(here)
                waiting += follow[1:]
                if not follow:
                    break
                here = follow[0]
        return False

    def row(self):
        """What the table says of it, and the number of accesses to local memory."""
        if self.own is None:
            self.own = len(self.instructions)
        count, accesses, calls, local = Counter(), {"loads": Counter(), "stores": Counter()}, Counter(), 0
        for at, (opcode, operands, _) in enumerate(self.instructions):
            base, *modifiers = opcode.split(".")
            count["instructions"] += base != "NOP"
            count["ffma"] += base == "FFMA"
            count["dfma"] += base == "DFMA"
            count["tensor"] += base in ("HMMA", "HGMMA")
            count["barriers"] += base == "BAR"
            local += base in ("LDL", "STL")
            if base in ACCESS:
                narrow = {"U8": 8, "S8": 8, "U16": 16, "S16": 16, "64": 64, "128": 128}
                accesses[ACCESS[base]][next((narrow[m] for m in modifiers if m in narrow), 32)] += 1
            if base == "CALL" and at < self.own and self.in_loop(at):
                target = TARGET.search(operands)
                calls[re.sub(r"^.*\$(__cuda_sm\w*?_)?", "", target[1]) if target else operands] += 1
        row = {key: count[key] for key in ("instructions", "ffma", "dfma", "tensor", "barriers") if count[key]}
        total = 0
        for what, widths in accesses.items():
            if widths:
                row[what] = {str(width): widths[width] for width in sorted(widths)}
                total += sum(widths.values())
        if total:
            row["percent_128"] = round(100 * sum(widths[128] for widths in accesses.values()) / total)
        if calls:
            row["calls_in_loops"] = dict(sorted(calls.items()))
        return row, local


def parse(lines):
    """Kernels by mangled name of what nvdisasm prints."""
    kernels, current = {}, None
    for line in lines:
        if found := SECTION.match(line):
            current = kernels.setdefault(found[1], Kernel())
        elif current is not None:
            if found := INSTRUCTION.match(line):
                current.instructions.append((found[2], found[3], found[1] is not None))
            elif found := LABEL.match(line):
                current.label(found[1])
    return kernels


def judge(rows, local):
    """Complaints about kernels by short name: spills, and divisions called in loops."""
    complaints = [f"{count} accesses to local memory (spills): {name}" for name, count in local.items() if count]
    for name, row in rows.items():
        for called, count in row.get("calls_in_loops", {}).items():
            if DIVISION.search(called) and not any(
                    re.fullmatch(subroutine, called) and re.fullmatch(kernel, name) for subroutine, kernel, _ in ALLOWED):
                complaints.append(f"{called} is called in a loop, {count} places: {name}")
    return complaints


def text_of(table):
    head = "".join(f" {json.dumps(key)}: {json.dumps(value)},\n" for key, value in table.items() if key != "kernels")
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(table["kernels"].items()))
    return "{\n" + head + ' "kernels": {\n' + rows + "\n }\n}\n"


def compare(found, committed):
    """The rows in which two tables differ, as a diff prints them; none if another toolkit made the committed one."""
    if found["toolkit"] != committed["toolkit"]:
        return None
    differ = difflib.unified_diff(text_of(committed).splitlines(), text_of(found).splitlines(), n=0, lineterm="")
    return [line for line in differ if not line.startswith(("---", "+++", "@@"))]


def find_tools(build):
    """The folder of both tools, "" where PATH has them, None where there is no way to them."""
    names = ["cuobjdump", "nvdisasm"]
    if all(shutil.which(name) for name in names):
        return ""
    folder = build / "tools"
    for attempt in range(2):
        for tool in folder.glob("nvidia/*/bin/cuobjdump"):
            if (tool.parent / "nvdisasm").exists():
                for name in names:
                    (tool.parent / name).chmod(0o755)
                return str(tool.parent) + "/"
        if attempt == 0:
            subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PACKAGES],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return None


def toolkit(build):
    compiler = re.search(r"^CMAKE_CUDA_COMPILER:\w+=(.+)$", (build / "CMakeCache.txt").read_text(), re.M)
    said = subprocess.run([compiler[1], "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"V(\d+\.\d+\.\d+)", said)[1]


def disassemble(build, tools):
    """The table of a build, and accesses to local memory by kernel."""
    rows, local = {}, {}
    for path in sorted(build.rglob("*.cu.o")):
        # Below tests/ lie users' projects that the tests build: the same kernels again, and kernels of their own.
        if not path.with_name(path.name + ".ptxas").exists() or "tests" in path.relative_to(build).parts:
            continue
        resources = {f["name"]: f for f in ptxas_report.parse(path.with_name(path.name + ".ptxas").read_text(), path.name)
                     if f["arch"] == ARCHITECTURE}
        kernels = {}
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([tools + "cuobjdump", "-xelf", ARCHITECTURE, str(path.resolve())], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)
            for cubin in Path(folder).glob(f"*.{ARCHITECTURE}.cubin"):
                said = subprocess.run([tools + "nvdisasm", "-c", str(cubin)], capture_output=True, text=True, check=True).stdout
                kernels.update(parse(said.splitlines()))
        # ptxas also reports functions of its own that a kernel calls.
        if missing := set(kernels) ^ {name for name in resources if not name.startswith("__internal_")}:
            raise SystemExit(f"sass_report: {path.name}: in one of ptxas's report and the object only: {sorted(missing)}")
        functions = [resources[name] for name in kernels]
        ptxas_report.demangle(functions)
        for function, kernel in zip(functions, kernels.values()):
            name = short_name(function["readable"])
            row, local[name] = kernel.row()
            row = {"registers": function["registers"], "shared_bytes": function["shared"], **row}
            # A template of a header is compiled wherever it is used, to the same.
            if rows.setdefault(name, row) != row:
                raise SystemExit(f"sass_report: two kernels are called {name}: duel-graph could not tell them apart")
    return {"toolkit": toolkit(build), "architecture": ARCHITECTURE, "kernels": rows}, local


def summary(rows):
    def narrow(row):
        return sum(count for what in ("loads", "stores") for width, count in row.get(what, {}).items() if width != "128")

    def wide(row):
        return sum(row.get(what, {}).get("128", 0) for what in ("loads", "stores"))

    instructions = sum(row["instructions"] for row in rows.values())
    of_128 = sum(map(wide, rows.values()))
    accesses = of_128 + sum(map(narrow, rows.values()))
    print(f"{len(rows)} kernels for {ARCHITECTURE}, {instructions} instructions, {of_128} of {accesses} accesses to global memory "
          f"with 128 bits ({100 * of_128 / max(accesses, 1):.0f} %); the ten with the most narrower ones:")
    print("  instructions  registers  narrower  % of 128 bits  kernel")
    for name, row in sorted(rows.items(), key=lambda item: (-narrow(item[1]), item[0]))[:10]:
        print(f"  {row['instructions']:12d}  {row['registers']:9d}  {narrow(row):8d}  {row.get('percent_128', 0):13d}  {name[:100]}")
    calls = Counter()
    for row in rows.values():
        calls.update(row.get("calls_in_loops", {}))
    print("  calls in loops: " + (", ".join(f"{count} {name}" for name, count in sorted(calls.items())) or "none"))


PLANTED = """
	.section	.text._Z1kPf,"ax",@progbits
.text._Z1kPf:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   CALL.REL.NOINC `($__internal_0_$__cuda_sm20_div_s64) ;
.L_x_0:
        /*0020*/                   LDG.E.128.CONSTANT R4, desc[UR4][R2.64] ;
        /*0030*/              @!P0 BRA `(.L_x_2) ;
        /*0040*/                   FFMA R0, R4, R5, R6 ;
{inside}
.L_x_1:
        /*0060*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
        /*0070*/                   STG.E.U8 desc[UR4][R2.64], R0 ;
        /*0080*/               @P1 BRA `(.L_x_0) ;
        /*0090*/                   EXIT ;
.L_x_2:
{far}
        /*00b0*/                   BRA {back} ;
.L_x_3:
        /*00c0*/                   BRA `(.L_x_3) ;
$__internal_0_$__cuda_sm20_div_s64:
        /*00d0*/                   RET.REL.NODEC R2 `(_Z1kPf) ;
        /*00e0*/                   NOP ;
"""
CALL = "        /*00a0*/                   CALL.REL.NOINC `($__internal_0_$__cuda_sm20_{}) ;"


def check_self():
    """Planted kernels: what lies in a loop is found by the branches, and each kind of violation is told."""
    def read(inside="", far="", back="`(.L_x_1)"):
        kernel = parse(PLANTED.format(inside=inside, far=far, back=back).splitlines())["_Z1kPf"]
        row, local = kernel.row()
        return row, judge({"k": row}, {"k": local})

    row, complaints = read()
    assert row == {"instructions": 12, "ffma": 1, "barriers": 1, "loads": {"128": 1}, "stores": {"8": 1}, "percent_128": 50}, row
    assert not complaints, complaints
    row, complaints = read(inside=CALL.format("div_s64"))
    assert row["calls_in_loops"] == {"div_s64": 1} and "div_s64 is called in a loop" in complaints[0], complaints
    # A block behind the loop's last branch belongs to it if it goes back into it, and does not if it leaves.
    assert read(far=CALL.format("rem_u64"))[0]["calls_in_loops"] == {"rem_u64": 1}
    assert "calls_in_loops" not in read(far=CALL.format("rem_u64"), back="`(.L_x_3)")[0]
    assert "calls_in_loops" not in read(inside=" /*0050*/ BRA `(.L_x_4) ;\n.L_x_5:\n" + CALL.format("div_s64") + "\n EXIT ;\n.L_x_4:")[0]
    assert not read(inside=CALL.format("lgamma"))[1], "a call that is no division"
    for spill in ("STL.64 [R1], R2", "LDL R2, [R1]"):
        assert "1 accesses to local memory" in read(inside=f"        /*0050*/               @!P2 {spill} ;")[1][0], spill
    for subroutine, kernel, _ in ALLOWED:
        assert re.compile(subroutine) and re.compile(kernel)

    found = {"toolkit": "1", "architecture": ARCHITECTURE, "kernels": {"k": row}}
    assert compare(found, json.loads(text_of(found))) == []
    changed = compare(found, {**found, "kernels": {"k": {**row, "instructions": 12}, "l": row}})
    assert [line[:7] for line in changed] == ['-  "k":', '-  "l":', '+  "k":'], changed
    assert compare(found, {**found, "toolkit": "2"}) is None
    for name in ("void duel::kernels::(anonymous namespace)::k<float, duel::nn::Tile<4> >(duel::kernels::Shape, float*)", "k<float, Tile<4> >"):
        assert short_name(name) == "k<float, Tile<4> >", short_name(name)


def main():
    arguments = sys.argv[1:]
    write = "--write" in arguments
    arguments = [each for each in arguments if each != "--write"]
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")) or (write and not arguments):
        raise SystemExit(__doc__)
    check_self()
    if not arguments:
        print("sass_report: planted violations were found")
        return
    build = Path(arguments[0]).resolve()
    if not (build / "CMakeCache.txt").exists():
        raise SystemExit(f"sass_report: {build}: expected a folder that CMake configured")
    tools = find_tools(build)
    if tools is None:
        print(f"sass_report: no cuobjdump and nvdisasm, and pip cannot install {' '.join(PACKAGES)}: the machine code is not read")
        return
    table, local = disassemble(build, tools)
    if not table["kernels"]:
        raise SystemExit(f"sass_report: no kernels for {ARCHITECTURE} below {build}: expected a CUDA build (cmake --preset cuda)")
    summary(table["kernels"])
    complaints = judge(table["kernels"], local)
    if write:
        TABLE.write_text(text_of(table))
    committed = json.loads(TABLE.read_text())
    changed = compare(table, committed)
    if changed is None:
        print(f"  {TABLE.name} is of nvcc {committed['toolkit']}, this build of {table['toolkit']}: not compared")
    elif changed:
        complaints.append(f"this build's kernels are not those of {TABLE.name}; "
                          f"if that is meant: python3 tests/sass_report.py {build} --write\n" + "\n".join(changed))
    for complaint in complaints:
        print("sass_report: " + complaint)
    raise SystemExit(1 if complaints else 0)


if __name__ == "__main__":
    main()
