"""The specifications have Kiro's form, and every criterion is traced to a task and the tests that prove it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
FOR_KIRO = ROOT / ".kiro" / "specs"
FILES = ("requirements.md", "design.md", "tasks.md")
FEATURES = sorted(page.parent.name for page in SPECS.glob("*/requirements.md"))


def test_every_feature_is_linked_where_kiro_looks() -> None:
    assert sorted(link.name for link in FOR_KIRO.iterdir()) == FEATURES
    for name in FEATURES:
        link = FOR_KIRO / name
        assert link.readlink() == Path("../../specs") / name, f"{link} is no relative link to specs/{name}"
        for file in FILES:
            assert (link / file).is_file(), f"{link} leads to no {file}"
