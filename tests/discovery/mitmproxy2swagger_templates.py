"""Endpoints by mitmproxy2swagger, in its two steps: the first suggests path templates, the second describes those that a person
accepted by removing `ignore:`. Here all suggestions are accepted.

Settings: `--param-regex` takes numbers, UUIDs, long hexadecimal numbers and dates (its default is numbers only), and
`--suppress-params` keeps paths with such values out of the suggestions, as its manual advises. Its result depends on the set of
methods and paths only, so each is handed over once: it compares every new path with all before.
"""

import contextlib
import io
import json
import pathlib
import sys
import tempfile

import ruamel.yaml
from exchanges import CLEAR_VALUES, print_endpoints, successful_requests
from mitmproxy2swagger.mitmproxy2swagger import main as mitmproxy2swagger


def har_entry(host, method, path, exchange):
    return {
        "request": {"method": method, "url": f"https://{host}{path}", "headers": []},
        "response": {
            "status": exchange.get("status", 200),
            "statusText": "",
            "headers": [],
            "content": {"mimeType": "application/json", "text": exchange.get("response_body") or "{}"},
        },
    }


def describe(har, document, host):
    parameter = "|".join(CLEAR_VALUES.values())
    arguments = ["-i", str(har), "-o", str(document), "-p", f"https://{host}", "-f", "har", "-s", "-r", f"(?:{parameter})"]
    with contextlib.redirect_stdout(io.StringIO()):
        mitmproxy2swagger(arguments)


def accept_suggestions(document):
    yaml = ruamel.yaml.YAML()
    described = yaml.load(document)
    described["x-path-templates"] = [path.removeprefix("ignore:") for path in described["x-path-templates"]]
    yaml.dump(described, document)


def main(file):
    distinct = {}
    for host, method, path, exchange in successful_requests(file):
        distinct.setdefault(host, {}).setdefault((method, path), har_entry(host, method, path, exchange))
    endpoints = set()
    for host, entries in distinct.items():
        with tempfile.TemporaryDirectory() as folder:
            har = pathlib.Path(folder, "traffic.har")
            document = pathlib.Path(folder, "openapi.yaml")
            har.write_text(json.dumps({"log": {"version": "1.2", "entries": list(entries.values())}}), encoding="utf-8")
            describe(har, document, host)
            accept_suggestions(document)
            describe(har, document, host)
            described = ruamel.yaml.YAML(typ="safe").load(document)
        for template, methods in described["paths"].items():
            endpoints.update((host, method.upper(), template) for method in methods if method != "parameters")
    print_endpoints(endpoints)


if __name__ == "__main__":
    main(sys.argv[1])
