"""What deploys the service is valid by the rules of others, and fits the command line, the image and itself."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate
import pytest
import typer
from manifests import DEPLOY, KUBERNETES, ROOT, compose, container, objects, of_kind, ours, pod, workloads

from emotional_ai.cli import app
from emotional_ai.connection import service_address
from emotional_ai_service.settings import Settings

CONTAINERFILE = DEPLOY / "Containerfile"
VERSIONS = ("1.31.0", kubernetes_validate.latest_version())
ISOLATED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def linted(path: Path) -> "subprocess.CompletedProcess[str]":
    program = str(Path(sys.executable).with_name("hadolint"))  # of the extra dev
    return subprocess.run([program, str(path)], capture_output=True, text=True, timeout=60, check=False)


def test_the_linter_of_container_files_finds_nothing(tmp_path: Path) -> None:
    ran = linted(CONTAINERFILE)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")
    wrong = tmp_path / "Containerfile"
    wrong.write_text("FROM python\nRUN cd /tmp && sudo pip install x\n")
    assert "DL3004" in linted(wrong).stdout


def test_the_image_runs_as_nobody_in_particular_and_is_built_without_secrets() -> None:
    text = CONTAINERFILE.read_text(encoding="utf-8")
    final = text.split("\nFROM ")[-1]
    assert re.findall(r"^USER (.+)$", final, re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"^(ARG|ENV) .*(TOKEN|KEY|PASSWORD|SECRET)", text, re.MULTILINE)
    copied = {one for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for one in line.split()}
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / one).exists() for one in copied)
    assert ignored[1] == "*"


def test_the_compose_file_keeps_to_the_specification() -> None:
    options = compose_spec.PyOptions()
    options.apply_merge = True
    read = options.from_yaml((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    read.validate()
    assert set(read.service_names()) == {"engine", "page", "redis", "prometheus"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_every_manifest_keeps_to_the_strict_schema(path: Path, version: str) -> None:
    for one in objects(path):
        kubernetes_validate.validate(one, version, strict=True)


def test_the_schema_would_find_a_misspelled_field() -> None:
    (service,) = (one for one in of_kind("Service") if one["metadata"]["name"] == "engine")
    service["spec"]["clusterIp"] = "None"
    with pytest.raises(kubernetes_validate.ValidationError, match="clusterIp"):
        kubernetes_validate.validate(service, VERSIONS[-1], strict=True)


def test_every_command_and_flag_that_is_used_exists() -> None:
    commands: Any = typer.main.get_command(app)
    used = list(ours())
    assert {name for name, *_ in used} == {
        *("compose engine", "compose page"),
        *("kubernetes engine", "kubernetes language", "kubernetes page"),
    }
    for name, (command, *flags), _ in used:
        known = {one for parameter in commands.get_command(None, command).params for one in parameter.opts}
        assert {flag.partition("=")[0] for flag in flags} <= known, name
    for probe in probes():
        if "exec" in probe and probe["exec"]["command"][0] == "emotional-ai":
            assert commands.get_command(None, probe["exec"]["command"][1]) is not None


def test_every_variable_that_is_set_is_one_that_is_read() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8") for top in ("sdk", "service") for path in (ROOT / top).rglob("*.py")
    )
    for name, _, environment in ours():
        for variable, value in environment.items():
            assert f'"{variable}"' in sources, f"{name} sets {variable}, which nothing reads"
            if variable == "EMOTIONAL_AI_TARGET":
                assert service_address(value) == value


def test_nothing_listens_beyond_its_machine_without_tokens_and_encryption() -> None:
    for name, arguments, _ in ours():
        if arguments[0] == "serve":
            flags = {flag.partition("=")[0] for flag in arguments}
            assert {"--tokens", "--tls-cert", "--tls-key"} <= flags, name
            assert "--insecure-network" not in flags
    published = [port for service in compose()["services"].values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_manifest_holds_a_secret() -> None:
    assert of_kind("Secret") == []
    for workload in workloads():
        for one in container(workload).get("env", ()):
            secret = re.search(r"TOKEN|AUTH|PASSWORD|REDIS_URL", one["name"])
            assert bool(secret) is ("secretKeyRef" in one.get("valueFrom", {})), one["name"]


def test_every_container_is_as_confined_as_it_can_be() -> None:
    for workload in workloads():
        spec = pod(workload)
        assert container(workload)["securityContext"] == ISOLATED
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(workload)["resources"]["limits"]["memory"]
    for service in compose()["services"].values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_what_a_pod_mounts_is_there_and_whom_selectors_mean_too() -> None:
    labels = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads()]
    for workload in workloads():
        claimed = workload["spec"].get("volumeClaimTemplates", ())
        volumes = {one["name"] for one in pod(workload).get("volumes", ())} | {
            one["metadata"]["name"] for one in claimed
        }
        assert {one["name"] for one in container(workload)["volumeMounts"]} == volumes
        assert workload["spec"]["selector"]["matchLabels"] in labels
    for service in of_kind("Service"):
        meant = [one for one in workloads() if service["spec"]["selector"].items() <= _labels(one).items()]
        assert len(meant) == 1
        ports = {port["name"] for port in container(meant[0])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for budget in of_kind("PodDisruptionBudget"):
        (meant,) = (
            one for one in workloads() if budget["spec"]["selector"]["matchLabels"].items() <= _labels(one).items()
        )
        assert budget["spec"]["maxUnavailable"] < meant["spec"]["replicas"]


def test_a_replica_has_the_time_to_drain() -> None:
    drains = 2 * Settings().drain_seconds
    engines = [one for one in workloads() if "serve" in container(one)["args"]]
    assert len(engines) == 2
    for workload in engines:
        waits = container(workload)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod(workload)["terminationGracePeriodSeconds"] >= waits + drains + 5
        assert workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container(workload).keys()
    assert int(compose()["services"]["engine"]["stop_grace_period"].removesuffix("s")) >= drains + 5


def test_redis_keeps_what_it_acknowledged_and_drops_nothing_for_room() -> None:
    (redis,) = of_kind("StatefulSet")
    for arguments in (container(redis)["args"], compose()["services"]["redis"]["command"]):
        given = dict(zip(arguments[1::2], arguments[2::2], strict=True))
        assert (given["--appendonly"], given["--maxmemory-policy"]) == ("yes", "noeviction")


def test_kubectl_renders_the_manifests() -> None:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("no kubectl here")
    ran = subprocess.run(
        [program, "kustomize", str(DEPLOY / "kubernetes")], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("\nkind: ") == len(objects())


def probes() -> Iterator[Any]:
    """Every probe of every container."""
    for workload in workloads():
        yield from (probe for name, probe in container(workload).items() if name.endswith("Probe"))


def _labels(workload: Any) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels
