"""Tokens and certificates, where they are named. No secret is told."""

from collections.abc import Iterator

from emotional_ai_service.doctor.finding import Finding, ok, warn, wrong
from emotional_ai_service.doctor.settings import DoctorSettings


def access(settings: DoctorSettings) -> Iterator[Finding]:
    """Whether callers can get in, and nobody else."""
    from emotional_ai_service.access.errors import AccessUnusable

    try:
        yield from _tokens(settings)
    except AccessUnusable as error:
        yield wrong("tokens", str(error), f"see to that file, or make one beside it: {_token_made('FILE')}")
    try:
        yield from _tls(settings)
    except AccessUnusable as error:
        yield wrong("tls", str(error), _how_made())
    yield from _exposure(settings)


def _tokens(settings: DoctorSettings) -> Iterator[Finding]:
    from emotional_ai_service.access.token_file import TokenFile

    if settings.tokens is None:
        return
    found = TokenFile(settings.tokens).read()
    if found:
        yield ok("tokens", f"{len(found)} in {settings.tokens}")
    else:
        yield warn(
            "tokens",
            f"{settings.tokens} holds none: nobody gets in",
            _token_made(str(settings.tokens)),
        )


def _tls(settings: DoctorSettings) -> Iterator[Finding]:
    from emotional_ai_service.access.settings import TlsSettings
    from emotional_ai_service.access.tls import check

    if settings.tls_cert is None and settings.tls_key is None:
        if settings.tls_client_ca is not None:
            yield wrong("tls", "--tls-client-ca is given without --tls-cert and --tls-key", _how_made())
        return
    if settings.tls_cert is None or settings.tls_key is None:
        yield wrong("tls", "a certificate and its key belong together: give --tls-cert and --tls-key", _how_made())
        return
    check(TlsSettings(settings.tls_cert, settings.tls_key, settings.tls_client_ca))
    yield ok("tls", f"{settings.tls_cert} and its key fit, and hold now")


def _exposure(settings: DoctorSettings) -> Iterator[Finding]:
    """Whether the service would listen beyond this machine with what it is given."""
    from emotional_ai_service.access.errors import NetworkOpen
    from emotional_ai_service.access.exposure import check_exposure
    from emotional_ai_service.access.settings import AccessSettings, TlsSettings

    tls = TlsSettings(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    try:
        check_exposure(settings.host, AccessSettings(tokens=settings.tokens, tls=tls))
    except NetworkOpen as error:
        yield wrong("network", str(error), "emotional-ai serve --host 127.0.0.1")


def _token_made(file: str) -> str:
    return f"emotional-ai tokens add --tokens {file} --tenant default --scope read --scope write"


def _how_made() -> str:
    from emotional_ai_service.access.tls import HOW_MADE

    return HOW_MADE
