#!/bin/bash
# Starts TensorFlow Serving for the models that are in the image, or in a volume in their place. It follows that folder:
# new models are served, and labels are those of models.config in it. Further arguments go to the server and win.
#
#   PORT            port of the REST API, as platforms set it (8501)
#   MODEL_NAME, MODEL_BASE_PATH   which models, see model_names.sh
#   THREADS         threads for TensorFlow (the CPUs that the container may use)
set -euo pipefail

rest_port="${PORT:-8501}"
base_path="${MODEL_BASE_PATH:-/models}"
scripts="${BASH_SOURCE[0]%/*}"

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

# models.config names the folders as the machine has them that promotes models.
models() {
  if [[ -z "${MODEL_NAME:-}" && -f "$base_path/models.config" ]]; then
    sed "s|base_path: \".*/\([^/\"]*\)\"|base_path: \"$base_path/\1\"|" "$base_path/models.config"
    return
  fi
  echo 'model_config_list {'
  while read -r name; do
    echo "  config { name: \"$name\" base_path: \"$base_path/$name\" model_platform: \"tensorflow\" }"
  done < <("$scripts/model_names.sh")
  echo '}'
}

config="$(mktemp)"
present="$(models)"
echo "$present" >"$config"

# Until the server ends, which takes the place of this process.
follow() {
  local now
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    now="$(models)" || continue
    if [[ "$now" != "$present" ]]; then
      echo "$now" >"$config.new"
      mv "$config.new" "$config"
      present="$now"
    fi
  done
}
follow &

exec tensorflow_model_server \
  --port="$grpc_port" \
  --rest_api_port="$rest_port" \
  --rest_api_num_threads="$((threads * 8))" \
  --model_config_file="$config" \
  --model_config_file_poll_wait_seconds=1 \
  --allow_version_labels_for_unavailable_models=true \
  --monitoring_config_file=/etc/tensorflow-serving/monitoring.config \
  --tensorflow_intra_op_parallelism="$threads" \
  --tensorflow_inter_op_parallelism="$threads" \
  "$@"
