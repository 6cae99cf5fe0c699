"""Flags of the command line that say where the language model decodes; those of a backend that was not chosen are refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from emotional_ai_service.decoding import BlendMode, Precision, RuntimeKind
from emotional_ai_service.settings import Backend, LocalBackend, TinkerBackend, VllmBackend


class BackendKind(StrEnum):
    """Where the language model decodes."""

    LOCAL = "local"
    VLLM = "vllm"
    TINKER = "tinker"


class HostedMode(StrEnum):
    """How a Tinker server answers a blend."""

    NEAREST = BlendMode.NEAREST.value
    MIXTURE = BlendMode.MIXTURE.value
    RESCORED = BlendMode.RESCORED.value


Kind = Annotated[
    BackendKind, typer.Option("--backend", help="Where the language model decodes: here, on a vLLM or a Tinker server.")
]
Runtime = Annotated[
    RuntimeKind | None,
    typer.Option(
        help="local: what computes; openvino on a CPU, torch as the reference there, cuda on a GPU.",
        show_default="openvino",
    ),
]
Format = Annotated[
    Precision | None,
    typer.Option(
        "--precision",
        help="local: number format; native is bfloat16 where the processor multiplies it, else float32; int8 costs quality.",
        show_default="native",
    ),
]
Replies = Annotated[
    int | None,
    typer.Option("--max-replies", min=1, max=4096, help="local: replies decoded together.", show_default="16"),
]
KvMemory = Annotated[
    int | None,
    typer.Option(
        "--kv-memory", metavar="MB", min=1, help="local: memory for the key-value cache, in MiB.", show_default="1024"
    ),
]
VllmUrl = Annotated[
    str | None,
    typer.Option("--vllm-url", metavar="URL", help="vllm: the server. VLLM_API_KEY is its key, if it was given one."),
]
VllmModel = Annotated[
    str | None,
    typer.Option(
        "--vllm-model", metavar="NAME", help="vllm: its name for the model.", show_default="the model's directory"
    ),
]
VllmBlends = Annotated[
    Path | None,
    typer.Option(
        "--vllm-adapters",
        metavar="DIR",
        help="vllm: directory for blends, read by the server too; emptied at the start.",
    ),
]
VllmRank = Annotated[
    int | None,
    typer.Option("--vllm-max-rank", min=1, max=512, help="vllm: its --max-lora-rank.", show_default="64"),
]
TinkerUrl = Annotated[
    str | None,
    typer.Option(
        "--tinker-url",
        metavar="URL",
        help="tinker: the server, opened by TINKER_API_KEY.",
        show_default="hosted Tinker",
    ),
]
TinkerModel = Annotated[
    str | None, typer.Option("--tinker-model", metavar="NAME", help="tinker: base model by the server's name for it.")
]
TinkerAdapters = Annotated[
    Path | None,
    typer.Option(
        "--tinker-adapters",
        metavar="FILE",
        help='tinker: adapters on the server, as JSON {"high_dopamine": "tinker://...", ...}.',
        show_default="the base model speaks alone",
    ),
]
Mode = Annotated[
    HostedMode | None,
    typer.Option("--blend-mode", help="tinker: how a blend is answered.", show_default="nearest"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendFlags:
    """What was given; None for what was not."""

    runtime: RuntimeKind | None
    precision: Precision | None
    max_replies: int | None
    kv_memory: int | None
    vllm_url: str | None
    vllm_model: str | None
    vllm_adapters: Path | None
    vllm_max_rank: int | None
    tinker_url: str | None
    tinker_model: str | None
    tinker_adapters: Path | None
    blend_mode: HostedMode | None

    @property
    def any_given(self) -> bool:
        """Whether there is any."""
        return any(getattr(self, name) is not None for names in _BELONGS.values() for name in names)


_BELONGS: Final[Mapping[BackendKind, tuple[str, ...]]] = {
    BackendKind.LOCAL: ("runtime", "precision", "max_replies", "kv_memory"),
    BackendKind.VLLM: ("vllm_url", "vllm_model", "vllm_adapters", "vllm_max_rank"),
    BackendKind.TINKER: ("tinker_url", "tinker_model", "tinker_adapters", "blend_mode"),
}


def backend_of(
    kind: BackendKind, flags: BackendFlags, model_dir: Path, state_dir: Path, environ: Mapping[str, str]
) -> Backend:
    """The backend the flags describe; keys come from `environ`, what it writes goes below `state_dir`.

    Raises BadParameter naming a flag that belongs to another backend, or one that is missing.
    """
    for other, names in _BELONGS.items():
        for name in names:
            if other is not kind and getattr(flags, name) is not None:
                raise typer.BadParameter(f"belongs to --backend {other.value}", param_hint=_flag(name))
    match kind:
        case BackendKind.LOCAL:
            return _local(flags)
        case BackendKind.VLLM:
            return _vllm(flags, model_dir, state_dir, environ.get("VLLM_API_KEY", ""))
        case BackendKind.TINKER:
            return _tinker(flags, environ)


def _local(flags: BackendFlags) -> LocalBackend:
    standard = LocalBackend()
    return LocalBackend(
        runtime=flags.runtime or standard.runtime,
        precision=flags.precision or standard.precision,
        replies=flags.max_replies or standard.replies,
        kv_megabytes=flags.kv_memory or standard.kv_megabytes,
    )


def _vllm(flags: BackendFlags, model_dir: Path, state_dir: Path, api_key: str) -> VllmBackend:
    return VllmBackend(
        url=_address(_needed(flags.vllm_url, "vllm_url", "name the server"), "vllm_url"),
        model=flags.vllm_model or model_dir.resolve().name,
        blends_dir=(flags.vllm_adapters or state_dir / "vllm-blends").resolve(),
        max_rank=flags.vllm_max_rank or 64,
        api_key=api_key,
    )


def _tinker(flags: BackendFlags, environ: Mapping[str, str]) -> TinkerBackend:
    key = environ.get("TINKER_API_KEY", "")
    if not key.startswith(("tml-", "eyJ")):
        problem = "needs TINKER_API_KEY in the environment, a key that begins with tml- (or a token, with eyJ)"
        raise typer.BadParameter(problem, param_hint="--backend tinker")
    url = flags.tinker_url or environ.get("TINKER_BASE_URL")
    return TinkerBackend(
        url=_address(url, "tinker_url") if url else "",
        base_model=_needed(
            flags.tinker_model or environ.get("MODEL_NAME"), "tinker_model", "name a model the server samples"
        ),
        api_key=key,
        adapters_file=flags.tinker_adapters,
        mode=BlendMode((flags.blend_mode or HostedMode.NEAREST).value),
    )


def _needed(given: str | None, name: str, advice: str) -> str:
    if not given:
        raise typer.BadParameter(f"is missing: {advice}", param_hint=_flag(name))
    return given


def _address(url: str, name: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(
            f"must be an address such as http://127.0.0.1:8000, got {url!r}", param_hint=_flag(name)
        )
    return url


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
