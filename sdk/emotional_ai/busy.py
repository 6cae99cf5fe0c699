"""How busy a service is, in a few words."""

from emotional_ai.v1.inference_pb2 import GetLoadResponse


def replies(load: GetLoadResponse) -> str:
    """Such as "2 being decoded, 1 waiting (16 fit together)"."""
    fit = f" ({load.capacity} fit together)" if load.capacity else ""
    return f"{load.running} being decoded, {load.waiting} waiting{fit}"


def texts(load: GetLoadResponse) -> str:
    """Such as "12 of 30 carried a signal (40 %)": the classify rate since the service started."""
    if not load.appraised:
        return "none appraised yet"
    return f"{load.classified} of {load.appraised} carried a signal ({load.classified / load.appraised:.0%})".replace(
        "%", " %"
    )
