"""The strength of an adapter, on a tiny model that speaks for itself."""

import math
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tiny_decoding import publish_tiny_adapter, tiny_local_model

from emotional_ai_training.evaluation.scale import (
    SCALES,
    Heard,
    Spoken,
    adapted,
    base_model,
    calibrate,
    loss,
    replies,
    scaled,
)

END = 0
PROMPTS = ([1, 40, 41, 3], [1, 50, 51, 52, 53, 54, 3], [2, 60, 3])
NEUTRAL = (((70, 71, 72, 73, 74, 75), 5), ((80, 90, 81, 91), 3))
SPOKEN = Spoken(0.8, END, max_tokens=4)


def adapted_model(directory: Path, seed: int) -> PeftModel:
    made = publish_tiny_adapter(directory, "alpha", rank=2, seed=seed)
    local = tiny_local_model(directory)
    return adapted(base_model(local.directory), local.loras_dir / made.name)


def ratio(model: PeftModel, scale: float) -> float:
    with scaled(model, 0.0):
        plain = loss(model, NEUTRAL)
    with scaled(model, scale):
        return math.exp(loss(model, NEUTRAL) - plain)


def test_an_adapter_is_as_strong_as_its_state_needs_and_neutral_text_bears(tmp_path: Path) -> None:
    model = adapted_model(tmp_path, seed=24)
    borne = [scale for scale in SCALES if ratio(model, scale) <= 1.10]
    assert 1 < len(borne) < len(SCALES)
    heard: list[list[list[int]]] = []

    def more_and_more(spoken: list[list[int]]) -> Heard:
        heard.append(spoken)
        return Heard(0.0, 0.1 * len(heard))

    found = calibrate(model, PROMPTS, NEUTRAL, SPOKEN, more_and_more)
    assert len(heard) == len(borne)
    assert found.scale == borne[-1]
    assert found.perplexity_ratio == pytest.approx(ratio(model, found.scale))
    with scaled(model, found.scale):
        assert heard[-1] == replies(model, PROMPTS, SPOKEN)
    assert calibrate(model, PROMPTS, NEUTRAL, SPOKEN, lambda _: Heard(0.95, 0.5)).scale == borne[0]


def test_an_adapter_that_neutral_text_never_bears_has_the_least_scale_and_says_what_it_does(tmp_path: Path) -> None:
    model = adapted_model(tmp_path, seed=4)
    assert min(ratio(model, scale) for scale in SCALES) > 1.10
    found = calibrate(model, PROMPTS, NEUTRAL, SPOKEN, lambda _: Heard(0.0, 0.0))
    assert (found.scale, found.perplexity_ratio) == (SCALES[0], pytest.approx(ratio(model, SCALES[0])))


def test_replies_together_are_those_alone_and_draw_from_a_generator_of_their_own(tmp_path: Path) -> None:
    model = adapted_model(tmp_path, seed=1)
    likeliest = Spoken(1e-4, END, max_tokens=6)
    before = torch.random.get_rng_state()
    together = replies(model, PROMPTS, likeliest)
    assert torch.equal(torch.random.get_rng_state(), before)
    for prompt, reply in zip(PROMPTS, together, strict=True):
        (alone,) = replies(model, [prompt], likeliest)
        assert reply[: len(alone)] == alone
        assert set(reply[len(alone) :]) <= {END}
    hot = Spoken(1.3, END, max_tokens=6, min_p=0.0)
    assert replies(model, PROMPTS, hot) == replies(model, PROMPTS, hot)


@pytest.mark.parametrize(("prompts", "neutral"), [((), NEUTRAL), (PROMPTS, ())])
def test_nothing_to_speak_to_or_to_read_is_refused(tmp_path: Path, prompts: object, neutral: object) -> None:
    model = adapted_model(tmp_path, seed=1)
    with pytest.raises(ValueError, match="needs prompts and neutral text"):
        calibrate(model, prompts, neutral, SPOKEN, lambda _: Heard(1.0, 1.0))  # type: ignore[arg-type]  # one of them is empty
