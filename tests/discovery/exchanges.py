"""What both tools need: successful requests from exchange JSONL, and the output that `apiward discover --json` prints."""

import json

# Of a path component, what anybody would tell a tool beforehand: numbers, UUIDs, long hexadecimal numbers, dates.
CLEAR_VALUES = {
    "NUM": r"[0-9]+",
    "UUID": r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "HEX": r"[0-9a-f]{7,64}",
    "DATE": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
}


def successful_requests(file):
    """Host, method, path without query and the exchange, for requests that were answered with less than 400.

    Whoever uses such a tool leaves scanners' noise out as far as it is recognised by its status.
    """
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            if exchange.get("status", 200) < 400:
                yield exchange.get("host", ""), exchange["method"], exchange["path"].split("?")[0], exchange


def print_endpoints(endpoints):
    """Prints triples of host, method and template."""
    listed = [{"host": host, "method": method, "template": template} for host, method, template in sorted(endpoints)]
    print(json.dumps({"endpoints": listed}))
