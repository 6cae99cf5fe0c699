"""Generates the typed stubs of the contract into sdk/emotional_ai/v1 (`make protos`).

The stubs keep the validation rules inside their descriptors but do not import protovalidate's schema: a client then needs
grpcio and protobuf alone, while the service's validator still finds every rule.

    python protos/generate.py            writes the stubs
    python protos/generate.py --check    fails, naming the files, if the committed stubs differ from a fresh generation
"""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = Path("emotional_ai/v1")
RULES = "buf/validate/validate.proto"


def protoc(*arguments: str) -> None:
    """Runs the pinned protoc of grpcio-tools; its own message stands if it fails."""
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=True, cwd=ROOT)


def generate(target: Path) -> None:
    """Writes messages, services and their type stubs below `target`."""
    files = sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / PACKAGE).glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        described = Path(scratch) / "contract.binpb"
        protoc(f"-I{PROTOS}", "--include_imports", "--include_source_info", f"--descriptor_set_out={described}", *files)
        contract = FileDescriptorSet.FromString(described.read_bytes())
        for file in contract.file:
            kept = [name for name in file.dependency if name != RULES]
            del file.dependency[:]
            file.dependency.extend(kept)
        described.write_bytes(contract.SerializeToString())
        outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python")]
        outputs += [f"--{kind}_out=quiet:{target}" for kind in ("mypy", "mypy_grpc")]
        protoc(f"--descriptor_set_in={described}", *outputs, *files)
    for file in contract.file:
        if file.name in files and not file.service:
            for empty in (target / PACKAGE).glob(f"{Path(file.name).stem}_pb2_grpc.py*"):
                empty.unlink()


def differences(fresh: Path, committed: Path) -> list[str]:
    """Names of generated files that are missing, left over or different in `committed`."""
    names = {path.name for folder in (fresh, committed) for path in folder.glob("*_pb2*.py*")}
    _, different, missing = filecmp.cmpfiles(fresh, committed, sorted(names), shallow=False)
    return sorted(different + missing)


def main() -> int:
    if sys.argv[1:] != ["--check"]:
        generate(ROOT / "sdk")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = differences(Path(scratch) / PACKAGE, ROOT / "sdk" / PACKAGE)
    if stale:
        print(f"stubs differ from the contract: {', '.join(stale)}; run `make protos`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
