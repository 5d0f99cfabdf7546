"""Times the server of a model under load: one row per request, at 1, 8 and 64 connections.

python benchmarks/serving.py

The load comes from wrk, a public load generator (`apt-get install wrk`). `/health`, which predicts nothing,
shows what the web server itself takes.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import ganglion as gg
from answers import table
from start import ENVIRONMENT

SECONDS = 5
CONNECTIONS = (1, 8, 64)
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def milliseconds(page: str, percentile: str) -> float:
    """Return a percentile of the latency from what wrk prints."""
    found = re.search(rf"^\s*{percentile}%\s+([\d.]+)(us|ms|s)$", page, re.MULTILINE)
    assert found is not None, page
    return float(found[1]) * UNITS[found[2]]


def count(page: str, pattern: str) -> float:
    """Return the sum of the numbers that a pattern finds in what wrk prints, 0 for none."""
    found = re.search(pattern, page)
    return sum(map(float, re.findall(r"[\d.]+", found[0]))) if found else 0


def main() -> None:
    if shutil.which("wrk") is None:
        print("serving: skipped, wrk is not installed (apt-get install wrk)")
        return
    warnings.simplefilter("ignore")
    rows = table()
    model = gg.TableModel.train(rows, "answer", epochs=2)
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder) / "model.safetensors", Path(folder) / "post.lua"
        model.save(file)
        body = json.dumps(rows.drop("answer").row(0, named=True))
        header = 'wrk.headers["Content-Type"] = "application/json"'
        script.write_text(f"wrk.method = 'POST'\n{header}\nwrk.body = [[{body}]]\n")
        command = [sys.executable, "-m", "ganglion", "serve", str(file), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as server:
            assert server.stdout is not None
            address = [server.stdout.readline() for _ in range(2)][1].split()[2]
            print("path      connections  requests/s  median    99 %      errors")
            for path in ("/health", "/predict"):
                for connections in CONNECTIONS:
                    load = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
                    load += ["-s", str(script)] if path == "/predict" else []
                    page = subprocess.check_output([*load, address + path], text=True)
                    errors = count(page, r"responses: .*") + count(page, r"Socket errors.*")
                    print(
                        f"{path:<9} {connections:>11}  {count(page, r'Requests/sec:.*'):>10,.0f}"
                        f"  {milliseconds(page, '50'):>6.2f} ms {milliseconds(page, '99'):>6.2f} ms"
                        f"  {errors:>6.0f}"
                    )
            server.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
