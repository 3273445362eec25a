#!/bin/sh
# Renews requirements.txt: every version that pyproject.toml leads to, for all platforms.
#
# CUDA packages are left out: which of them there are depends on the build of torch that pip picks
# for the machine, and that build names them itself.
set -eu
{
  echo "# Made by requirements.sh from pyproject.toml; the versions that every result was made with."
  echo "torch==2.13.0" | uv pip compile pyproject.toml --extra dev --universal \
    --python-version 3.11 --constraints - --no-header --no-annotate --quiet \
    | grep -vE '^(nvidia-|cuda-|triton)'
} > requirements.txt.new
mv requirements.txt.new requirements.txt
