"""When a session was exported: marks beside its log, the last hundred, so that whoever deletes it learns of the copies."""

from collections.abc import Mapping

from emotional_ai_service.stores import LASTING, LASTING_KEPT


def export_times(marks: Mapping[str, int]) -> list[int]:
    """When a session was exported, microseconds since the epoch, oldest first, from its marks."""
    return sorted(time_us for name, time_us in marks.items() if name.startswith(LASTING))


def export_mark(marks: Mapping[str, int]) -> str:
    """Name of the mark for another export: a new one, or the oldest where there are as many as are kept."""
    kept = {name: time_us for name, time_us in marks.items() if name.startswith(LASTING)}
    if len(kept) < LASTING_KEPT:
        return f"{LASTING}{len(kept)}"
    return min(kept, key=lambda name: kept[name])
