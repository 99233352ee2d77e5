"""The web service that faults happen to: it answers the constant load, and dies in the middle of a word when asked to end.

A release with a file `crash` ends as soon as it is started. A host with a file /run/stubborn makes its instances ignore the
request to end, so that the time between two releases is long.
"""

import http.server
import os
import signal
import socket
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.realpath(__file__))
SERVED_BY = f"{socket.gethostname()} {os.environ.get('ANDON_RELEASE', 'unknown')}"
MOST = 1 << 20


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/healthz":
            self.answer(b"ok\n")
        elif path == "/text":
            asked = dict(urllib.parse.parse_qsl(query))
            size = min(int(asked.get("bytes", 0)), MOST)
            line = asked.get("number", "0").encode() + b"\n"
            body = (line * (size // len(line) + 1))[:size]
            self.answer(body, int(asked.get("ms", 0)) / 1000)
        else:
            with open(os.path.join(HERE, "mark"), "rb") as mark:
                self.answer(b"The shop: " + mark.read())

    def answer(self, body, late=0):
        head = f"HTTP/1.1 200 OK\r\nServed-By: {SERVED_BY}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        half = len(body) // 2 if late else len(body)
        time.sleep(late / 2)
        self.wfile.write(head + body[:half])
        if late:
            time.sleep(late / 2)
            self.wfile.write(body[half:])

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def end(_signal, _frame):
    if not os.path.exists("/run/stubborn"):
        os._exit(0)


if os.path.exists(os.path.join(HERE, "crash")):
    sys.exit("this release cannot start")
signal.signal(signal.SIGTERM, end)
Server(("", int(sys.argv[1])), Answer).serve_forever()
