#!/bin/bash
# Exit 0 while a version of every model serves. The image of TensorFlow Serving has neither curl nor wget nor Python.
set -euo pipefail

names="$("${BASH_SOURCE[0]%/*}/model_names.sh")"
while read -r name; do
  exec 3<>"/dev/tcp/127.0.0.1/${PORT:-8501}"
  printf 'GET /v1/models/%s HTTP/1.0\r\n\r\n' "$name" >&3
  grep -q '"AVAILABLE"' <&3
done <<<"$names"
