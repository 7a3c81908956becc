# SPDX-License-Identifier: MIT
"""Competitors and their turns: processes that are told when to run, so that noise hits all alike."""
import json
import os
import select
import statistics
import subprocess
import sys
import time

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
# Largest relative L2 distance from PyTorch's f32 eager output that counts as the same answer.
RIGHT = {"f32": 1e-3, "bf16": 5e-2, "int8": 0.3}


class Competitor:
    def __init__(self, setting, job, precision, side, mode="eager", batches=(1,), model=None):
        self.name = f"{side}-{job}-{precision}-{mode}"
        self.side, self.mode, self.precision, self.job, self.batches = side, mode, precision, job, list(batches)
        self.setting = setting
        self.config = dict(side=side, job=job, mode=mode, precision=precision, model=model or setting.model,
                           folder=setting.folder, cache=setting.cache, preset=setting.preset, name=self.name,
                           cpu_time=setting.cpu_time, threads=setting.threads, resolution=setting.resolution,
                           batches=self.batches)
        self.process, self.pending = None, b""
        self.seconds = {batch: [] for batch in self.batches}
        self.facts, self.error, self.ready, self.memory, self.difference = {}, None, None, None, {}

    def start(self, limit):
        """Sets up and runs once; False when that failed or took longer than limit seconds."""
        self.pending = b""
        # A session of its own: what it started (compilers) goes with it.
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "peer_worker.py"),
                                         json.dumps(self.config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(os.path.join(self.setting.folder, self.name + ".log"), "w"),
                                        bufsize=0, start_new_session=True)
        reply = self.read(limit)
        if reply is None or "error" in reply:
            self.error = reply["error"] if reply else f"not ready within {limit:.0f} s"
            self.kill()
            return False
        self.ready, self.facts = reply["ready"], reply["facts"]
        return True

    def read(self, limit):
        end = time.monotonic() + limit
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return None
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                return {"error": f"the process ended ({self.process.wait()})"}
            self.pending += part
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def tell(self, text, limit):
        try:
            self.process.stdin.write(text.encode() + b"\n")
        except BrokenPipeError:
            return {"error": "the process is gone"}
        return self.read(limit) or {"error": f"no answer within {limit:.0f} s"}

    def run(self, batch):
        if self.process is None:
            return
        reply = self.tell(f"run {batch}", 900)
        if "error" in reply:
            self.error = reply["error"]
            self.kill()
        else:
            self.seconds[batch].append(reply["seconds"])

    def stop(self):
        if self.process is not None:
            self.memory = max(self.memory or 0, self.tell("quit", 60).get("memory", 0))
            self.process.wait()
            self.process = None

    def kill(self):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, 9)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None

    def judge(self, reference):
        """Distance from the reference competitor's outputs, or from its loss and gradient norm."""
        for batch in self.batches:
            if self.error is None and self.job.startswith("train") and "loss" in self.facts:
                self.difference[batch] = max(abs(self.facts[k] / reference.facts[k] - 1) if k in reference.facts
                                             else float("nan") for k in ("loss", "grad_norm"))
            elif self.error is None and not self.job.startswith("train"):
                ours, other = (numpy.load(os.path.join(self.setting.folder, f"{c.name}-{batch}.npy"))
                               for c in (self, reference))
                distance = numpy.linalg.norm((ours - other).astype(float)) / numpy.linalg.norm(other.astype(float))
                self.difference[batch] = float(distance)
            if batch in self.difference and not self.difference[batch] <= RIGHT[self.precision]:
                self.error = f"wrong result: relative error {self.difference[batch]:.2g}"

    def median(self, batch):
        return statistics.median(self.seconds[batch]) if self.error is None and self.seconds[batch] else None

    def record(self):
        return dict(job=self.job, side=self.side, mode=self.mode, precision=self.precision, error=self.error,
                    seconds=self.seconds, setup=self.ready, peak_mib=self.memory, difference=self.difference)


def available_mib():
    with open("/proc/meminfo") as meminfo:
        return next(int(line.split()[1]) for line in meminfo if line.startswith("MemAvailable")) / 1024


def together(competitors, rounds, limit):
    """All are set up, then run one after the other, round by round."""
    for c in competitors:
        if available_mib() < c.setting.need_mib:
            c.error = f"left out: {available_mib():.0f} MiB of memory were free"
        else:
            say(f"  {c.name}: " + ("set up in %.1f s" % c.ready if c.start(limit) else c.error))
    for _ in range(rounds):
        for batch in sorted({b for c in competitors for b in c.batches}):
            for c in competitors:
                if batch in c.batches:
                    c.run(batch)
    for c in competitors:
        c.stop()


def alone(competitors, rounds, steps, limit):
    """One process at a time, for work that needs the whole memory; a round is all of them once."""
    for _ in range(rounds):
        for c in competitors:
            if c.error is None and c.start(limit):
                for _ in range(steps):
                    c.run(c.batches[0])
                c.stop()
            say(f"  {c.name}: " + (c.error or " ".join(f"{s:.3f}" for s in c.seconds[c.batches[0]])))


def say(text):
    print(text, file=sys.stderr, flush=True)
