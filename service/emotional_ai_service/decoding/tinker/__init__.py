"""Speaks on a Tinker server: the hosted service, or a compatible one at any address.

    settings     which server, base model and adapters, and how blends are answered
    decoder      TinkerDecoder: one reply, from request to events
    choosing     who speaks under a blend: the nearest adapter, or one drawn by weight
    rescoring    drafts of one adapter, resampled towards the blend of all
    connection   the session with the server; every call of the SDK is made here
    wording      prompt to tokens, tokens to text, by the model's tokenizer
    errors       a start that cannot succeed, and what the server's refusals mean to a caller

A sampler there has one adapter at the strength it was trained with, whole replies only. So a blend is approximated, as each
reply's mode names; exact blending takes exporting the adapters and decoding them locally or on vLLM.
`connection` and `wording`, which import the SDK and torch, are imported when a decoder starts.
"""

from emotional_ai_service.decoding.tinker.decoder import TinkerDecoder
from emotional_ai_service.decoding.tinker.errors import TinkerStartFailed, TinkerUnavailable
from emotional_ai_service.decoding.tinker.settings import HOSTED, HostedAdapter, TinkerSettings, read_adapters

__all__ = [
    "HOSTED",
    "HostedAdapter",
    "TinkerDecoder",
    "TinkerSettings",
    "TinkerStartFailed",
    "TinkerUnavailable",
    "read_adapters",
]
