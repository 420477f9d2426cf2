#!/bin/bash
# Exit 0 while a version of the model serves. The image of TensorFlow Serving has neither curl nor wget nor Python.
set -euo pipefail

exec 3<>"/dev/tcp/127.0.0.1/${PORT:-8501}"
printf 'GET /v1/models/%s HTTP/1.0\r\n\r\n' "${MODEL_NAME:-purchase-model}" >&3
grep -q '"AVAILABLE"' <&3
