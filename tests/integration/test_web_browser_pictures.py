"""The pictures of the README, made of the page as it is by a conversation with the real model.

EMOTIONAL_AI_PICTURES=specs/images make browser puts them where the README has them; otherwise they are made and thrown away.
"""

import os
from pathlib import Path
from typing import Final

import pytest
from browser import chromium, opened, wanted
from PIL import Image, ImageSequence
from web_pictures import SESSION, live, pictures
from web_process import web_process

pytestmark = wanted
NAMES: Final = (
    *(
        f"web_{panel}_{colours}.png"
        for panel in ("talk", "why", "touch", "personality")
        for colours in ("light", "dark")
    ),
    "web_phone.png",
    "web_turn.gif",
)
MOST_BYTES: Final = 1_500_000


@pytest.mark.timeout(300)
async def test_the_pictures_are_made_of_a_real_conversation(tmp_path: Path) -> None:
    folder = Path(os.environ.get("EMOTIONAL_AI_PICTURES", tmp_path))
    with live() as (target, clock), web_process(target, tmp_path / "log") as web:
        place = {"timezone_id": "UTC", "locale": "en-GB"}
        async with chromium() as browser, opened(browser, web.session(SESSION), tmp_path, context=place) as tab:
            await pictures(tab, clock, folder)
    assert sum((folder / name).stat().st_size for name in NAMES) < MOST_BYTES
    with Image.open(folder / "web_turn.gif") as turn:
        assert len(ImageSequence.all_frames(turn)) > 3
