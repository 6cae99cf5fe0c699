"""What the doctor makes of a machine and its packages, told to it as values."""

from importlib.metadata import PackageNotFoundError

import pytest

from emotional_ai_service.doctor import installation, machine
from emotional_ai_service.doctor.command import as_object, as_text
from emotional_ai_service.doctor.finding import Finding, Standing, looked, ok, warn, wrong

TOLD = (
    "grpcio>=1.85",
    "numpy>=2; extra == 'service'",
    "emotional-ai[service]; extra == 'local'",
    "torch==2.13.0; extra == 'local'",
    "mcp==2.3.*; extra == 'mcp'",
    "prometheus-client>=0.24; extra == 'observability'",
    "opentelemetry-sdk>=1.40; extra == 'observability'",
)
WHOLE = {"numpy": "2.4", "torch": "2.13.0", "prometheus-client": "0.26", "opentelemetry-sdk": "1.45"}


def packages(there: dict[str, str], *, engine_only: bool = False) -> dict[str, Finding]:
    def versions(name: str) -> str:
        if name not in there:
            raise PackageNotFoundError(name)
        return there[name]

    found = installation.packages(engine_only=engine_only, versions=versions, told=TOLD)
    return {one.subject: one for one in found}


def test_an_old_python_is_wrong() -> None:
    assert [one.standing for one in installation.python((3, 10, 4))] == [Standing.WRONG]
    assert [one.standing for one in installation.python((3, 11, 0))] == [Standing.OK]
    assert [one.standing for one in installation.python()] == [Standing.OK]


def test_whole_packages_are_ok_and_extras_nobody_installed_are_too() -> None:
    found = packages(WHOLE)
    assert {one.standing for one in found.values()} == {Standing.OK}
    assert "pip install 'emotional-ai[mcp]'" in found["packages [mcp]"].said


@pytest.mark.parametrize("lost", ["numpy", "torch"])
def test_a_package_the_service_needs_is_missed_with_the_command_that_installs_it(lost: str) -> None:
    found = packages({name: number for name, number in WHOLE.items() if name != lost})["packages [local]"]
    assert (found.standing, found.said) == (Standing.WRONG, f"{lost} is missing")
    assert found.mend == "pip install 'emotional-ai[local]'"


def test_a_version_that_does_not_fit_is_named_with_the_one_that_does() -> None:
    found = packages(WHOLE | {"torch": "2.12.1"})["packages [local]"]
    assert (found.standing, found.said) == (Standing.WRONG, "torch 2.12.1 is not ==2.13.0")
    assert "packages [service]" in packages(WHOLE | {"torch": "2.12.1"}, engine_only=True)


def test_half_an_extra_is_to_be_looked_to() -> None:
    found = packages(WHOLE | {"opentelemetry-sdk": "1.2"})["packages [observability]"]
    assert (found.standing, found.mend) == (Standing.WARN, "pip install 'emotional-ai[observability]'")


@pytest.mark.parametrize(
    ("mebibytes", "engine_only", "standing"),
    [
        (16_000, False, Standing.OK),
        (1_500, False, Standing.WARN),
        (600, False, Standing.WRONG),
        (600, True, Standing.OK),
        (50, True, Standing.WRONG),
    ],
)
def test_memory_is_judged_by_what_the_service_takes(mebibytes: int, engine_only: bool, standing: Standing) -> None:
    meminfo = f"MemTotal: 99999999 kB\nMemAvailable:   {mebibytes * 1024} kB\n"
    (found,) = machine.memory(meminfo, engine_only=engine_only)
    assert found.standing is standing
    assert bool(found.mend) is (standing is not Standing.OK)


def test_a_processor_is_judged_by_what_it_multiplies() -> None:
    told = {
        flags: next(iter(machine.processor(f"flags : fpu {flags}", 2)))
        for flags in ("avx2 amx_bf16", "avx2 avx512_bf16", "avx2", "sse2")
    }
    assert [one.standing for one in told.values()] == [Standing.OK, Standing.OK, Standing.OK, Standing.WARN]
    assert "amx_bf16" in told["avx2 amx_bf16"].said
    assert "float32" in told["avx2"].said


def test_few_files_and_a_clock_nothing_keeps_in_step_are_told_with_what_mends_them() -> None:
    (few,), (many,) = machine.files(256), machine.files(65_536)
    assert (few.standing, few.mend, many.standing) == (Standing.WARN, "ulimit -n 4096", Standing.OK)
    (loose,), (kept,), (untold,) = machine.clock(5), machine.clock(0), machine.clock(-1)
    assert (loose.standing, kept.standing, untold.standing) == (Standing.WARN, Standing.OK, Standing.OK)
    assert "chrony" in loose.mend


def test_a_look_that_lacks_a_package_says_so_and_ends_no_other() -> None:
    def look() -> list[Finding]:
        import a_package_nobody_has  # type: ignore[import-not-found]  # noqa: F401

        return []

    (found,) = looked("store", look)
    assert found.standing is Standing.WRONG
    assert "a_package_nobody_has" in found.said
    assert found.mend.startswith("pip install")


def test_findings_are_told_as_lines_and_as_an_object() -> None:
    found = [ok("python", "3.11"), warn("clock", "loose", "chrony"), wrong("port", "taken", "serve --port 50052")]
    lines = as_text(found).splitlines()
    assert lines[0] == "ok    python  3.11"
    assert lines[-3:-1] == ["wrong port    taken", "              -> serve --port 50052"]
    assert lines[-1] == "1 ok, 1 to be looked to, 1 wrong"
    assert '"ok": false' in as_object(found)
    assert '"ok": true' in as_object(found[:2])
