# Lines of JSON between illm and a rival: one request a line on standard input,
# one answer a line on standard output. This file stands before every worker's.
import json
import os
import statistics
import sys
import time

_out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a library prints must not land between two answers
now = time.perf_counter


def send(**fields):
    _out.write(json.dumps(fields) + "\n")
    _out.flush()


def serve(start, operations):
    """Says hello with what start() returns, then answers until standard input ends."""
    try:
        hello = start()
    except BaseException as e:  # an import may raise SystemExit too
        send(error=f"{type(e).__name__}: {e}")
        raise SystemExit(1)
    send(ready=True, **hello)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request["op"]](request)
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        send(id=request["id"], **answer)


def repeat(run, least):
    """Seconds that a call of run(i) takes: the median of as many calls as fill the
    time, so that a thread that loses its processor for a while spoils one call."""
    begin = last = now()
    times = []
    while last - begin < least:
        run(len(times))
        this = now()
        times.append(this - last)
        last = this
    return statistics.median(times)


def pattern(n, seed):
    """The first n bytes of the operand that every subject of a GEMM is given:
    4093 bytes of a linear congruential generator, again and again."""
    x, period = seed, bytearray(4093)
    for i in range(len(period)):
        x = (1664525 * x + 1013904223) & 0xFFFFFFFF
        period[i] = x >> 24
    return (bytes(period) * (n // len(period) + 1))[:n]


def library(name):
    """Path of a shared library of this environment."""
    path = os.path.join(sys.prefix, "lib", name)
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    return path


class Kept:
    """The operands of the case in hand; those of the one before are dropped."""

    def __init__(self, make):
        self.make, self.key, self.value = make, None, None

    def get(self, r):
        key = tuple(r.get(f) for f in ("op", "m", "n", "k", "copies", "packed"))
        if key != self.key:
            self.key = self.value = None
            self.value = self.make(r)
            self.key = key
        return self.value
