#!/usr/bin/env bash
# keep_compile_report.sh COMPILER ARGUMENT…: runs the CUDA compiler (or a compiler cache before it) and keeps beside the object
# - what `-Xptxas=-v` prints (registers, shared memory, spills per kernel), as OBJECT.ptxas: tests/ptxas_report.py;
# - the PTX of the highest architecture, as OBJECT.ptx: what the object was made of, which tests/ptx/ executes.
# Everything else the compiler says is passed on, and so is its exit status. A compiler cache that has the object gives no
# PTX: then the compiler is asked for that alone.
set -uo pipefail
object=""
previous=""
for argument in "$@"; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
[ -n "$object" ] || exec "$@"

# The compiler's intermediate files, in a folder whose name is the same in every build: a cache looks at it.
kept=$object.kept
rm -rf "$kept" "$object.ptx"
mkdir -p "$kept"
said=$object.ptxas.said
"$@" --keep --keep-dir "$kept" 2>"$said"
status=$?
report='^ptxas info|^ +[0-9]+ bytes stack frame,'
grep -vE "$report" "$said" >&2
grep -E "$report" "$said" >"$object.ptxas"
rm -f "$said"

# NAME.ptx, or NAME.compute_80.ptx and others where the object is for several architectures.
highest=$(find "$kept" -name '*.ptx' | sort -V | tail -n 1)
if [ -n "$highest" ]; then
  mv "$highest" "$object.ptx"
elif [ "$status" -eq 0 ]; then
  arguments=()
  architecture=0
  skip=0
  for argument in "$@"; do
    if [ "$skip" -eq 1 ]; then
      skip=0
      continue
    fi
    case $argument in
      */ccache | ccache | */sccache | sccache | -c | -MD) ;;
      -MT | -MF | -o) skip=1 ;;
      --generate-code=arch=compute_*)
        number=${argument#--generate-code=arch=compute_}
        number=${number%%,*}
        [ "${number%%[a-z]*}" -gt "${architecture%%[a-z]*}" ] && architecture=$number
        ;;
      *) arguments+=("$argument") ;;
    esac
  done
  "${arguments[@]}" -ptx "-arch=compute_$architecture" -o "$object.ptx" 2>/dev/null || rm -f "$object.ptx"
fi
rm -rf "$kept"
[ "$status" -eq 0 ] || rm -f "$object.ptxas" "$object.ptx"
exit "$status"
