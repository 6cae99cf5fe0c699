"""A server that repeats what it was asked with in its refusal, as some gateways do."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 401

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        said = f"refused: {self.headers}"
        body = json.dumps({"error": {"message": said}, "detail": said}).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Writes nothing to the test's own log."""


@contextmanager
def echoing_server(status: int) -> Iterator[str]:
    """Answers everything with a status and the headers of the request; yields its address."""
    handler = type("Echo", (_Echo,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
