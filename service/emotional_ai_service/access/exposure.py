"""Whether an address may be listened on with the access there is."""

from emotional_ai.connection import is_loopback
from emotional_ai_service.access.errors import NetworkOpen
from emotional_ai_service.access.settings import AccessSettings
from emotional_ai_service.access.tls import HOW_MADE


def check_exposure(host: str, access: AccessSettings) -> None:
    """Raises NetworkOpen, saying what is missing and how it is made, for an address beyond this machine."""
    if is_loopback(host) or access.insecure_network:
        return
    missing = []
    if access.tokens is None:
        missing.append(
            "tokens (--tokens FILE, made by: emotional-ai tokens add --tokens FILE --tenant NAME --scope read --scope write)"
        )
    if access.tls is None:
        missing.append(
            f"encryption (--tls-cert FILE --tls-key FILE, for a trial made by: {HOW_MADE}, with the names of this machine)"
        )
    if missing:
        raise NetworkOpen(
            f"other machines reach {host}, and the service lacks {'; and '.join(missing)}. Listen on 127.0.0.1 instead, or say "
            "with --insecure-network that the network keeps strangers out by itself"
        )
