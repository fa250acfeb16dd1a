#!/usr/bin/env bash
# gpu_bundle.sh OUT.tar.gz EXECUTABLE…: packs what tests/gpu.sh needs on a machine with a GPU and nothing else: the
# executables, stripped; the libraries that a bare x86-64 Linux lacks, found by ldd; the scripts and the PyTorch peer. No part of the C library, none of the driver and none of CUDA: cuBLAS and cuDNN are found on that machine.
# The target gpu-bundle calls it (cmake --preset gpu-bundle, cmake --build --preset gpu-bundle).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
limit_mib=40
out=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/duel-gpu
mkdir -p "$bundle/bin" "$bundle/lib"
for executable in "$@"; do
  readelf -d "$executable" | grep -q 'RPATH.*\$ORIGIN/../lib' ||
    { echo "gpu_bundle: $executable does not look for libraries in \$ORIGIN/../lib; configure with the preset gpu-bundle" >&2; exit 1; }
  install -m 755 "$executable" "$bundle/bin/"
  strip "$bundle/bin/$(basename "$executable")"
  while read -r library path; do
    case $library in
      linux-vdso.so* | ld-linux* | libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libutil.so.* | libresolv.so.*) ;;
      libcuda.so* | libcudart.so* | libcublas*.so* | libcudnn*.so* | libnvrtc*.so*)
        echo "gpu_bundle: $executable is linked with $library, which must be loaded when it is needed" >&2
        exit 1 ;;
      *) [ -e "$bundle/lib/$library" ] || install -m 755 "$path" "$bundle/lib/$library" ;;
    esac
  done < <(ldd "$executable" | awk '$2 == "=>" { if ($3 == "not") { print "missing", $1 > "/dev/stderr"; exit 1 } print $1, $3 }')
done
strip --strip-unneeded "$bundle"/lib/*
install -m 755 "$here/gpu.sh" "$here/gpu_tools.py" "$bundle/"
install -D -m 644 "$here/peers/torch_gan.py" "$bundle/peers/torch_gan.py"

# The C library is the machine's own: it must be as new as the newest symbol that anything here asks for.
glibc=$(for file in "$bundle"/bin/* "$bundle"/lib/*; do readelf -V "$file"; done | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -1)
cat >"$bundle/README.txt" <<TEXT
Duel for a machine with an NVIDIA GPU: bash gpu.sh --half 1, then bash gpu.sh --half 2, four minutes each.
It needs an x86-64-v3 CPU, ${glibc/_/ } or newer, bash and python3; for more speed cuBLAS and cuDNN 9 of CUDA 13 (toolkit, /usr,
conda, or the wheels of PYTHON, python3 by default); for its memory checks compute-sanitizer; for per-kernel times ncu; for the
comparison PyTorch, in PYTHON.
Without a GPU it says so and exits with 77. bash gpu.sh --help says more.
TEXT
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf - duel-gpu | gzip -9n >"$out.part"
mv "$out.part" "$out"

size=$(stat -c %s "$out")
printf '%s: %d.%d MB, %d executables, %d libraries, %s\n' "$out" $((size / 1000000)) $((size / 100000 % 10)) \
  "$(ls "$bundle/bin" | wc -l)" "$(ls "$bundle/lib" | wc -l)" "$glibc"
[ "$size" -le $((limit_mib * 1000000)) ] || { echo "gpu_bundle: expected at most $limit_mib MB" >&2; exit 1; }
