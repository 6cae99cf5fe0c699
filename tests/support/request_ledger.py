"""A ledger kept beside the service: which requests were acknowledged, to hold the exported log against."""

from collections import Counter
from collections.abc import Sequence

from senders import Sender, UnarySender, assert_whole

from emotional_ai import Client


def acknowledged(senders: Sequence[Sender]) -> set[str]:
    """The request ids whose acknowledgement has come, by what the senders heard."""
    return {
        f"{one.name}.{n}" for one in senders if isinstance(one, UnarySender) for n in range(1, one.acknowledged + 1)
    }


def assert_agrees(client: Client, senders: Sequence[Sender], session_id: str) -> None:
    """Nothing acknowledged lost, nothing applied twice, and the state the replay of the log."""
    written = client.export_session(session_id).entries[1:]  # The first is the creation, a request of the client's own.
    entries = Counter(entry.request_id for entry in written if entry.request_id)
    ledger = acknowledged([one for one in senders if one.session_id == session_id])
    assert entries == dict.fromkeys(ledger, 1)
    assert_whole(client, senders, session_id)
