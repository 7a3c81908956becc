# SPDX-License-Identifier: MIT
"""Whole programs, each started afresh: from the model's directory to a PNG."""
import os
import pty
import re
import select
import statistics
import subprocess
import sys
import time

from peer_run import HERE

ROOT = os.path.dirname(os.path.dirname(HERE))


def watch(command, fd, process, started):
    """Moments at which "step k" first appeared, seconds since the start; and peak resident MiB."""
    moments, text = {}, b""
    while True:
        ready, _, _ = select.select([fd], [], [], 900)
        try:
            part = os.read(fd, 4096) if ready else b""
        except OSError:  # the terminal's other end was closed
            part = b""
        now = time.monotonic() - started
        if not part:
            break
        text += part
        for match in re.finditer(rb"step (\d+)", text):
            moments.setdefault(int(match.group(1)), now)
        text = text[-16:]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        raise RuntimeError(f"{command[0]} ended with status {status}")
    return moments, time.monotonic() - started, usage.ru_maxrss / 1024


def measure(command):
    """Seconds in all, seconds before the first step was under way, peak MiB."""
    own, other = pty.openpty()  # on a terminal progress is shown at once
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=other, stderr=other, stdin=subprocess.DEVNULL)
    os.close(other)
    try:
        moments, total, memory = watch(command, own, process, started)
    finally:
        os.close(own)
    numbers = sorted(moments)
    if len(numbers) < 3:  # a small model: the bar is drawn ten times a second
        return total, moments[numbers[0]] if numbers else total, memory
    steady = statistics.median((moments[b] - moments[a]) / (b - a) for a, b in zip(numbers[1:], numbers[2:]))
    return total, moments[numbers[0]] - numbers[0] * steady, memory


def ours(setting, steps, precision, model):
    return [os.path.join(ROOT, "build", "bin", "mdldm-generate"), "--model_path", model, "--output_dir",
            setting.folder + "/generated", "--num_images", "1", "--class_label", "0", "--scheduler", "ddim",
            "--num_inference_steps", str(steps), "--threads", str(setting.threads), "--seed", "1",
            "--precision", "f32" if precision == "f32" else "bf16"]


def theirs(setting, steps, precision):
    return [sys.executable, os.path.join(HERE, "peer_cold.py"), setting.model, setting.folder + "/peer.png",
            str(steps), str(setting.threads), precision]


def first_step(setting, precision, model):
    """Peak MiB of a process that does UNet steps alone, without Python: the bench program's own child."""
    command = [os.path.join(ROOT, "build", "tests", "bench", "bench"), "--cold", model, "--born",
               repr(time.monotonic()), "--threads", str(setting.threads), "--precision", precision]
    environment = dict(os.environ, MDLDM_BACKEND_DIR=os.path.join(ROOT, "build", "backends"))
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return float(output.split()[3])
