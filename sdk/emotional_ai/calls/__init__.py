"""The calls of the contract, built once for both clients.

A function here turns a caller's arguments into a value that says which method to call with which request, how long to wait,
and what of the response to return. `Client` and `AsyncClient` only differ in how they carry such a value out.
"""

from emotional_ai.calls.call import Deadlines, Effort, Paged, Stubs, Unary, UnaryStream, new_request_id, unary

__all__ = ["Deadlines", "Effort", "Paged", "Stubs", "Unary", "UnaryStream", "new_request_id", "unary"]
