# SPDX-License-Identifier: MIT
"""One competitor in a process of its own: sets up, says so, then runs once each time it is told to.

    python peer_worker.py JSON

JSON: side (mdldm, torch, openvino), job (unet, encode, decode, train_unet, train_vq), mode, precision, model,
folder (inputs are read from it, outputs written to it), cache, threads, resolution, batches, name.
Commands on standard input: "run BATCH", "quit"; answers are JSON lines on standard output."""
import ctypes
import json
import os
import signal
import sys
import time

CONFIG = json.loads(sys.argv[1])
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: not to outlive the driver
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print must not look like an answer
os.environ["OMP_NUM_THREADS"] = str(CONFIG["threads"])
os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(CONFIG["cache"], "inductor")
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy  # noqa: E402


def answer(**values):
    ANSWERS.write(json.dumps(values) + "\n")
    ANSWERS.flush()


def peak_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def inputs(batch):
    """The arrays every competitor gets: the first images of those the driver made."""
    names = ("pixels", "latents", "noise", "timesteps", "labels")
    return {name: numpy.load(os.path.join(CONFIG["folder"], name + ".npy"))[:batch] for name in names}


def make_job():
    if CONFIG["side"] == "mdldm":
        import peer_mdldm as side
    elif CONFIG["side"] == "torch":
        import peer_torch as side
    else:
        import peer_openvino as side
    return side.make(CONFIG, inputs)


def main():
    started = time.perf_counter()
    try:
        job = make_job()
        facts = {}
        for batch in CONFIG["batches"]:
            result = job.first(batch)
            if isinstance(result, dict):
                facts.update(result)
            else:
                numpy.save(os.path.join(CONFIG["folder"], f"{CONFIG['name']}-{batch}.npy"), result)
    except Exception as error:  # whatever a peer dies of is a row's remark
        answer(error=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300])
        return
    answer(ready=time.perf_counter() - started, facts=facts)
    for line in sys.stdin:
        command = line.split()
        if command[0] == "quit":
            answer(memory=peak_mib())
            return
        clock = time.process_time if CONFIG["cpu_time"] else time.perf_counter
        start = clock()
        job.run(int(command[1]))
        answer(seconds=clock() - start)


main()
