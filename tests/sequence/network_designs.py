"""Compares designs of a network for the next page: dense layers over the window, causal convolutions, a gated recurrent unit.

Usage: network_designs.py SESSIONS.txt.gz [--epochs N] [--seed N]

The file has one session per line, page numbers in order. Learned from the first 51 % of the sessions, stopped by the 13 % after
them, measured on the 16 % after those; the last 20 % are not touched. Every design sees the same: the last 16 pages, and which
pages the session has been to; the 255 pages that are called most are classes of their own, all others are one. So do the counts
that they are measured beside: the two pages before, then one, then none, by interpolation (Kneser-Ney), with visited pages at a
factor chosen on the sessions that stop training.
"""

import argparse
import collections
import functools
import gzip

import jax
import jax.numpy as jnp
import numpy as np

WINDOW = 16
CLASSES = 256
OTHER = CLASSES - 1
START = CLASSES
EMBEDDING = 32
HIDDEN = 96
BATCH = 256
RESAMPLES = 2000


def read_sessions(path):
    with gzip.open(path, "rt") as lines:
        return [[int(page) for page in line.split()] for line in lines]


def to_classes(sessions, pages):
    classes = {page: number for number, page in enumerate(pages)}
    return [[classes.get(page, OTHER) for page in session] for session in sessions]


def rows(sessions):
    """Per predicted page: window i32[16], visited i32[.., 16 at most], next page, number of the session."""
    windows, visited, following, of_session = [], [], [], []
    for number, session in enumerate(sessions):
        for place in range(1, len(session)):
            before = session[max(0, place - WINDOW) : place]
            windows.append([START] * (WINDOW - len(before)) + before)
            been = np.zeros(CLASSES, np.bool_)
            been[session[:place]] = True
            visited.append(np.packbits(been))
            following.append(session[place])
            of_session.append(number)
    as_array = functools.partial(np.array, dtype=np.int32)
    return as_array(windows), np.array(visited), as_array(following), as_array(of_session)


def dense(generator, inputs, outputs):
    return generator.normal(0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32)


def common(generator, summary):
    """Embedding of pages, and the layers after the window's summary and the visited pages."""
    return {
        "embedding": generator.normal(0, 0.1, (CLASSES + 1, EMBEDDING)).astype(np.float32),
        "joined": dense(generator, summary + CLASSES, HIDDEN),
        "joined_bias": np.zeros(HIDDEN, np.float32),
        "output": dense(generator, HIDDEN, CLASSES) * 0.1,
        "output_bias": np.zeros(CLASSES, np.float32),
    }


def finish(parameters, summary, visited):
    joined = jnp.concatenate([summary, visited], axis=1) @ parameters["joined"] + parameters["joined_bias"]
    return jax.nn.relu(joined) @ parameters["output"] + parameters["output_bias"]


def dense_parameters(generator):
    return common(generator, WINDOW * EMBEDDING)


def dense_logits(parameters, window, visited):
    embedded = parameters["embedding"][window]
    return finish(parameters, embedded.reshape(window.shape[0], -1), visited)


def convolution_parameters(generator):
    layers = {}
    for layer, inputs in enumerate([EMBEDDING, HIDDEN, HIDDEN]):
        layers[f"kernel{layer}"] = generator.normal(0, np.sqrt(2 / (3 * inputs)), (3, inputs, HIDDEN)).astype(np.float32)
        layers[f"kernel_bias{layer}"] = np.zeros(HIDDEN, np.float32)
    return common(generator, HIDDEN) | layers


def convolution_logits(parameters, window, visited):
    hidden = parameters["embedding"][window]
    for layer, dilation in enumerate([1, 2, 4]):
        padded = jnp.pad(hidden, ((0, 0), (2 * dilation, 0), (0, 0)))
        shifted = [padded[:, tap * dilation : tap * dilation + WINDOW] @ parameters[f"kernel{layer}"][tap] for tap in range(3)]
        hidden = jax.nn.relu(sum(shifted) + parameters[f"kernel_bias{layer}"])
    return finish(parameters, hidden[:, -1], visited)


def recurrent_parameters(generator):
    scale = 1 / np.sqrt(HIDDEN)
    gates = {
        "input": generator.normal(0, 1 / np.sqrt(EMBEDDING), (EMBEDDING, 3 * HIDDEN)).astype(np.float32),
        "state": generator.normal(0, scale, (HIDDEN, 3 * HIDDEN)).astype(np.float32),
        "gate_bias": np.zeros(3 * HIDDEN, np.float32),
    }
    return common(generator, HIDDEN) | gates


def recurrent_logits(parameters, window, visited):
    embedded = parameters["embedding"][window]

    def step(state, page):
        by_page = page @ parameters["input"] + parameters["gate_bias"]
        by_state = state @ parameters["state"]
        reset, update, _ = jnp.split(jax.nn.sigmoid(by_page + by_state), 3, axis=1)
        candidate = jnp.tanh(by_page[:, 2 * HIDDEN :] + reset * by_state[:, 2 * HIDDEN :])
        return update * state + (1 - update) * candidate, None

    state, _ = jax.lax.scan(step, jnp.zeros((window.shape[0], HIDDEN)), jnp.swapaxes(embedded, 0, 1))
    return finish(parameters, state, visited)


DESIGNS = {
    "dense layers over the window": (dense_parameters, dense_logits),
    "causal convolutions": (convolution_parameters, convolution_logits),
    "gated recurrent unit": (recurrent_parameters, recurrent_logits),
}


def unpacked(visited):
    return np.unpackbits(visited, axis=1).astype(np.float32)


def train(design, training, stopping, epochs, seed):
    initial, logits = design
    generator = np.random.default_rng(seed)
    parameters = initial(generator)

    def loss(parameters, window, visited, following):
        log_shares = jax.nn.log_softmax(logits(parameters, window, visited))
        return -jnp.mean(jnp.take_along_axis(log_shares, following[:, None], axis=1))

    @jax.jit
    def step(parameters, first, second, count, window, visited, following):
        gradients = jax.grad(loss)(parameters, window, visited, following)
        first = jax.tree.map(lambda mean, gradient: 0.9 * mean + 0.1 * gradient, first, gradients)
        second = jax.tree.map(lambda mean, gradient: 0.999 * mean + 0.001 * gradient**2, second, gradients)
        rate = 2e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        moved = jax.tree.map(lambda at, mean, square: at - rate * mean / (jnp.sqrt(square) + 1e-8), parameters, first, second)
        return moved, first, second

    log_shares = jax.jit(lambda parameters, window, visited: jax.nn.log_softmax(logits(parameters, window, visited)))

    def predict(parameters, part):
        windows, visited, _, _ = part
        pieces = [
            np.asarray(log_shares(parameters, windows[at : at + 4096], unpacked(visited[at : at + 4096])))
            for at in range(0, len(windows), 4096)
        ]
        return np.concatenate(pieces)

    first = second = jax.tree.map(jnp.zeros_like, parameters)
    best, kept, count = np.inf, parameters, 0
    windows, visited, following, _ = training
    for _ in range(epochs):
        order = generator.permutation(len(windows))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[at : at + BATCH]
            count += 1
            parameters, first, second = step(
                parameters, first, second, count, windows[batch], unpacked(visited[batch]), following[batch]
            )
        held_out = -np.take_along_axis(predict(parameters, stopping), stopping[2][:, None], 1).mean()
        if held_out >= best:
            break
        best, kept = held_out, parameters
    size = sum(array.size for array in jax.tree.leaves(kept))
    return functools.partial(predict, kept), size


class Counts:
    """Interpolated absolute discounting over up to two pages before (Kneser and Ney, ICASSP 1995)."""

    DISCOUNT = 0.75

    def __init__(self, sessions):
        self.followers = collections.defaultdict(collections.Counter)
        for session in sessions:
            for place in range(1, len(session)):
                for length in range(min(2, place) + 1):
                    self.followers[tuple(session[place - length : place])][session[place]] += 1
        self.dense = {}

    def shares(self, context):
        if context not in self.dense:
            shorter = self.shares(context[1:]) if context else np.full(CLASSES, 1 / CLASSES)
            followers = self.followers.get(context)
            if followers:
                total = sum(followers.values())
                shares = shorter * self.DISCOUNT * len(followers) / total
                for page, count in followers.items():
                    shares[page] += (count - self.DISCOUNT) / total
            else:
                shares = shorter
            self.dense[context] = shares
        return self.dense[context]

    def predict(self, part, factor):
        windows, visited, _, _ = part
        shares = np.stack([self.shares(tuple(page for page in window[-2:] if page != START)) for window in windows.tolist()])
        shares = np.where(unpacked(visited) > 0, shares * factor, shares)
        return np.log(np.maximum(shares / shares.sum(axis=1, keepdims=True), 1e-9))


def nats(log_shares, part):
    return -np.take_along_axis(log_shares, part[2][:, None], 1)[:, 0]


def figures(log_shares, part):
    rank = (log_shares > np.take_along_axis(log_shares, part[2][:, None], 1)).sum(axis=1)
    return nats(log_shares, part).mean(), (rank == 0).mean(), (rank < 10).mean()


def mixed(one, other, share):
    return np.logaddexp(one + np.log(1 - share), other + np.log(share))


def best_share(counted, learned, part):
    return min(np.arange(0.1, 1, 0.1), key=lambda share: nats(mixed(counted, learned, share), part).mean())


def gain(before, after, part, generator):
    """Mean gain in nats per page, with the 95 % interval of a paired bootstrap over sessions."""
    gains = nats(before, part) - nats(after, part)
    sums = np.bincount(part[3], gains)
    counts = np.bincount(part[3])
    drawn = generator.integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return gains.mean(), *np.quantile(means, [0.025, 0.975])


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("sessions")
    arguments.add_argument("--epochs", type=int, default=12)
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    sessions = read_sessions(arguments.sessions)
    development = sessions[: len(sessions) * 4 // 5]
    ends = [len(development) * share // 100 for share in (64, 80)]
    called = collections.Counter(page for session in development[: ends[0]] for page in session)
    pages = [page for page, _ in called.most_common(OTHER)]
    parts = [development[: ends[0]], development[ends[0] : ends[1]], development[ends[1] :]]
    fit, stopping, measured = [rows(to_classes(part, pages)) for part in parts]
    generator = np.random.default_rng(arguments.seed)

    counts = Counts(to_classes(parts[0], pages))
    factor = min([0.02, 0.05, 0.1, 0.2, 0.5, 1.0], key=lambda factor: nats(counts.predict(stopping, factor), stopping).mean())
    counted = [counts.predict(part, factor) for part in (stopping, measured)]
    print(f"{len(measured[2])} pages of {len(parts[2])} sessions; visited pages count {factor} in the counts")
    print(f"{'':32} {'nats':>6} {'top 1':>7} {'top 10':>7} {'parameters':>10}  mixed with the counts: share, gain in nats")
    print("{:32} {:6.3f} {:7.1%} {:7.1%}".format("counts", *figures(counted[1], measured)))
    for name, design in DESIGNS.items():
        predict, size = train(design, fit, stopping, arguments.epochs, arguments.seed)
        learned = [predict(part) for part in (stopping, measured)]
        share = best_share(counted[0], learned[0], stopping)
        mean, low, high = gain(counted[1], mixed(counted[1], learned[1], share), measured, generator)
        figure = figures(learned[1], measured)
        print("{:32} {:6.3f} {:7.1%} {:7.1%} {:10}  {:.1f}, {:.3f} ({:.3f} to {:.3f})".format(name, *figure, size, share, mean, low, high))


if __name__ == "__main__":
    main()
