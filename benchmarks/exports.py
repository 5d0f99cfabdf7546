"""One row of 30-100-100-2 in exported C, beside `Network.predict` and its call of the engine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import ganglion as gg

CALLS, ROUNDS, LIMIT = 2000, 50, 2.0
PROGRAM = """
#define _POSIX_C_SOURCE 200809L
#include "row.h"
#include <stdio.h>
#include <time.h>

int main(void) {
    float x[30], y[2];
    double best = 1e9;
    for (int i = 0; i < 30; i++) { x[i] = 0.1f * (float)i; }
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec begun, ended;
        clock_gettime(CLOCK_MONOTONIC, &begun);
        for (int i = 0; i < CALLS; i++) { x[i % 30] += 0.001f; row_predict(x, y); }
        clock_gettime(CLOCK_MONOTONIC, &ended);
        const double seconds = (double)(ended.tv_sec - begun.tv_sec);
        best = fmin(best, seconds + 1e-9 * (double)(ended.tv_nsec - begun.tv_nsec));
    }
    printf("%.9g %g\\n", best / CALLS, (double)y[0]);
    return 0;
}
"""


def least(call: Callable[[], object]) -> float:
    """Return the least mean time of some calls."""
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(CALLS):
            call()
        found.append((time.perf_counter() - begun) / CALLS)
    return min(found)


def main() -> None:
    """Print the times and their ratio."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("exported C: there is no compiler")
        return
    network = gg.Network([gg.Dense(100, "relu"), gg.Dense(100, "relu"), gg.Dense(2, "softmax")], 30, seed=1)
    x = np.arange(30, dtype=np.float32)[None] / 10
    predict = least(lambda: network.predict(x))
    kernel = least(lambda: network.predict_if_finite(x))
    with tempfile.TemporaryDirectory() as folder:
        network.export(Path(folder) / "row.h")
        source = PROGRAM.replace("ROUNDS", str(ROUNDS)).replace("CALLS", str(CALLS))
        (Path(folder) / "row.c").write_text(source)
        for options in (["-O2"], ["-O3", "-march=native"]):
            command = [compiler, "-std=c99", *options, f"{folder}/row.c", "-o", f"{folder}/row", "-lm"]
            subprocess.run(command, check=True)
            found = subprocess.run([f"{folder}/row"], check=True, capture_output=True, text=True).stdout
            own = float(found.split()[0])
            print(
                f"exported C, {' '.join(options)}: {own * 1e6:.2f} µs; predict {predict * 1e6:.2f} µs, its "
                f"call of the engine {kernel * 1e6:.2f} µs: {own / kernel:.2f} x (at most {LIMIT})"
            )


if __name__ == "__main__":
    main()
