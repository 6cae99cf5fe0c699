#!/bin/sh
# Runs the vLLM that install_vllm.sh installed, on this machine's processors, with the default model and as the vllm backend
# needs it. PORT chooses the port; arguments are handed on to vLLM.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
cache=${EMOTIONAL_AI_CACHE:-$HOME/.cache/emotional-ai}
environment=$cache/peers/vllm
[ -x "$environment/bin/python" ] || { echo "vLLM is not installed; run install_vllm.sh first" >&2; exit 2; }
command=$("$here/.venv/bin/python" - "${PORT:-8000}" "$cache" <<'PYTHON'
import sys
from pathlib import Path

from emotional_ai_service.decoding.vllm import VllmSettings, server_command
from emotional_ai_training.adapters import Registry
from emotional_ai_training.models import default_model_dir

port, cache = sys.argv[1], Path(sys.argv[2])
model, blends = default_model_dir(cache), cache / "blends"
print(server_command(VllmSettings(f"http://127.0.0.1:{port}", model.name, model, cache, Registry(cache), blends)))
PYTHON
)
export VLLM_CPU_OMP_THREADS_BIND=nobind VLLM_CPU_KVCACHE_SPACE="${VLLM_CPU_KVCACHE_SPACE:-2}"
export PATH="$environment/bin:$PATH"
echo "$command --enforce-eager $*"
eval "exec env $command --enforce-eager \"\$@\""
