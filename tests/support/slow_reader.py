"""A client in a process of its own, which a test has stand still: `python slow_reader.py ADDRESS SESSION`.

It watches a session, opens a stream of its states, and writes a line for each state the stream tells: the version, and how
many changes were folded into it. It ends when the service says goodbye.
"""

import queue
import sys
from collections.abc import Iterator

import grpc

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub


def main(address: str, session_id: str) -> None:
    """Listens until it is killed, or the stream ends."""
    said: queue.SimpleQueue[pb.StreamStateRequest] = queue.SimpleQueue()
    said.put(pb.StreamStateRequest(open=pb.StreamOpen(session_id=session_id, credit=4)))

    def requests() -> Iterator[pb.StreamStateRequest]:
        while True:
            yield said.get()

    with grpc.insecure_channel(address) as channel:
        engine = EmotionEngineStub(channel)
        next(engine.WatchState(pb.WatchStateRequest(session_id=session_id)))
        for response in engine.StreamState(requests()):
            sys.stdout.write(f"{response.state.version} {response.coalesced}\n")
            sys.stdout.flush()
            said.put(pb.StreamStateRequest(ack=pb.StreamAck(sequence=response.sequence)))
            if response.draining:
                break


if __name__ == "__main__":
    main(*sys.argv[1:])
