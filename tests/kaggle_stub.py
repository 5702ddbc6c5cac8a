"""A stand-in for Kaggle's API on 127.0.0.1, which the stock CLI reaches as an HTTP proxy."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REQUEST_LIMIT = 200  # a client that loops ends here
_REFUSALS = {
    401: "Unauthenticated",
    403: "Permission 'kernels.update' was denied",
    429: "Too many requests",
    500: "<html>Server Error</html>",
    503: "<html>The service is unavailable</html>",
}


@dataclass
class KaggleStub:
    """Records the calls; answers as Kaggle does, as far as its settings say.

    ``datasets``: references that exist. ``competitions``, ``kernels``: references that Kaggle knows (None:
    all). ``refuse``: a status that answers all calls. ``tokens``: new-style API tokens and whose they are.
    ``moved_to``: where Kaggle puts a kernel, whatever was asked for. ``upload_s``: what an upload takes.
    """

    datasets: set[str] = field(default_factory=set)
    competitions: set[str] | None = None
    kernels: set[str] | None = None
    refuse: int = 0
    tokens: dict[str, str] = field(default_factory=dict)
    moved_to: str = ""
    upload_s: float = 0.0
    calls: list[tuple[str, dict]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def __enter__(self) -> KaggleStub:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_POST(self):
                stub._answer(self)

            do_PUT = do_GET = do_POST

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def environment(self, home: Path, *, user: str | None = "someone") -> dict[str, str]:
        """Variables that make the stock CLI talk to this stub and to nothing else."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if "proxy" not in name.lower() and not name.startswith("KAGGLE_")
        }
        home.mkdir(parents=True, exist_ok=True)
        account = {"KAGGLE_USERNAME": user, "KAGGLE_KEY": "0" * 32} if user else {}
        return (
            kept
            | account
            | {
                "HOME": str(home),
                "KAGGLE_CONFIG_DIR": str(home / "kaggle"),
                "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
                "http_proxy": f"http://127.0.0.1:{self.port}",
                "https_proxy": "http://127.0.0.1:9",
            }
        )

    def sent(self, name: str) -> list[dict]:
        return [body for call, body in self.calls if call == name]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        name = handler.path.split("?")[0].rsplit("/", 1)[-1]
        if handler.command == "PUT":
            self.uploads[name] = raw
            self.calls.append(("PUT", {"name": name, "bytes": len(raw)}))
            time.sleep(self.upload_s)
            return _reply(handler, 200, {})
        body = json.loads(raw) if raw else {}
        self.calls.append((name, body))
        if len(self.calls) > REQUEST_LIMIT:
            return _reply(handler, 429, {"code": 429, "message": "too many requests"})
        if self.refuse:
            message = _REFUSALS[self.refuse]
            if self.refuse >= 500:  # a gateway's page, no JSON
                return _reply(handler, self.refuse, message)
            return _reply(handler, self.refuse, {"code": self.refuse, "message": message})
        answer = getattr(self, f"_{name}", None)
        if answer is None:
            return _reply(handler, 404, {"code": 404, "message": f"the stub does not know {name}"})
        status, content = answer(body)
        return _reply(handler, status, content)

    def _IntrospectToken(self, body: dict) -> tuple[int, dict]:
        owner = self.tokens.get(body.get("token", ""))
        return (
            (200, {"active": True, "username": owner, "userId": 1})
            if owner
            else (404, {"code": 404, "message": "Not found"})
        )

    def _SaveKernel(self, body: dict) -> tuple[int, dict]:
        def unknown(key: str, known: set[str] | None) -> list[str]:
            return [] if known is None else [source for source in body.get(key) or [] if source not in known]

        slug = self.moved_to or body.get("slug")
        return 200, {
            "ref": f"/code/{slug}",
            "url": f"https://www.kaggle.com/code/{slug}",
            "versionNumber": 3,
            "invalidCompetitionSources": unknown("competitionDataSources", self.competitions),
            "invalidKernelSources": unknown("kernelDataSources", self.kernels),
            "invalidDatasetSources": unknown("datasetDataSources", self.datasets or None),
        }

    def _GetDatasetStatus(self, body: dict) -> tuple[int, dict]:
        if f"{body.get('ownerSlug')}/{body.get('datasetSlug')}" in self.datasets:
            return 200, {"status": "READY"}
        return 404, {"code": 404, "message": "Not found"}

    def _StartBlobUpload(self, body: dict) -> tuple[int, dict]:
        return 200, {"token": f"token-{body['name']}", "createUrl": f"http://localhost/blobs/{body['name']}"}

    def _CreateDataset(self, body: dict) -> tuple[int, dict]:
        reference = f"{body['ownerSlug']}/{body['slug']}"
        self.datasets.add(reference)
        return 200, {
            "ref": reference,
            "url": f"https://www.kaggle.com/datasets/{reference}",
            "status": "ok",
            "error": "",
        }

    def _CreateDatasetVersion(self, body: dict) -> tuple[int, dict]:
        reference = f"{body['ownerSlug']}/{body['datasetSlug']}"
        if reference not in self.datasets:
            return 404, {"code": 404, "message": "Not found"}
        return 200, {
            "ref": reference,
            "url": f"https://www.kaggle.com/datasets/{reference}",
            "status": "ok",
            "error": "",
        }


def _reply(handler: BaseHTTPRequestHandler, status: int, content: dict | str) -> None:
    data = (content if isinstance(content, str) else json.dumps(content)).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "text/html" if isinstance(content, str) else "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
