"""Makes a function that builds a call look like the client's method that carries it out."""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar, get_args

Method = TypeVar("Method", bound=Callable[..., Any])


def as_method(method: Method, build: Callable[..., Any], container: Any = None) -> Method:
    """`method` with name, docstring and parameters of `build`, after `self`; it returns what the call gives, in `container`."""
    update_wrapper(method, build)
    described = inspect.signature(build)
    (given,) = get_args(described.return_annotation)
    client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = described.replace(  # type: ignore[attr-defined]
        parameters=[client, *described.parameters.values()],
        return_annotation=container[given] if container else given,
    )
    return method
