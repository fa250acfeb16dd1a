#!/usr/bin/env bash
# house_rules.sh ROOT: the rules of the tree that no compiler checks. Each violation is printed; the exit status says whether
# there is one. Also run on a planted violation of every rule, so that a rule that finds nothing is noticed.
set -euo pipefail

check() {  # check ROOT: prints violations
  cd "$1"
  local room above
  while read -r room above; do
    [ -d "$room" ] || continue
    grep -rnE "#include [\"<]duel/($above)/" "$room" --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' |
      sed 's/^/include against the arrows: /' || true
  done <<'ROOMS'
kernels core|nn|gan|apps|tests
core nn|gan|apps|tests
nn gan|apps|tests
gan apps|tests
ROOMS
  # Rooms within rooms, lower ones first: a file includes what lies in its own sub-room and in those before it.
  local place rooms below end known
  while read -r place rooms; do
    [ -d "$place" ] || continue
    below= end='[/.]'                          # core/ops.h is core/ops/ as a whole
    [ "$place" = kernels/linear ] && end=/    # its own headers are what its parts are made of
    for room in $rooms; do
      below+="${below:+|}$room"
      [ -d "$place/$room" ] || continue
      grep -rnE "#include \"duel/$place/[a-z_]+$end" "$place/$room" --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' |
        grep -vE "#include \"duel/$place/($below)$end" | sed "s|^|include against the arrows inside $place/: |" || true
    done
    known="^$place/(${rooms// /|})\$"
    find "$place" -mindepth 1 -maxdepth 1 -type d | grep -vE "$known" | sed 's/^/a sub-room without a place in the order: /' || true
  done <<'ORDER'
kernels base map reduce training linear
kernels/linear host device vendor
core device tensor io ops engine
core/ops map reduce linear
nn module layers norm blocks optim
gan data picture objective models train single judge record report run lab
ORDER
  grep -rnE '#include "duel/(.*/internal/|kernels/linear/(host|device|vendor)/)' kernels core nn gan --include='*.h' --include='*.cuh' |
    grep -vE '^([^:]*/internal/|kernels/linear/(host|device|vendor)/)' | sed 's/^/a public header includes an internal one: /' || true
  grep -rnE '#include "duel/kernels/linear/(host|device|vendor)/' core nn gan apps | sed 's/^/internal to kernels\/linear\/: /' || true
  grep -rnE '#include "duel/(core/(autograd|random)|gan/penalty|nn/optim)\.h"' kernels core nn gan apps tests --include='*.h' --include='*.cpp' --include='*.cu' |
    sed 's/^/a header that is there for users of 0.1.0; name the one it forwards to: /' || true
  find kernels core nn gan apps tests -type f \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) | sed 's|/[^/]*$||' |
    sort | uniq -c | awk '$1 > 22 { print "over 22 sources in one folder: " $2 " has " $1 }'
  find kernels core nn gan apps tests -type f \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' -o -name '*.py' -o -name '*.sh' \) \
    -exec awk 'END { if (NR > 600) print "over 600 lines: " FILENAME " has " NR }' {} \;
  grep -rnE '<<<[^<]' kernels core nn gan apps --include='*.cu' --include='*.cuh' --include='*.h' | sed 's/^/start kernels by launch(): /' || true
  grep -rnE '#pragma omp parallel|std::(rand|random_device)\b' kernels core nn gan | sed 's/^/threads and random numbers have one source: /' || true
  grep -rnE '\b(std::)?(exit|abort)\(' kernels core nn gan --include='*.cpp' --include='*.cu' --include='*.h' | sed 's/^/the library never exits: /' || true
  # Note [Passes come one after the other] in nn/module/module.h.
  grep -rnE '\b(d|D|critic|discriminator|net)\([^;]*real[^;]*[-+*,][^;]*\b\1\([^;]*fake' kernels core nn gan apps tests \
    --include='*.h' --include='*.cpp' | grep -vE '= (d|D|critic|discriminator|net)\(' |
    sed 's/^/two passes of one network in one expression: /' || true
  grep -rnE '%[-+ #0-9.*]*[fFgGeE][^a-z]|std::(strto(d|f|ld)|stod|stof|setprecision)\b|\b(atof|strtod)\(|[fs]scanf' kernels core nn gan --include='*.cpp' --include='*.cu' --include='*.h' |
    grep -E 'printf|strto|sto[df]|atof|setprecision|scanf' | grep -vE '^[^:]*:[0-9]*: *(//|\*)' | sed 's/^/numbers are written and read by kernels\/text.h, whatever the locale: /' || true
  grep -rlE 'nlohmann::(ordered_)?json::parse|\bJson::parse' kernels core nn gan apps | sed 's/^/JSON is read by core\/json.h: /' || true
  local entry
  for entry in *; do
    case $entry in
      kernels|core|nn|gan|apps|tests|cmake|CMakeLists.txt|CMakePresets.json|README.md|CHANGELOG.md|CONTRIBUTING.md|CITATION.cff|LICENSE|build*|runs|data) ;;
      *) echo "does not belong at the top level: $entry" ;;
    esac
  done
}

root=$1
planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
mkdir -p "$planted"/{kernels,core,nn,gan,apps,tests}
mkdir -p "$planted"/kernels/{base,attic} "$planted"/gan/{data,many}
echo '#include "duel/kernels/linear/gemm.h"' >"$planted/kernels/base/climbs.cpp"
echo '#include "duel/core/io/internal/json.h"' >"$planted/gan/data/public.h"
echo '#include "duel/kernels/linear/vendor/cudnn.h"' >"$planted/core/vendor.cpp"
echo '#include "duel/core/random.h"' >"$planted/gan/data/forwarded.cpp"
for i in $(seq 23); do touch "$planted/gan/many/$i.h"; done
echo '#include "duel/core/tensor/tensor.h"' >"$planted/kernels/bad.h"
echo '#include "duel/gan/train/trainer.h"' >"$planted/nn/bad.cpp"
seq 601 >"$planted/core/long.cpp"
echo 'kernel<<<1, 2>>>(x);' >"$planted/kernels/bad.cu"
echo 'exit(1);' >"$planted/gan/bad.cpp"
echo '#pragma omp parallel for' >"$planted/core/threads.cpp"
echo 'Tensor loss = mean(d(real)) - mean(d(fake));' >"$planted/gan/passes.cpp"
echo 'std::printf("%.3f", 1.0);' >"$planted/core/locale.cpp"
echo 'nlohmann::json::parse(text);' >"$planted/gan/json.cpp"
touch "$planted/stray.txt"
found=$(check "$planted" | wc -l)
[ "$found" -eq 17 ] || { echo "the rules found $found of 17 planted violations:"; check "$planted"; exit 1; }

violations=$(check "$root")
[ -z "$violations" ] || { echo "$violations"; exit 1; }
