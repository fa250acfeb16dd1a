#!/usr/bin/env bash
# check.sh SOURCE BUILD WORK: installs BUILD, then builds and runs the consumer project against the installation and
# with Duel as a subdirectory, there with shared libraries and without oneDNN; that build is installed too, into other folders than the usual:
# relative ones, after which it is moved, and absolute ones. The path of WORK holds a space on purpose. Prints how long the
# consumer's file compiled.
set -euo pipefail
source_dir=$(realpath "$1") build_dir=$(realpath "$2") work="$(realpath -m "$3")/a user's project"
if grep -q '^DUEL_CUDA:[A-Z]*=ON$' "$build_dir/CMakeCache.txt"; then
  cuda=1 work=${work//\'/}  # nvcc reads no apostrophe in a path
fi
rm -rf "$work"
mkdir -p "$work"
elsewhere=$(mktemp -d "${TMPDIR:-/tmp}/duel consumer XXXXXX")  # CMake refuses to install from a build folder into itself
trap 'rm -rf "$elsewhere"' EXIT

failed() { echo "FAILED: $*"; exit 1; }

use() {  # use NAME PREFIX: the consumer against what is installed in PREFIX, as NAME
  cmake -S "$source_dir/tests/consumer" -B "$work/$1" -DCMAKE_PREFIX_PATH="$2" -DCMAKE_BUILD_TYPE=Release >"$work/$1.log" 2>&1 ||
    { cat "$work/$1.log"; failed "$1: does not configure"; }
  local begin=$(date +%s%N)
  cmake --build "$work/$1" >>"$work/$1.log" 2>&1 || { cat "$work/$1.log"; failed "$1: does not build"; }
  echo "$1: consumer compiled and linked in $((($(date +%s%N) - begin) / 1000000)) ms"
  "$work/$1/consumer" && "$work/$1/kernel" || failed "$1: does not run"
}

says_its_cpu() {  # says_its_cpu LOG: where a build is for this machine's CPU, it says so
  ! grep -q '^DUEL_MARCH:[A-Z]*=native$' "$build_dir/CMakeCache.txt" || grep -q 'Duel: compiled with -march=native' "$1" ||
    { cat "$1"; failed "$1: does not say that the library is for one CPU"; }
}

cmake --install "$build_dir" --prefix "$work/prefix" >"$work/install.log"
says_its_cpu "$work/install.log"
for file in doc/Duel/LICENSE doc/Duel/README.md doc/Duel/examples/own_objective.cpp include/duel/duel.h include/duel/core/tensor/tensor.h; do
  [ -n "$(find "$work/prefix" -path "*/$file")" ] || failed "$file is not installed"
done
internal=$(find "$work/prefix" -path '*/internal/*' -o -path '*/linear/host/*' -o -path '*/linear/vendor/*')
[ -z "$internal" ] || failed "internal headers are installed: $internal"
use installed "$work/prefix"
says_its_cpu "$work/installed.log"
# A build with CUDA is tried as it is installed; the rest is the CPU build's.
if [ -n "${cuda:-}" ]; then exit 0; fi

# The subdirectory build compiles the library again: without debug information, which a third of its time would go into.
subdirectory() {
  cmake -S "$source_dir/tests/consumer" -B "$work/subdirectory" -DDUEL_SOURCE="$source_dir" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG= -DDUEL_CUDA=OFF \
    -DBUILD_SHARED_LIBS=ON -DDUEL_ONEDNN=OFF "$@" >/dev/null
}
subdirectory -DCMAKE_INSTALL_INCLUDEDIR=include/duel-0.1 -DCMAKE_INSTALL_LIBDIR=lib
cmake --build "$work/subdirectory" --parallel 2 >/dev/null
"$work/subdirectory/consumer"
"$work/subdirectory/kernel"
said=$(DUEL_HOST_LIBRARY=onednn "$work/subdirectory/consumer" 2>&1) && failed "a build without oneDNN takes DUEL_HOST_LIBRARY=onednn"
grep -q 'DUEL_HOST_LIBRARY: expected own, got onednn, which this build does not have: install' <<<"$said" ||
  failed "DUEL_HOST_LIBRARY=onednn without oneDNN: $said"
! ldd "$work/subdirectory/consumer" "$(find "$work/subdirectory" -name libduel_kernels.so)" | grep -E 'libdnnl|libgomp' ||
  failed "a build without oneDNN links it"
cmake --install "$work/subdirectory" --prefix "$elsewhere/first" >/dev/null
mv "$elsewhere/first" "$elsewhere/moved"
[ -e "$elsewhere/moved/include/duel-0.1/duel/core/tensor/tensor.h" ] || failed "CMAKE_INSTALL_INCLUDEDIR is not obeyed"
[ -e "$elsewhere/moved/lib/libduel_gan.so.0.1" ] || failed "BUILD_SHARED_LIBS or CMAKE_INSTALL_LIBDIR is not obeyed"
use relative "$elsewhere/moved"

subdirectory -DCMAKE_INSTALL_INCLUDEDIR="$elsewhere/headers" -DCMAKE_INSTALL_LIBDIR="$elsewhere/libraries"
cmake --install "$work/subdirectory" --prefix "$elsewhere/absolute" >/dev/null
[ -e "$elsewhere/headers/duel/core/tensor/tensor.h" ] || failed "an absolute CMAKE_INSTALL_INCLUDEDIR is not obeyed"
use absolute "$elsewhere/libraries/cmake"

# The tests need static libraries; asked for together, that is said.
said=$(cmake -S "$source_dir" -B "$work/both" -DBUILD_SHARED_LIBS=ON -DDUEL_TESTS=ON 2>&1) && failed "shared libraries with tests are not refused"
tr -s ' \n' ' ' <<<"$said" | grep -q 'configure with BUILD_SHARED_LIBS=OFF or DUEL_TESTS=OFF' || failed "shared libraries with tests: $said"
