"""The bits that must stay: many small trainings, each reduced to hashes of everything that came out.

    PYTHONPATH=tests python -m golden.make_golden         runs every setting of this machine and updates golden.json
    PYTHONPATH=tests python -m golden.make_golden --one   prints the sets of the environment's setting

`golden.json` holds one set of hashes for each thing that the bits may depend on, and its key names that thing:

- The native engine: the instruction set and the compiler. The engine has its own code for every function except
  the square root, which is exact, and `pow` of the C library, called once a step for Adam's bias correction. So a
  set should hold for the processors of any vendor. The number of threads changes nothing.
- The reference engine, and on the native engine the cases marked `blas` (L-BFGS, QR, the estimators' means): also
  NumPy, SciPy, the kernel that BLAS picks for the processor, and whether NumPy uses AVX-512.

A hash that changes without intent is a defect. Where this machine has no set yet, run the script on the commit
before the change.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

import ganglion as gg
from golden.cases import Parts, cases

FILE = Path(__file__).with_name("golden.json")
INSTRUCTION_SETS = ("x86_64_v2", "x86_64_v3", "x86_64_v4")
SETTINGS = [("reference", ""), *(("native", name) for name in INSTRUCTION_SETS)]
UNABLE = ("the native engine cannot be used", "must be an instruction set of this processor")

Sets = dict[str, dict[str, str]]


def hashes(parts: Parts) -> str:
    """Return one word for each part: its name and the first half of the SHA-256 of its type, shape and bytes."""
    words = []
    for name, values in parts.items():
        digest = hashlib.sha256()
        for value in map(np.asarray, values):
            digest.update(f"{value.dtype.str}{value.shape}".encode() + value.tobytes())
        words.append(f"{name}:{digest.hexdigest()[:16]}")
    return " ".join(words)


def keys() -> tuple[str, str]:
    """Return what the bits depend on here: without BLAS taking part, and with it."""
    import scipy.linalg
    from numpy._core._multiarray_umath import __cpu_features__ as features
    from threadpoolctl import threadpool_info

    found = sorted({f"{i['internal_api']} {i['version']} {i['architecture']}" for i in threadpool_info()
                    if i["user_api"] == "blas"})  # fmt: skip
    wide = "with" if features["AVX512F"] else "without"
    blas = f"NumPy {np.__version__} {wide} AVX-512, SciPy {scipy.__version__}, {', '.join(found)}"
    if os.environ["GANGLION_ENGINE"] == "reference":
        return f"reference, {blas}", f"reference, {blas}"
    extension = importlib.util.find_spec("ganglion._native")
    assert extension is not None
    assert extension.origin is not None
    comment = re.search(rb"(GCC|clang)(?:: \(.*?\)| version) (\d+)", Path(extension.origin).read_bytes())
    compiler = b" ".join(comment.groups()).decode() if comment else "an unknown compiler"
    native = f"native {os.environ['GANGLION_ISA']}, {compiler}"
    return native, f"{native}, {blas}"


def one() -> Sets:
    """Return the sets of this process's setting."""
    sets: Sets = {}
    for name, case in cases().items():
        sets.setdefault(keys()[case.blas], {})[name] = hashes(case.run())
    return sets


def in_process_of_its_own(engine: str, instructions: str, threads: int = 1) -> Sets | str:
    """Return the sets of a setting, or in words why it cannot be run here.

    Engine and instruction set are read when ganglion is imported, and BLAS picks its kernel then.
    """
    ours = ("GANGLION_", "OPENBLAS_", "OMP_", "MKL_", "BLIS_", "NPY_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {"GANGLION_ENGINE": engine, "GANGLION_ISA": instructions, "GANGLION_THREADS": str(threads)}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(gg.__file__).parents[1]), str(FILE.parents[1])])
    command = [sys.executable, "-m", "golden.make_golden", "--one"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and any(words in done.stderr for words in UNABLE):
        return done.stderr.strip().splitlines()[-1]
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: Sets = json.loads(done.stdout)
    return found


def main() -> None:
    """Update the file with the sets of this machine."""
    golden = json.loads(FILE.read_text()) if FILE.exists() else {}
    for engine, instructions in SETTINGS:
        sets = in_process_of_its_own(engine, instructions)
        if isinstance(sets, str):
            print(f"{engine} {instructions}: {sets}")
            continue
        for key, found in sets.items():
            before = golden.get(key, {})
            changed = sum(before.get(name, hashed) != hashed for name, hashed in found.items())
            print(f"{key}: {len(found)} cases, {len(found.keys() - before)} new, {changed} changed")
        golden |= sets
    FILE.write_text(json.dumps(dict(sorted(golden.items())), indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--one"]:
        json.dump(one(), sys.stdout)
    else:
        main()
