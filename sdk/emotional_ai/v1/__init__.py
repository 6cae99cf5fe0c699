"""Generated stubs of the contract; the source is protos/emotional_ai/v1."""
