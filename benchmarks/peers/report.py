"""Writes the results as Markdown tables and as a bar chart."""

from __future__ import annotations

import math
from typing import Any

COLORS = {"scikit-learn": "#e08214", "PyTorch": "#b2182b", "torch.compile": "#d6604d", "JAX": "#5e3c99"}


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def where(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    kernels = "; ".join(
        f"{peer}: {', '.join(used) or 'none visible'}" for peer, used in machine["kernels"].items()
    )
    return (
        f"On {machine['processor']}, {machine['cores used']} cores, {machine['system']}, Python "
        f"{machine['python']}; {versions}. BLAS kernels picked by each process: {kernels}."
    )


def columns(result: dict[str, Any]) -> list[str]:
    return [name for name in COLORS if any(name in row["ratios"] for row in result["rows"].values())]


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def markdown(result: dict[str, Any]) -> str:
    """Return tables: ganglion's time, the ratio of each peer's time to it, and the ratio to the floor."""
    peers = columns(result)
    rates = result["operations_per_second"]
    lines = [
        f"# {result['title']}",
        "",
        where(result["machine"]),
        "",
        f"Medians of {result['rounds']} rounds, each library at the better of 1 and 2 threads, PyTorch on "
        "images also at the better of channels first and channels last. Training: time per step. × of floor: "
        "the ratio to the time of the step's products alone, those of convolutions included, at the rate of "
        "a large matrix product, on one thread and on two ("
        + " and ".join(f"{rate['float32'] / 1e9:.0f}" for rate in rates.values())
        + " GFLOP/s in float32, "
        + " and ".join(f"{rate['float64'] / 1e9:.0f}" for rate in rates.values())
        + " in float64)."
        + (
            " Of the thousand networks ganglion trains all in each round, scikit-learn 40, PyTorch 20; the "
            "table compares the time per network."
            if "thousand" in result["rows"]
            else ""
        ),
        "",
        "| workload | ganglion | " + " | ".join(f"{peer} takes" for peer in peers) + " | × of floor |",
        "|---|---|" + "---|" * (len(peers) + 1),
    ]
    for name, row in result["rows"].items():
        ratios = [f"{row['ratios'][p]:.3g} ×" if p in row["ratios"] else "–" for p in peers]
        times = ", ".join(f"{times:.2f}" for times in row.get("times_floor", {}).values()) or "–"
        own = duration(row["best"]["ganglion"])
        lines.append(f"| {name}: {row['what']} | {own} | " + " | ".join(ratios) + f" | {times} |")
    by_peer = {
        peer: {n: row["ratios"][peer] for n, row in result["rows"].items() if peer in row["ratios"]}
        for peer in peers
    }
    means = [f"{geometric_mean(list(by_peer[peer].values())):.3g} ×" for peer in peers]
    worst = [min(by_peer[peer].items(), key=lambda item: item[1]) for peer in peers]
    lines.append("| geometric mean | | " + " | ".join(means) + " | |")
    lines.append("| worst row | | " + " | ".join(f"{value:.3g} × ({name})" for name, value in worst) + " | |")
    lines += [
        "",
        "Peak memory is that of a process, with its library and its data.",
        "",
        "| workload | library | threads | median | lowest to highest | first use | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in result["rows"].items():
        for peer, by_process in row["peers"].items():
            for process, entry in by_process.items():
                low, high = map(duration, entry["spread"])
                first = duration(entry["warm_up"]) if "warm_up" in entry else "–"
                median = duration(entry["median"])
                memory = f"{entry['peak_memory'] / 1e6:,.0f} MB"
                lines.append(
                    f"| {name} | {peer} | {process} | {median} | {low} to {high} | {first} | {memory} |"
                )
    start = result["rows"].get("cold start")
    if start:
        lines += ["", "| | installed with requirements |", "|---|---|"]
        for peer, by_process in start["peers"].items():
            lines.append(f"| {peer} | {by_process['2']['installed'] / 1e6:,.0f} MB |")
    return "\n".join(lines) + "\n"


def chart(result: dict[str, Any]) -> str:
    """Return a bar chart of each peer's time relative to ganglion's, on a logarithmic scale."""
    peers, rows = columns(result), result["rows"]
    left, width, height, gap = 190, 620, 11, 14
    most = max(value for row in rows.values() for value in row["ratios"].values())
    decades = max(1, math.ceil(math.log10(most)))
    scale = width / decades
    parts: list[str] = []
    y = 56
    for name, row in rows.items():
        given = [peer for peer in peers if peer in row["ratios"]]
        parts.append(
            f'<text x="{left - 8}" y="{y + height * len(given) / 2 + 4:.1f}" text-anchor="end">{name}</text>'
        )
        for peer in given:
            ratio = row["ratios"][peer]
            length = max(1.0, scale * math.log10(max(ratio, 1.0)))
            parts.append(
                f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{height - 1}" fill="{COLORS[peer]}"/>'
                f'<text x="{left + length + 4:.1f}" y="{y + height - 2}" class="small">{ratio:.3g} ×</text>'
            )
            y += height
        y += gap
    grid = [
        f'<line x1="{x:.1f}" y1="48" x2="{x:.1f}" y2="{y - gap + 4}" class="grid"/>'
        f'<text x="{x:.1f}" y="44" text-anchor="middle" class="small">{10**d:,} ×</text>'
        for d, x in ((d, left + scale * d) for d in range(decades + 1))
    ]
    legend = [
        f'<rect x="{left + 120 * i}" y="{y + 2}" width="11" height="11" fill="{COLORS[peer]}"/>'
        f'<text x="{left + 120 * i + 16}" y="{y + 12}">{peer}</text>'
        for i, peer in enumerate(peers)
    ]
    machine = result["machine"]
    cores = f"{machine['processor']}, {machine['cores used']} cores"
    title = f"How many times as long as ganglion each takes ({cores})"
    style = "text{font:12px sans-serif;fill:#222}.small{font-size:10px;fill:#444}.grid{stroke:#ccc}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 70} {y + 30}" role="img">'
        f"<title>{title}</title><style>{style}</style>"
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{left}" y="22">{title}</text>'
        + "".join(grid + parts + legend)
        + "</svg>\n"
    )
