"""SAM's own API Gateway in front of AWS's Runtime Interface Emulator: plain HTTP to events and back.

Usage: gateway.py rest|http PORT URL-OF-THE-EMULATOR

`rest` makes events of a REST API (payload 1.0), `http` those of an HTTP API (payload 2.0). It uses the
inside of samcli, whose version requirements.txt pins.
"""

import sys
import threading
import urllib.error
import urllib.request

from samcli.lib.providers.provider import Api
from samcli.local.apigw.local_apigw_service import LocalApigwService
from samcli.local.apigw.route import Route

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
ROUTES = {
    "rest": [
        Route("function", "/", METHODS, event_type=Route.API),
        Route("function", "/{proxy+}", METHODS, event_type=Route.API),
    ],
    "http": [
        Route("function", "$default", METHODS, event_type=Route.HTTP, payload_format_version="2.0", is_default_route=True),
    ],
}


class Emulator:
    """Runs the function: what SAM would do in a container, done by the emulator."""

    def __init__(self, url):
        self.url = url
        # The emulator takes one invocation at a time.
        self.lock = threading.Lock()

    def is_debugging(self):
        return False

    def invoke(self, name, event, tenant_id=None, stdout=None, stderr=None, **_):
        with self.lock:
            try:
                with urllib.request.urlopen(urllib.request.Request(self.url, data=event.encode()), timeout=60) as answer:
                    body = answer.read()
            except urllib.error.HTTPError as error:
                body = error.read()
        stdout.write_str(body.decode())


def main():
    kind, port, url = sys.argv[1:]
    api = Api(routes=ROUTES[kind])
    api.binary_media_types_set = {"application/octet-stream", "image/png"}
    service = LocalApigwService(api, Emulator(url), port=int(port), host="127.0.0.1")
    service.create()
    service.run()


main()
