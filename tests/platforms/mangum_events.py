"""Every event that mangum's own tests make, one JSON line each: who takes it there, and what it is.

Usage: mangum_events.py FOLDER-OF-MANGUM'S-SOURCES

The tests are run by pytest; each event is written down where mangum chooses the handler for it.
"""

import json
import os
import sys
import types

import pytest


class Recorder:
    def __init__(self):
        self.lines = {}
        self.outcomes = {"passed": 0, "failed": 0}

    def record(self, handler, event):
        try:
            line = json.dumps({"handler": handler, "event": event}, sort_keys=True)
        except TypeError:
            # What is no JSON is no event that AWS could send.
            return
        self.lines.setdefault(line)

    def pytest_collection_modifyitems(self, items):
        import mangum.adapter
        from mangum.handlers import alb, api_gateway, lambda_at_edge

        for handler in (alb.ALB, api_gateway.APIGateway, api_gateway.HTTPGateway, lambda_at_edge.LambdaAtEdge):
            self.watch(handler)
        infer = mangum.adapter.Mangum.infer

        def inferred(adapter, event, context):
            try:
                return infer(adapter, event, context)
            except RuntimeError:
                self.record(None, event)
                raise

        mangum.adapter.Mangum.infer = inferred

    def watch(self, handler):
        begin = handler.__init__

        def begun(this, event, *rest):
            self.record(handler.__name__, event)
            begin(this, event, *rest)

        handler.__init__ = begun

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.outcome in self.outcomes:
            self.outcomes[report.outcome] += 1


def main():
    os.chdir(sys.argv[1])
    sys.path.insert(0, ".")
    sys.dont_write_bytecode = True
    # Only its tests on a cloud, which are left out, send requests with it.
    sys.modules["httpx2"] = types.ModuleType("httpx2")
    recorder = Recorder()
    words, sys.stdout = sys.stdout, sys.stderr
    pytest.main(["-q", "-p", "no:cacheprovider", "-k", "not real_lambda", "tests/handlers"], plugins=[recorder])
    sys.stdout = words
    if recorder.outcomes["failed"] or not recorder.outcomes["passed"]:
        sys.exit(f"mangum's own tests: {recorder.outcomes}")
    for line in recorder.lines:
        print(line)


main()
