"""The flags of the backends become settings, and settings the decoder they name; what does not belong together is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import typer

from emotional_ai_service.decoding import BlendMode, LocalDecoder, Precision, RuntimeKind
from emotional_ai_service.decoding.tinker import TinkerDecoder, TinkerStartFailed
from emotional_ai_service.decoding.vllm import VllmDecoder
from emotional_ai_service.flags.backend import BackendFlags, BackendKind, HostedMode, backend_of
from emotional_ai_service.language import decoder_of
from emotional_ai_service.settings import Backend, LanguageSettings, LocalBackend, TinkerBackend, VllmBackend
from emotional_ai_training.adapters import Registry

NONE = BackendFlags(
    runtime=None,
    precision=None,
    max_replies=None,
    kv_memory=None,
    vllm_url=None,
    vllm_model=None,
    vllm_adapters=None,
    vllm_max_rank=None,
    tinker_url=None,
    tinker_model=None,
    tinker_adapters=None,
    blend_mode=None,
)
GIVEN: dict[str, object] = {
    "runtime": RuntimeKind.TORCH,
    "precision": Precision.INT8,
    "max_replies": 4,
    "kv_memory": 64,
    "vllm_url": "http://127.0.0.1:8000",
    "vllm_model": "ada",
    "vllm_adapters": Path("/blends"),
    "vllm_max_rank": 32,
    "tinker_url": "http://127.0.0.1:9000",
    "tinker_model": "tiny",
    "tinker_adapters": Path("adapters.json"),
    "blend_mode": HostedMode.RESCORED,
}
KEY = {"TINKER_API_KEY": "tml-secret"}


def chosen(kind: BackendKind, *names: str, environ: dict[str, str] | None = None) -> Backend:
    flags = replace(NONE, **{name: GIVEN[name] for name in names})  # type: ignore[arg-type]
    return backend_of(kind, flags, Path("/models/Small"), Path("/state"), environ or {})


def test_without_flags_it_decodes_here() -> None:
    assert chosen(BackendKind.LOCAL) == LocalBackend()


def test_flags_of_the_chosen_backend_are_its_settings() -> None:
    local = chosen(BackendKind.LOCAL, "runtime", "precision", "max_replies", "kv_memory")
    assert local == LocalBackend(RuntimeKind.TORCH, Precision.INT8, 4, 64)
    vllm = chosen(BackendKind.VLLM, "vllm_url", environ={"VLLM_API_KEY": "k"})
    assert vllm == VllmBackend("http://127.0.0.1:8000", "Small", Path("/state/vllm-blends"), 64, "k")
    named = chosen(BackendKind.VLLM, "vllm_url", "vllm_model", "vllm_adapters", "vllm_max_rank")
    assert named == VllmBackend("http://127.0.0.1:8000", "ada", Path("/blends"), 32)
    tinker = chosen(BackendKind.TINKER, "tinker_url", "tinker_model", "tinker_adapters", "blend_mode", environ=KEY)
    assert tinker == TinkerBackend(
        "http://127.0.0.1:9000", "tiny", "tml-secret", Path("adapters.json"), BlendMode.RESCORED
    )


def test_a_tinker_server_may_be_named_by_the_environment_of_the_trainings() -> None:
    environ = {**KEY, "TINKER_BASE_URL": "http://there", "MODEL_NAME": "small"}
    assert chosen(BackendKind.TINKER, environ=environ) == TinkerBackend("http://there", "small", "tml-secret")


def test_keys_are_not_shown() -> None:
    shown = repr(chosen(BackendKind.TINKER, "tinker_model", environ=KEY))
    assert "secret" not in shown
    assert "secret" not in repr(chosen(BackendKind.VLLM, "vllm_url", environ={"VLLM_API_KEY": "secret"}))


@pytest.mark.parametrize("kind", BackendKind)
@pytest.mark.parametrize("name", GIVEN)
def test_a_flag_of_another_backend_is_refused_by_name(kind: BackendKind, name: str) -> None:
    own = {
        BackendKind.LOCAL: ("runtime", "precision", "max_replies", "kv_memory"),
        BackendKind.VLLM: ("vllm_url", "vllm_model", "vllm_adapters", "vllm_max_rank"),
        BackendKind.TINKER: ("tinker_url", "tinker_model", "tinker_adapters", "blend_mode"),
    }
    needed = {BackendKind.VLLM: ("vllm_url",), BackendKind.TINKER: ("tinker_model",)}.get(kind, ())
    if name in own[kind]:
        chosen(kind, *needed, name, environ=KEY)
        return
    with pytest.raises(typer.BadParameter, match="belongs to --backend") as refusal:
        chosen(kind, *needed, name, environ=KEY)
    assert refusal.value.param_hint == f"--{name.replace('_', '-')}"


def test_what_a_backend_cannot_do_without_is_asked_for() -> None:
    with pytest.raises(typer.BadParameter, match="name the server"):
        chosen(BackendKind.VLLM)
    with pytest.raises(typer.BadParameter, match="TINKER_API_KEY"):
        chosen(BackendKind.TINKER, "tinker_model")
    with pytest.raises(typer.BadParameter, match="name a model"):
        chosen(BackendKind.TINKER, environ=KEY)


def test_an_address_or_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="must be an address"):
        backend_of(BackendKind.VLLM, replace(NONE, vllm_url="127.0.0.1:8000"), Path("m"), Path("s"), {})
    with pytest.raises(typer.BadParameter, match="must be an address"):
        chosen(BackendKind.TINKER, "tinker_model", environ={**KEY, "TINKER_BASE_URL": "there"})
    with pytest.raises(typer.BadParameter, match="begins with tml-") as refusal:
        chosen(BackendKind.TINKER, "tinker_model", environ={"TINKER_API_KEY": "sk-secret"})
    assert "secret" not in str(refusal.value)


def settings(backend: Backend, tmp_path: Path) -> LanguageSettings:
    return LanguageSettings(tmp_path / "model", tmp_path / "encoder", tmp_path / "cache", backend=backend)


def test_the_settings_name_the_decoder_and_where_its_adapters_lie(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "loras")
    local, hosted = decoder_of(settings(LocalBackend(), tmp_path), registry)
    assert isinstance(local, LocalDecoder)
    assert hosted is None
    vllm, hosted = decoder_of(settings(VllmBackend("http://there", "m", tmp_path / "blends"), tmp_path), registry)
    assert isinstance(vllm, VllmDecoder)
    assert hosted is None
    adapters = tmp_path / "adapters.json"
    adapters.write_text('{"balanced": "tinker://run/sampler_weights/final"}')
    tinker, hosted = decoder_of(settings(TinkerBackend("", "m", "tml-key", adapters), tmp_path), registry)
    assert isinstance(tinker, TinkerDecoder)
    assert hosted == frozenset({"balanced"})


def test_a_file_of_adapters_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    backend = TinkerBackend("", "m", "tml-key", tmp_path / "nowhere.json")
    with pytest.raises(TinkerStartFailed, match=r"nowhere\.json cannot be read"):
        decoder_of(settings(backend, tmp_path), Registry(tmp_path))
