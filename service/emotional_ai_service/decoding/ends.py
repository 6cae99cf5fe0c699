"""The tokens that end a turn. Reads two small files of a checkpoint and imports no model."""

import json
from pathlib import Path


def end_tokens(directory: Path, tokenizer_end: int | None) -> tuple[int, ...]:
    """Tokens that end a turn, by the checkpoint's generation settings, its configuration and its tokenizer, ascending."""
    ends = set() if tokenizer_end is None else {tokenizer_end}
    for file in ("generation_config.json", "config.json"):
        if (directory / file).is_file():
            named = json.loads((directory / file).read_text(encoding="utf-8")).get("eos_token_id")
            ends.update([named] if isinstance(named, int) else named or [])
    return tuple(sorted(ends))
