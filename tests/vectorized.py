"""vectorized.py SOURCES DUMPS: every loop that is marked to be vectorised was, in every function that holds it.

SOURCES is the folder kernels/; in DUMPS lies what g++ wrote for each .cu file under -fdump-tree-vect-optimized-missed: its
messages by function. A loop stays scalar without a word from g++, and the kernel is then ten times slower: so it was on AVX2 until
-fno-trapping-math. Not counted are loops that the C library or the processor keeps scalar, see excused().

vectorized.py --self-test: the reading of dumps, on planted ones.
"""
import pathlib
import re
import sys

MARK = re.compile(r"^\s*(DUEL_SIMD|DUEL_INDEPENDENT|#pragma omp simd|#pragma GCC ivdep)\b")
MESSAGE = re.compile(r"([\w.]+):(\d+):\d+: (optimized: loop vectorized|missed: +couldn't vectorize loop)")
LIBRARY = r"(exp|expm1|log|log1p|pow|tanh|erf|erfc)"


def marked_loops(folder):
    """{(file, line of the loop)}: the line after each mark."""
    loops = set()
    for path in sorted(pathlib.Path(folder).rglob("*.*")):
        if path.suffix in (".h", ".cuh", ".cu", ".cpp"):
            lines = path.read_text().split("\n")
            loops |= {(path.name, number + 2) for number, line in enumerate(lines) if MARK.match(line)}
    return loops


def excused(function, text):
    """Why the loops of this function may be scalar, or None."""
    if re.search(r"statement clobbers memory: .* = " + LIBRARY + r" \(|= " + LIBRARY + r" \(", text):
        return "calls the C library, whose functions of doubles are not vectors"
    if re.search(r"CastTo<(float|double)>, \w+, long|CastTo<long( int)?>, long( int)?, (float|double)|"
                 r"cast<(float|double), long|cast<long( int)?, (float|double)>", function):
        return "AVX2 converts no 64-bit integers"
    if re.search(r"(FloorDivide|Remainder), long", function):
        return "AVX2 divides no integers"
    if re.search(r"Alpha(Ramp)?Conjugate(, float|Ef)", function):
        return "two of C's powers, of floats, have more special cases than g++ makes selects of (a batch of logits is short)"
    return None


def scalar_loops(loops, dump):
    """(functions with marked loops, [(function, file, line)] of those that stayed scalar, excuses)."""
    seen, scalar, excuses = 0, [], set()
    for part in re.split(r"^;; Function ", dump, flags=re.M)[1:]:
        function = part.split("\n", 1)[0]
        done, missed = set(), set()
        for file, line, what in MESSAGE.findall(part):
            if (file, int(line)) in loops:
                (done if what.startswith("optimized") else missed).add((file, int(line)))
        seen += bool(done | missed)
        for loop in sorted(missed):
            why = excused(function, part)
            if why is None:
                scalar.append((function, *loop))
            else:
                excuses.add(why)
    return seen, scalar, excuses


def self_test():
    loops = {("map.cuh", 81)}
    fast = ";; Function map<Exp, float> (x)\na/map.cuh:81:55: optimized: loop vectorized using 32 byte vectors\n"
    slow = ";; Function map<Elu, float> (x)\na/map.cuh:81:55: missed: couldn't vectorize loop\n"
    other = ";; Function to_string (x)\n/usr/charconv.h:81:55: missed: couldn't vectorize loop\n"
    library = slow.replace("Elu, float", "Exp, double") + "m.h:1:2: missed: statement clobbers memory: _5 = exp (_4);\n"
    assert scalar_loops(loops, fast + other + library)[:2] == (2, [])
    assert scalar_loops(loops, fast + slow)[:2] == (2, [("map<Elu, float> (x)", "map.cuh", 81)])
    copy = "a/map.cuh:81:55: missed: couldn't vectorize loop\n"  # the same loop twice in one function: both count
    assert scalar_loops(loops, fast + copy)[1] == [("map<Exp, float> (x)", "map.cuh", 81)]


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    loops = marked_loops(sys.argv[1])
    dumps = sorted(pathlib.Path(sys.argv[2]).rglob("*.vect"))
    seen, found = 0, []
    for dump in dumps:
        functions, scalar, _ = scalar_loops(loops, dump.read_text())
        seen += functions
        found += [f"{dump.name}: {file}:{line} stayed scalar in {function[:200]}" for function, file, line in scalar]
    print("\n".join(found))
    print(f"{seen} functions with marked loops in {len(dumps)} files, {len(found)} scalar")
    if found or seen < 100:  # fewer: the dumps are not what they should be
        sys.exit(1)


if __name__ == "__main__":
    main()
