#!/usr/bin/env python3
"""ptxas_report.py BUILD_DIR: no kernel of a CUDA build may spill registers or keep a stack frame.

Reads the reports that cmake/keep_compile_report.sh left beside the objects, so it works after an incremental or cached build
as well as after a full one. Prints the kernels with the most registers and shared memory, then every violation; the exit
status is 1 if there is one, or if an object has no report. First it checks itself on planted reports.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(\S+)'")
PROPERTIES = re.compile(r"Function properties for (\S+)")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")


def parse(text, origin):
    """The functions of one report: dicts of name, arch, origin, registers, shared, frame, stores, loads."""
    functions, arch, current = [], "?", None
    for line in text.splitlines():
        if found := ENTRY.search(line):
            arch = found[2]
        elif found := PROPERTIES.search(line):
            current = dict(name=found[1], arch=arch, origin=origin, registers=0, shared=0, frame=0, stores=0, loads=0)
            functions.append(current)
        elif found := FRAME.search(line):
            if current is None:
                raise SystemExit(f"ptxas_report: {origin}: a stack frame without a function: {line.strip()}")
            current.update(frame=int(found[1]), stores=int(found[2]), loads=int(found[3]))
        elif (found := REGISTERS.search(line)) and current is not None:
            current["registers"] = int(found[1])
            shared = SHARED.search(line)
            current["shared"] = int(shared[1]) if shared else 0
    return functions


def demangle(functions):
    names = [function["name"] for function in functions]
    tool = shutil.which("c++filt") or shutil.which("cu++filt")
    if tool and names:
        names = subprocess.run([tool], input="\n".join(names), capture_output=True, text=True, check=True).stdout.splitlines()
    for function, name in zip(functions, names):
        name = name.replace("duel::kernels::", "").replace("(anonymous namespace)::", "")
        function["readable"] = re.sub(r"^void ", "", name)


def report(build, out):
    """Prints table and violations of the build directory; True if it is clean."""
    objects = [path for path in sorted(build.rglob("*.o")) if re.search(r"\.cu\.o$", path.name)]
    functions, complaints = [], []
    # A CPU build reads .cu as C++: only objects of a CUDA build have a report, and then all of them.
    reports = {path: path.with_name(path.name + ".ptxas") for path in objects}
    if not any(kept.exists() for kept in reports.values()):
        complaints.append(f"no compile report below {build}: expected a CUDA build (cmake --preset cuda)")
    else:
        complaints += [f"{path.relative_to(build)}: no compile report beside it" for path, kept in reports.items()
                       if not kept.exists() and "tests" not in path.relative_to(build).parts]
    for path, kept in reports.items():
        if kept.exists():
            functions += parse(kept.read_text(), path.name[:-2])
    demangle(functions)
    print(f"{len(functions)} kernels and device functions in {sum(kept.exists() for kept in reports.values())} objects; "
          "the ten with the most registers:", file=out)
    print("  registers  shared B  stack B  spill B  kernel", file=out)
    for f in sorted(functions, key=lambda f: (-f["registers"], -f["shared"], f["readable"]))[:10]:
        print(f"  {f['registers']:9d}  {f['shared']:8d}  {f['frame']:7d}  {f['stores'] + f['loads']:7d}  "
              f"{f['readable'][:110]}  [{f['origin']}, {f['arch']}]", file=out)
    largest = max(functions, key=lambda f: f["shared"], default=None)
    if largest and largest["shared"]:
        print(f"  most shared memory: {largest['shared']} B, {largest['readable'][:110]}  [{largest['origin']}]", file=out)
    for f in functions:
        if f["frame"] or f["stores"] or f["loads"]:
            complaints.append(f"{f['origin']}, {f['arch']}: {f['frame']} bytes stack frame, {f['stores']} bytes spill stores, "
                              f"{f['loads']} bytes spill loads: {f['readable']}")
    for complaint in complaints:
        print("ptxas_report: " + complaint, file=out)
    return not complaints


PLANTED = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z4goodPf' for 'sm_90'
ptxas info    : Function properties for _Z4goodPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 0 barriers, 1024 bytes smem
ptxas info    : Compiling entry function '_Z3badPf' for 'sm_90'
ptxas info    : Function properties for _Z3badPf
    {frame} bytes stack frame, {stores} bytes spill stores, {loads} bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers
"""


def check_self():
    """A report with each kind of violation must fail, and so must a missing one; a clean one must pass."""
    class Text:
        def __init__(self):
            self.said = ""

        def write(self, text):
            self.said += text

    for frame, stores, loads, kept, clean in [(0, 0, 0, True, True), (8, 0, 0, True, False), (0, 4, 0, True, False),
                                              (0, 0, 4, True, False), (0, 0, 0, False, False)]:
        with tempfile.TemporaryDirectory() as folder:
            build = Path(folder)
            for name in ["a.cu.o", "b.cu.o"]:
                (build / name).touch()
                (build / (name + ".ptxas")).write_text(PLANTED.format(frame=0, stores=0, loads=0))
            (build / "b.cu.o.ptxas").write_text(PLANTED.format(frame=frame, stores=stores, loads=loads))
            if not kept:
                (build / "b.cu.o.ptxas").unlink()
            out = Text()
            assert report(build, out) == clean, out.said
            assert "255" in out.said and "1024" in out.said, out.said
            assert clean or not kept or f"{frame} bytes stack frame, {stores} bytes spill stores, {loads}" in out.said, out.said
            assert kept or "b.cu.o: no compile report" in out.said, out.said
    with tempfile.TemporaryDirectory() as folder:
        assert not report(Path(folder), Text()), "an empty folder passed"


def main():
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1].startswith("-")):
        raise SystemExit(__doc__)
    check_self()
    if len(sys.argv) == 2:
        build = Path(sys.argv[1])
        if not build.is_dir():
            raise SystemExit(f"ptxas_report: {build}: no such folder")
        raise SystemExit(0 if report(build, sys.stdout) else 1)
    print("ptxas_report: planted violations were found")


if __name__ == "__main__":
    main()
