#!/usr/bin/env bash
# cuda_from_wheels.sh [PYTHON [FOLDER]]: a CUDA toolkit that CMake accepts, made of links to the pip wheels that PYTHON
# (default: python3) sees, in FOLDER (default: build/cuda-wheels). The wheels have no lib64 and no libX.so without a
# version, which nvcc and FindCUDAToolkit want; site-packages stay as they are. Prints the configure command.
#
#   pip install "nvidia-cuda-nvcc==13.0.*" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-crt==13.0.*" "nvidia-nvvm==13.0.*" \
#     "nvidia-cuda-cccl==13.0.*" nvidia-cublas nvidia-cudnn-cu13
set -euo pipefail

python=${1:-python3}
folder=${2:-build/cuda-wheels}
wheels=$("$python" - <<'PYTHON'
import pathlib, site, sysconfig
for packages in [sysconfig.get_path("purelib"), *site.getsitepackages(), site.getusersitepackages()]:
    toolkit = pathlib.Path(packages, "nvidia", "cu13")
    if (toolkit / "bin" / "nvcc").exists():
        print(toolkit)
        break
PYTHON
)
if [ -z "$wheels" ]; then
  echo "cuda_from_wheels.sh: $python has no nvidia/cu13/bin/nvcc: pip install the wheels that the head of this file names" >&2
  exit 1
fi

rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/lib64"
folder=$(cd "$folder" && pwd)
ln -s lib64 "$folder/lib"
ln -s "$wheels/include" "$folder/include"
ln -s "$wheels/nvvm" "$folder/nvvm"
ln -s "$wheels"/bin/* "$folder/bin/"
# nvcc looks for everything else from where it really is.
rm "$folder/bin/nvcc" "$folder/bin/nvcc.profile"
cp "$wheels/bin/nvcc" "$wheels/bin/nvcc.profile" "$folder/bin/"
for library in "$wheels"/lib/*; do
  name=$(basename "$library")
  ln -s "$library" "$folder/lib64/$name"
  case $name in *.so.*) [ -e "$folder/lib64/${name%%.so.*}.so" ] || ln -s "$library" "$folder/lib64/${name%%.so.*}.so" ;; esac
done
echo "cmake -S . -B build -DDUEL_CUDA=ON -DCMAKE_CUDA_COMPILER=$folder/bin/nvcc"
