"""Runs one peer in its own process, which reads commands and writes answers, each a line of JSON.

python worker.py PEER                    answers {"do": "train" | "predict" | "many" | "used", ...}
python worker.py PEER cold               trains the tiny network for 100 steps, predicts, and exits

A training run starts from the given weights and returns seconds per step and the final loss over all rows.
Short runs are repeated until they have taken SHORTEST seconds in total.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from blas import kernels
from ganglion_peer import Ganglion
from jax_peer import Jax
from peer import Peer, mean_loss
from pytorch_peer import PyTorch
from scikit_learn_peer import ScikitLearn
from workloads import KNOWN, START

SHORTEST = 0.25

PEERS: dict[str, Callable[[], Peer]] = {
    "ganglion": Ganglion,
    "scikit-learn": ScikitLearn,
    "PyTorch": PyTorch,
    "PyTorch, channels last": partial(PyTorch, channels_last=True),
    "torch.compile": partial(PyTorch, compiled=True),
    "torch.compile, channels last": partial(PyTorch, compiled=True, channels_last=True),
    "JAX": Jax,
}


def timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def peak_memory() -> int:
    """Return the most bytes of memory that this process has occupied."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def answer(peer: Peer, command: dict[str, Any]) -> dict[str, Any]:
    """Run a command, and return seconds and the final loss."""
    match command["do"]:
        case "prepare":
            return {"seconds": timed(lambda: peer.prepare(KNOWN[command["workload"]]))}
        case "train":
            seconds, runs = 0.0, 0
            while not runs or (seconds < SHORTEST and not command.get("once")):
                peer.reset()
                seconds += timed(peer.train)
                runs += 1
            loss = mean_loss(peer.workload, peer.outputs(), peer.y)
            return {"seconds": seconds / runs / peer.workload.steps, "loss": loss}
        case "predict":
            predict, count = peer.predictor(command["rows"]), 1
            predict()
            while (taken := timed(lambda: [predict() for _ in range(count)])) < SHORTEST / 2:  # noqa: B023
                count *= 2
            return {"seconds": taken / count}
        case "many":
            losses: list[float] = []
            seconds = timed(lambda: losses.append(peer.many(command["count"])))
            return {"seconds": seconds / command["count"], "loss": losses[0]}
        case "used":
            return {"kernels": kernels(), "peak_memory": peak_memory()}
    raise ValueError(command)


def main() -> None:
    peer = PEERS[sys.argv[1]]()
    if sys.argv[2:] == ["cold"]:
        peer.prepare(START)
        peer.train()
        peer.predictor(1)()
        sys.stdout.write(f"{peak_memory()}\n")
        return
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(peer, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
