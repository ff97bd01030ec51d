#!/bin/sh
# Compiles the .in files to pinned requirements for every platform. Needs `uv` on PATH.
#   requirements/compile.sh              compile, keeping versions that still fit
#   requirements/compile.sh --upgrade    take the newest versions
set -eu
cd "$(dirname "$0")"
export UV_CUSTOM_COMPILE_COMMAND="requirements/compile.sh"

compile() {
    name=$1
    shift
    uv pip compile --quiet --universal --python-version 3.12 "$@" "$name.in" --output-file "$name.txt"
}

# No hashes: the PyTorch index and the default index have different wheels of the same versions. No CUDA packages: torch
# pins those exactly in its own metadata, and wheels of the PyTorch CPU index don't ask for them.
compile requirements-torch "$@" \
    --no-emit-package nvidia-cublas-cu12 --no-emit-package nvidia-cuda-cupti-cu12 \
    --no-emit-package nvidia-cuda-nvrtc-cu12 --no-emit-package nvidia-cuda-runtime-cu12 \
    --no-emit-package nvidia-cudnn-cu12 --no-emit-package nvidia-cufft-cu12 --no-emit-package nvidia-cufile-cu12 \
    --no-emit-package nvidia-curand-cu12 --no-emit-package nvidia-cusolver-cu12 \
    --no-emit-package nvidia-cusparse-cu12 --no-emit-package nvidia-cusparselt-cu12 --no-emit-package nvidia-nccl-cu12 \
    --no-emit-package nvidia-nvjitlink-cu12 --no-emit-package nvidia-nvtx-cu12 --no-emit-package triton
compile requirements-uv "$@" --generate-hashes
compile requirements "$@" --generate-hashes --constraint requirements-torch.txt
compile requirements-dev "$@" --generate-hashes --constraint requirements-torch.txt --constraint requirements.txt
