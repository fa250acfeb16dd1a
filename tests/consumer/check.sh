#!/usr/bin/env bash
# check.sh SOURCE BUILD WORK: installs BUILD, then builds and runs the consumer project against the installation and
# with Duel as a subdirectory, there with shared libraries and without oneDNN; that build is installed too, into other folders than the usual:
# relative ones, after which it is moved, and absolute ones; by find_package and by pkg-config; and the Debian packages of BUILD are made,
# unpacked and used. The path of WORK holds a space on purpose. Prints how long the
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

by_pkg_config() {  # by_pkg_config NAME LIBDIR: the same program by pkg-config, in one command of the compiler
  command -v pkg-config >/dev/null || { echo "$1: no pkg-config: not tried"; return 0; }
  local flags
  flags=$(PKG_CONFIG_PATH="$2/pkgconfig" pkg-config --cflags --libs duel) || failed "$1: pkg-config does not find duel in $2"
  eval "g++ -std=c++20 -O1 '$source_dir/tests/consumer/main.cpp' -o \"$work/$1.by_pkg_config\" $flags" || failed "$1: pkg-config's flags do not build: $flags"
  LD_LIBRARY_PATH="$2" "$work/$1.by_pkg_config" || failed "$1: what pkg-config's flags built does not run"
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
if [ -x "$build_dir/duel" ]; then
  for file in share/man/man1/duel.1 share/bash-completion/completions/duel share/zsh/site-functions/_duel share/fish/vendor_completions.d/duel.fish; do
    [ -s "$work/prefix/$file" ] || failed "$file is not installed"
  done
  grep -q 'duel train' <(sed 's/\\-/-/g' "$work/prefix/share/man/man1/duel.1") || failed "the manual page does not tell of duel train"
  bash -n "$work/prefix/share/bash-completion/completions/duel" || failed "the completion for bash is no script"
fi
internal=$(find "$work/prefix" -path '*/internal/*' -o -path '*/linear/host/*' -o -path '*/linear/vendor/*')
[ -z "$internal" ] || failed "internal headers are installed: $internal"
use installed "$work/prefix"
says_its_cpu "$work/installed.log"
cp -r "$work/prefix" "$elsewhere/static"  # pkg-config itself knows no way to write an apostrophe in the file's own folder
by_pkg_config static "$elsewhere/static/lib"
# A build with CUDA is tried as it is installed; the rest is the CPU build's.
if [ -n "${cuda:-}" ]; then exit 0; fi

# Debian's packages of this build: the command's needs nothing but what every Debian has, and the other one is enough to build with.
if command -v dpkg-deb >/dev/null && [ -x "$build_dir/duel" ]; then
  (cd "$elsewhere" && cpack -G DEB --config "$build_dir/CPackConfig.cmake" -B "$elsewhere/packages" >"$work/cpack.log" 2>&1) ||
    { cat "$work/cpack.log"; failed "cpack -G DEB"; }
  command_deb=$(find "$elsewhere/packages" -maxdepth 1 -name 'duel_*.deb') dev_deb=$(find "$elsewhere/packages" -maxdepth 1 -name 'libduel-dev_*.deb')
  dpkg-deb -f "$command_deb" Depends | grep -q 'libc6 (>= .*zlib1g' || failed "$command_deb depends on: $(dpkg-deb -f "$command_deb" Depends)"
  dpkg-deb -c "$command_deb" >"$work/duel.deb.list"
  for file in /usr/bin/duel /usr/share/man/man1/duel.1 /usr/share/bash-completion/completions/duel /usr/share/doc/Duel/LICENSE; do
    grep -q "$file\$" "$work/duel.deb.list" || { cat "$work/duel.deb.list"; failed "$file is not in $command_deb"; }
  done
  ! grep -E '\.(h|a|cmake|pc)$' "$work/duel.deb.list" || failed "$command_deb holds what libduel-dev is for"
  ! grep -q '^DUEL_MARCH:[A-Z]*=native$' "$build_dir/CMakeCache.txt" || dpkg-deb -f "$command_deb" Description | tr -s ' \n' ' ' | grep -q 'march=native' ||
    failed "the description of $command_deb does not say that it is for one CPU"
  dpkg-deb -x "$command_deb" "$elsewhere/root"
  dpkg-deb -x "$dev_deb" "$elsewhere/root"
  "$elsewhere/root/usr/bin/duel" --version | grep -q '^duel [0-9]' || failed "the packaged command does not run"
  use debian "$elsewhere/root/usr"
fi

# The subdirectory build compiles the library again: without debug information, which a third of its time would go into.
subdirectory() {
  cmake -S "$source_dir/tests/consumer" -B "$work/subdirectory" -DDUEL_SOURCE="$source_dir" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG= -DDUEL_CUDA=OFF \
    -DBUILD_SHARED_LIBS=ON -DDUEL_ONEDNN=OFF "$@" >/dev/null
}
subdirectory -DCMAKE_INSTALL_INCLUDEDIR=include/duel-elsewhere -DCMAKE_INSTALL_LIBDIR=lib
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
[ -e "$elsewhere/moved/include/duel-elsewhere/duel/core/tensor/tensor.h" ] || failed "CMAKE_INSTALL_INCLUDEDIR is not obeyed"
[ -e "$elsewhere/moved/lib/libduel_gan.so.0.2" ] || failed "BUILD_SHARED_LIBS or CMAKE_INSTALL_LIBDIR is not obeyed"
use relative "$elsewhere/moved"
by_pkg_config relative "$elsewhere/moved/lib"
shown=$(nm -DC --defined-only "$elsewhere"/moved/lib/libduel_*.so.0.2 | grep -E ' [TW] ' | grep -vE 'duel::|^$' || true)
[ -z "$shown" ] || failed "shared libraries show what is not Duel's: $(head -3 <<<"$shown")"
! nm -DC --defined-only "$elsewhere/moved/lib/libduel_kernels.so.0.2" | grep -q 'duel::kernels::host::' || failed "libduel_kernels.so shows its inner loops"

subdirectory -DCMAKE_INSTALL_INCLUDEDIR="$elsewhere/headers" -DCMAKE_INSTALL_LIBDIR="$elsewhere/libraries"
cmake --install "$work/subdirectory" --prefix "$elsewhere/absolute" >/dev/null
[ -e "$elsewhere/headers/duel/core/tensor/tensor.h" ] || failed "an absolute CMAKE_INSTALL_INCLUDEDIR is not obeyed"
use absolute "$elsewhere/libraries/cmake"
by_pkg_config absolute "$elsewhere/libraries"
said=$(cmake -S "$source_dir" -B "$work/levels" -DDUEL_LEVELS=x86-64-v4 -DDUEL_TESTS=OFF 2>&1) && failed "DUEL_LEVELS with static libraries is not refused"
tr -s ' \n' ' ' <<<"$said" | grep -q 'configure with BUILD_SHARED_LIBS=ON' || failed "DUEL_LEVELS with static libraries: $said"

# The tests need static libraries; asked for together, that is said.
said=$(cmake -S "$source_dir" -B "$work/both" -DBUILD_SHARED_LIBS=ON -DDUEL_TESTS=ON 2>&1) && failed "shared libraries with tests are not refused"
tr -s ' \n' ' ' <<<"$said" | grep -q 'configure with BUILD_SHARED_LIBS=OFF or DUEL_TESTS=OFF' || failed "shared libraries with tests: $said"
