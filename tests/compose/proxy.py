"""A proxy that asks the local API, whatever host it is asked for; it runs in a container."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

DIRECT = build_opener(ProxyHandler({}))


class Proxy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        try:
            answer = DIRECT.open(f"http://api:8000{asked.path}?{asked.query}")
        except HTTPError as error:
            answer = error
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


ThreadingHTTPServer(("", 8888), Proxy).serve_forever()
