#!/bin/sh
# Installs what blending.py measures beside us into environments of their own: openvino-genai, with the default model exported
# for it in fp32, int8 and int4; llama.cpp through node-llama-cpp where there is npm; and vLLM (install_vllm.sh). What is
# there already stays as it is. PYTHON names the interpreter; the models are those of `emotional-ai models pull`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${EMOTIONAL_AI_CACHE:-$HOME/.cache/emotional-ai}
model=SmolLM2-135M-Instruct
genai=$cache/peers/genai
llama=$cache/peers/llama-cpp

environment() {
    [ -f "$genai/installed-2026.4.1" ] && return
    echo "installing openvino-genai 2026.4.1 into $genai"
    rm -rf "$genai"
    mkdir -p "$genai"
    "${PYTHON:-python3}" -m venv "$genai"
    "$genai/bin/pip" install --quiet --upgrade 'pip>=25.1'
    "$genai/bin/pip" install --quiet --prefer-binary 'openvino-genai==2026.4.1.*' 'openvino-tokenizers==2026.4.1.*' \
        'optimum-intel==2.2.*' 'nncf==3.4.*' 'torch==2.13.0'
    "$genai/bin/pip" uninstall --quiet --yes torchvision  # built for another torch; text needs none
    touch "$genai/installed-2026.4.1"
}

export_as() {  # name, then options of the export
    into=$genai/models/$model-$1
    [ -d "$into" ] && return
    shift
    echo "exporting $(basename "$into")"
    mkdir -p "$genai/models"
    rm -rf "$into.part"
    "$genai/bin/optimum-cli" export openvino --model "$cache/models/$model" --task text-generation-with-past "$@" "$into.part"
    mv "$into.part" "$into"
}

llama_cpp() {
    [ -f "$llama/installed-3.22.1" ] && return
    if ! command -v npm >/dev/null; then
        echo "llama.cpp is left out: npm, which brings it built, is not installed"
        return
    fi
    echo "installing llama.cpp (node-llama-cpp 3.22.1) into $llama"
    mkdir -p "$llama"
    (cd "$llama" && NODE_LLAMA_CPP_SKIP_DOWNLOAD=true npm install --silent --no-audit --no-fund --omit=optional \
        node-llama-cpp@3.22.1 @node-llama-cpp/linux-x64@3.22.1)
    "$here/../../.venv/bin/python" "$here/quantised.py" "$llama/$model-q4.gguf"
    touch "$llama/installed-3.22.1"
}

environment
export_as fp32 --weight-format fp32
export_as int8 --weight-format int8 --sym
export_as int4 --weight-format int4 --sym --group-size 64
llama_cpp
sh "$here/install_vllm.sh"
