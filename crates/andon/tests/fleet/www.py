"""A web service: its pages are files beside it, so that each release says and does what its files say."""

import http.server
import os
import signal
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
PAGES = {"/": "mark", "/healthz": "health", "/orders": "orders"}


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = os.path.join(HERE, PAGES.get(self.path, "nothing"))
        found = os.path.exists(path)
        body = open(path, "rb").read() if found else b"no such page"
        self.send_response(200 if found else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def end(_signal, _frame):
    # A host can make its instances stubborn until it boots again, to make the time between two releases long.
    if not os.path.exists("/run/stubborn"):
        os._exit(0)


signal.signal(signal.SIGTERM, end)
http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Answer).serve_forever()
