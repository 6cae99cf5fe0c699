"""The whole service on a backend elsewhere: `emotional-ai serve --backend tinker`, on the local Tinker-compatible server."""

import json
from collections.abc import Iterator

import pytest
from loopback import service_process
from tinker_loopback import KEY, LEFT_OPEN, base_model, tinker_service
from tinker_speaking import trained
from tiny_training import roomy_model

from emotional_ai import Chemistry, Client, FailedPrecondition, Sampling
from emotional_ai.v1 import inference_pb2 as pb

pytestmark = pytest.mark.filterwarnings(LEFT_OPEN)
EAGER = Chemistry(dopamine=0.9, serotonin=0.6, cortisol=0.3, oxytocin=0.5)
HOSTED = ("high_dopamine", "balanced")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    place = tmp_path_factory.mktemp("tinker")
    model = roomy_model(place / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_TELEMETRY", "0")
        patch.setenv("TINKER_API_KEY", KEY)
        with tinker_service(base_model(model), place / "state") as server:
            with server.client() as trainer:
                adapters = {one.name: one.path for one in trained(trainer, "tiny", HOSTED).adapters}
            (place / "adapters.json").write_text(json.dumps(adapters))
            flags = ("--backend", "tinker", "--tinker-url", server.base_url, "--tinker-model", "tiny")
            where = ("--model", str(model), "--loras", str(place / "loras"))
            named = ("--tinker-adapters", str(place / "adapters.json"), "--blend-mode", "nearest")
            with service_process(*flags, *where, *named) as served, Client(served.address) as client:
                yield client


def test_a_reply_names_the_adapter_that_spoke_and_how_it_was_chosen(client: Client) -> None:
    model = client.get_model()
    assert (model.backend, model.follows) == ("tinker", False)
    assert pb.BLEND_MODE_NEAREST in model.blend_modes
    with client.generate("the sea", under=EAGER, sampling=Sampling(seed=1, max_tokens=6)) as reply:
        reply.read()
    assert reply.applied is not None
    assert reply.applied.blend_mode == pb.BLEND_MODE_NEAREST
    assert [one.adapter for one in reply.applied.blend] == ["high_dopamine"]
    assert reply.applied.kv_policy == pb.KV_POLICY_UNSPECIFIED
    assert (reply.applied.repetition_penalty, reply.applied.min_p) == (1.0, 0.0)


def test_a_turn_under_a_session_is_spoken_without_following(client: Client) -> None:
    client.create_session("ada")
    with client.converse("ada", "the sea", sampling=Sampling(seed=1, max_tokens=6)) as reply:
        reply.read()
    assert reply.applied is not None
    assert [one.adapter for one in reply.applied.blend] == ["balanced"]
    assert not reply.changes


def test_what_this_backend_cannot_do_is_refused(client: Client) -> None:
    moving = pb.BlendChange(token_index=2, temperature=1, top_p=1)
    wanted = pb.ExplicitExpression(chemistry=EAGER, schedule=[moving])
    with client.generate("the sea", under=wanted) as reply, pytest.raises(FailedPrecondition) as refusal:
        reply.read()
    assert refusal.value.reason == "CANNOT_FOLLOW"
    cut = Sampling(max_tokens=6, min_p=0.3)
    with client.generate("the sea", under=EAGER, sampling=cut) as reply, pytest.raises(FailedPrecondition) as refusal:
        reply.read()
    assert refusal.value.reason == "CANNOT_BLEND"
    assert "has no min_p" in str(refusal.value)
