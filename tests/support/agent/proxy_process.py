"""A real HTTP proxy, a program of its own: `proxy_process [USER:PASSWORD]`.

It prints its port, then a line for each request: method and target. Names below `.example` are
this computer to it. Where it wants a credential it answers 407 without; it lets nobody through to
`forbidden.example`.
"""

import base64
import socket
import sys
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits for the client's acknowledgement
    wanted = ""

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def _is_refused(self, host: str) -> bool:
        print(self.command, self.path, flush=True)
        status = 0
        if self.wanted and self.headers.get("Proxy-Authorization") != self.wanted:
            status = 407
        elif host == "forbidden.example":
            status = 403
        if status:
            self.close_connection = True
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return bool(status)

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        if self._is_refused(host):
            return
        self.close_connection = True
        with socket.create_connection((_place(host), int(port))) as server:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pump, args=(server, self.connection), daemon=True)
            back.start()
            _pump(self.connection, server)
            back.join()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        if self._is_refused(target.hostname or ""):
            return
        headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
        query = f"?{target.query}" if target.query else ""
        server = HTTPConnection(_place(target.hostname or ""), target.port or 80)
        server.request(self.command, target.path + query, body=body or None, headers=headers)
        answer = server.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        server.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815


def _place(host: str) -> str:
    return "127.0.0.1" if host.endswith(".example") else host


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def main() -> None:
    """Serve until killed."""
    if len(sys.argv) > 1:
        pair = base64.b64encode(sys.argv[1].encode()).decode()
        _Handler.wanted = f"Basic {pair}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
