#!/bin/bash
# Starts TensorFlow Serving for the models that are in the image. Further arguments go to the server and win.
#
#   PORT            port of the REST API, as platforms set it (8501)
#   MODEL_NAME, MODEL_BASE_PATH   which models, see model_names.sh
#   THREADS         threads for TensorFlow (the CPUs that the container may use)
set -euo pipefail

rest_port="${PORT:-8501}"
base_path="${MODEL_BASE_PATH:-/models}"
names="$("${BASH_SOURCE[0]%/*}/model_names.sh")"

# TensorFlow counts the CPUs of the host, not those of the container's quota.
cpus() {
  local quota period
  if read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max && [[ "$quota" != max ]]; then
    echo $(((quota + period - 1) / period))
  else
    nproc
  fi
}
threads="${THREADS:-$(cpus)}"

# With the same port for both, the server would leave the REST API out and only log a line.
grpc_port=8500
if [[ "$rest_port" == "$grpc_port" ]]; then
  grpc_port=8510
fi

config="$(mktemp)"
{
  echo 'model_config_list {'
  while read -r name; do
    echo "  config { name: \"$name\" base_path: \"$base_path/$name\" model_platform: \"tensorflow\" }"
  done <<<"$names"
  echo '}'
} >"$config"

exec tensorflow_model_server \
  --port="$grpc_port" \
  --rest_api_port="$rest_port" \
  --rest_api_num_threads="$((threads * 8))" \
  --model_config_file="$config" \
  --monitoring_config_file=/etc/tensorflow-serving/monitoring.config \
  --tensorflow_intra_op_parallelism="$threads" \
  --tensorflow_inter_op_parallelism="$threads" \
  "$@"
