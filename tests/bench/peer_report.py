# SPDX-License-Identifier: MIT
"""Results to Markdown: one table with the best right mode of each side, one with everybody."""
import statistics

SIDES = ("mdldm", "torch", "openvino")


def seconds(value):
    return "-" if value is None else f"{value:.3f} s" if value < 10 else f"{value:.1f} s"


def ratio(ours, other):
    return "" if not ours or not other else f" ({other / ours:.2f}x)"


def best(results, title, precision, batch, side):
    """The fastest competitor with a right result: (seconds, mode) or None."""
    found = [(r["competitor"].median(batch), r["competitor"]) for r in results
             if r.get("competitor") and r["title"] == title and r["precision"] == precision
             and r["competitor"].side == side and batch in r["batches"]]
    found = [(s, c) for s, c in found if s is not None]
    return min(found, key=lambda pair: pair[0]) if found else None


def step_lines(results):
    seen, lines = [], []
    for r in results:
        for batch in r["batches"] if r.get("competitor") else []:
            key = (r["title"], r["precision"], batch)
            if key not in seen:
                seen.append(key)
    for title, precision, batch in sorted(seen, key=lambda k: [s[0] for s in seen].index(k[0])):
        ours = best(results, title, precision, batch, "mdldm")
        cells = []
        for side in SIDES[1:]:
            peer = best(results, title, precision, batch, side)
            if precision == "int8" and side == "torch":  # against its best of any precision
                peer = min((b for p in ("f32", "bf16") if (b := best(results, title, p, batch, side))),
                           key=lambda pair: pair[0], default=None)
            label = "" if peer is None or side == "openvino" else " " + peer[1].mode
            cells.append("-" if peer is None else
                         seconds(peer[0]) + label + ratio(ours and ours[0], peer[0]))
        memory = ""
        if "training" in title:
            mine, other = (best(results, title, precision, batch, side) for side in SIDES[:2])
            memory = " / ".join("-" if c is None else f"{c[1].memory / 1024:.1f} GB" for c in (mine, other))
        error = "" if ours is None or batch not in ours[1].difference else f"{ours[1].difference[batch]:.1e}"
        lines.append(f"| {title} {precision}, batch {batch} | {seconds(ours and ours[0])} | {cells[0]} | {cells[1]} "
                     f"| {memory} | {error} |")
    return lines


def cold_lines(results):
    runs = {(r["side"], r["precision"]): r["runs"] for r in results if "runs" in r}
    lines = []
    for precision in ("f32", "bf16", "int8"):
        both = {side: [statistics.median(run[k] for run in runs[side, precision]) for k in range(3)]
                if (side, precision) in runs else None for side in ("mdldm", "torch")}
        ours, other = both["mdldm"], both["torch"]
        if ours is None and other is None:
            continue
        for k, title in enumerate(("cold process to first image, 20 steps", "of it before the first step")):
            mine, their = ours and ours[k], other and other[k]
            memory = " / ".join("-" if c is None else f"{c[2] / 1024:.2f} GB" for c in (ours, other)) if k == 0 else ""
            lines.append(f"| {title}, {precision} | {seconds(mine)} | {seconds(their)}{ratio(mine, their)} | - "
                         f"| {memory} | |")
    return lines


def memory_lines(results):
    found = {(r["side"], r["precision"]): r["peak_mib"] for r in results if "peak_mib" in r}
    lines = []
    for precision in ("f32", "bf16", "int8"):
        cells = [f"{found[s, precision] / 1024:.2f} GB" if found.get((s, precision)) else "-" for s in SIDES]
        if any(cell != "-" for cell in cells):
            lines.append(f"| memory of a process with UNet steps {precision}, batch 1 | {' | '.join(cells)} | | |")
    return lines


def detail_lines(results):
    lines = []
    for r in results:
        c = r.get("competitor")
        for batch in r["batches"] if c else []:
            times = c.seconds[batch]
            spread = f"{min(times):.3f}..{max(times):.3f}" if times else ""
            lines.append(f"| {r['title']} {r['precision']}, batch {batch} | {c.side} {c.mode} | "
                         f"{seconds(statistics.median(times)) if times else '-'} | {spread} | {len(times)} | "
                         f"{'' if c.memory is None else '%.2f GB' % (c.memory / 1024)} | "
                         f"{'' if batch not in c.difference else '%.1e' % c.difference[batch]} | {c.error or ''} |")
    return lines


def markdown(facts, results):
    peers = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    load = ", ".join(f"{value[0]:.1f}" for value in (facts["load"], facts["load_after"]))
    text = [f"`{facts['command']}`", "",
            f"{facts['date']}, {facts['processor']}, {facts['threads']} threads, load before and after {load}; "
            f"libmdldm {facts['commit']}, {peers}; preset {facts['preset']}.", "",
            "| work | libmdldm | PyTorch, best right mode | OpenVINO | peak memory, ours / PyTorch | error |",
            "|---|---|---|---|---|---|",
            *step_lines(results), *cold_lines(results), *memory_lines(results)]
    details = detail_lines(results)
    if details:
        text += ["", "Every competitor (median, spread and number of rounds; error: relative L2 distance from "
                 "PyTorch's f32 eager output, for training the larger of loss and gradient norm):", "",
                 "| work | who | median | spread | rounds | peak memory | error | remark |",
                 "|---|---|---|---|---|---|---|---|", *details]
    return "\n".join(text)
