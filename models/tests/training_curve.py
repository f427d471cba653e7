"""Repeats a training run of the autoencoder in JAX and compares losses and parameters.

Usage: training_curve.py RUN.json

The file holds the starting parameters, the batches, the constants of the optimiser, and the losses and final
parameters to compare with. Exits with 1 and says where the two runs part when they do.

Only the definition of the network and of Adam is shared with the implementation under test, not its derivation:
gradients come from JAX's own differentiation, the loss is written with its two branches.
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

LOSS_TOLERANCE = 1e-4
"""Relative deviation of a loss."""

PARAMETER_TOLERANCE = 1e-3
"""Deviation of a final parameter, absolute and relative."""


def named_arrays(tensors):
    return {tensor["name"]: np.array(tensor["values"], np.float32).reshape(tensor["shape"]) for tensor in tensors}


def reconstruct(parameters, corrupted, visible):
    activations = jnp.concatenate([corrupted * visible, visible], axis=1)
    layers = len([name for name in parameters if name.startswith("hidden") and name.endswith(".weight")])
    for layer in range(layers):
        weight, bias = parameters[f"hidden{layer}.weight"], parameters[f"hidden{layer}.bias"]
        activations = jax.nn.relu(activations @ weight + bias)
    return activations @ parameters["output.weight"] + parameters["output.bias"]


def loss(parameters, batch, huber_delta):
    reconstruction = reconstruct(parameters, batch["corrupted"], batch["visible"])
    distance = jnp.abs(reconstruction - batch["features"])
    robust = jnp.where(distance <= huber_delta, distance**2, huber_delta * (2 * distance - huber_delta))
    visible_count = jnp.maximum(batch["visible"].sum(axis=1), 1)
    row_loss = jnp.where(batch["visible"] == 1, robust, 0).sum(axis=1) / visible_count
    return (row_loss * batch["weights"]).mean()


def adam_update(parameter, moment, variance, gradient, step, learning_rate, adam):
    moment = adam["beta1"] * moment + (1 - adam["beta1"]) * gradient
    variance = adam["beta2"] * variance + (1 - adam["beta2"]) * gradient**2
    unbiased_moment = moment / (1 - adam["beta1"] ** step)
    unbiased_variance = variance / (1 - adam["beta2"] ** step)
    change = learning_rate * unbiased_moment / (jnp.sqrt(unbiased_variance) + adam["epsilon"])
    return parameter - change, moment, variance


def train(run):
    parameters = named_arrays(run["initial"])
    moments = {name: np.zeros_like(value) for name, value in parameters.items()}
    variances = dict(moments)
    features = parameters["output.bias"].shape[0]
    loss_and_gradients = jax.jit(jax.value_and_grad(loss))
    update = jax.jit(adam_update)
    losses = []
    for step, batch in enumerate(run["batches"], start=1):
        arrays = {name: np.array(values, np.float32) for name, values in batch.items()}
        for name in ("features", "corrupted", "visible"):
            arrays[name] = arrays[name].reshape(-1, features)
        value, gradients = loss_and_gradients(parameters, arrays, run["huber_delta"])
        losses.append(float(value))
        for name, gradient in gradients.items():
            parameters[name], moments[name], variances[name] = update(
                parameters[name], moments[name], variances[name], gradient, step, run["learning_rate"], run["adam"]
            )
    return losses, parameters


def main(path):
    with open(path, encoding="utf-8") as file:
        run = json.load(file)
    losses, parameters = train(run)
    if len(losses) != len(run["losses"]):
        sys.exit(f"{len(run['losses'])} losses for {len(losses)} steps")
    largest = 0.0
    for step, (expected, actual) in enumerate(zip(losses, run["losses"]), start=1):
        deviation = abs(actual - expected) / abs(expected)
        largest = max(largest, deviation)
        if not deviation <= LOSS_TOLERANCE:
            sys.exit(f"step {step}: loss {actual}, in JAX {expected}, relative deviation {deviation:.2e}")
    trained = named_arrays(run["trained"])
    if trained.keys() != parameters.keys():
        sys.exit(f"parameters {sorted(trained)}, in JAX {sorted(parameters)}")
    for name, expected in parameters.items():
        if not np.allclose(trained[name], expected, rtol=PARAMETER_TOLERANCE, atol=PARAMETER_TOLERANCE):
            sys.exit(f"parameter {name} differs by up to {np.abs(trained[name] - expected).max()}")
    print(f"{len(losses)} steps from loss {losses[0]:.4f} to {losses[-1]:.4f}, largest deviation {largest:.2e}")


if __name__ == "__main__":
    main(sys.argv[1])
