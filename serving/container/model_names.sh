#!/bin/bash
# Prints the names of the models to serve, one a line.
#
#   MODEL_NAME      the only one, if set
#   MODEL_BASE_PATH otherwise each folder in it that has a version (/models); with none, purchase-model is waited for
set -euo pipefail
shopt -s nullglob

if [[ -n "${MODEL_NAME:-}" ]]; then
  echo "$MODEL_NAME"
  exit
fi
found=0
for folder in "${MODEL_BASE_PATH:-/models}"/*/; do
  versions=("$folder"[0-9]*/)
  if ((${#versions[@]})); then
    basename "$folder"
    found=1
  fi
done
if ((!found)); then
  echo purchase-model
fi
