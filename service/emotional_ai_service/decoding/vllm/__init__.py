"""The vllm backend: each blend is one adapter of concatenated rank on a vLLM server that an operator runs.

backend        the decoder
settings       where the server is, and how many blends it holds
launch         the command that starts the server
fitness        whether the server was started as needed
recipes        a blend as contents and rounded weights, and its name
shelf          which blends the server holds: nearest within a tolerance, least recently used given up
blends         loading once however many ask, unloading when idle
store          blends on the disk and in the server
preparation    prompts and blends, computed in a worker process
asking         a request in vLLM's terms
server         the HTTP client
reply          tokens to events
errors         what is wrong with a server
server_side/   the repetition penalty, imported by the server
"""

from emotional_ai_service.decoding.vllm.backend import VllmDecoder
from emotional_ai_service.decoding.vllm.errors import ServerSilent, ServerUnfit
from emotional_ai_service.decoding.vllm.launch import server_command
from emotional_ai_service.decoding.vllm.settings import VllmSettings

__all__ = ["ServerSilent", "ServerUnfit", "VllmDecoder", "VllmSettings", "server_command"]
