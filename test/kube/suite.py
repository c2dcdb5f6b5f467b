#!/usr/bin/env python3
"""The suite on a real Kubernetes (`./dev kube test`): what happens in the life of a cluster, with the files of this repository as they
are, in namespaces that enforce the Pod Security Standard `restricted`. Each step states which conditions Rollcall may raise in it, which
alerts a Prometheus with our rules may fire, and how many links may be torn between nodes that stay; it fails on any other.

    suite.py [--all] [-k PATTERN] [--keep]

--all: also what takes long; -k: only scenarios whose name the pattern finds; --keep: leaves the cluster up. One that is up already is used
and left."""

import argparse
import os
import re
import subprocess
import sys
import time
import traceback

from cluster import REPOSITORY, Failure, run
from rollcall import Rollcall
from witnesses import Prometheus
import scenes
import scenarios  # noqa: F401: each registers its own, in this order
import documents  # noqa: F401
import api  # noqa: F401
import lasting  # noqa: F401
import neighbours  # noqa: F401
import https  # noqa: F401
import etcd  # noqa: F401: its last one leaves a cluster that forgot

# Why each of those that failed did so: said at the end once more, where a long log is read first.
reasons = {}
HERE = os.path.dirname(os.path.abspath(__file__))
# The last is made for --all only.
ARCHIVES = [os.path.join(REPOSITORY, "build/image", f"kube-{name}.tar") for name in ("rollcall", "app", "rabbitmq")]


def rig(*arguments, environment=None):
    ended = subprocess.run([os.path.join(HERE, "rig"), *arguments], cwd=REPOSITORY, env={**os.environ, **(environment or {})},
                           stdout=subprocess.PIPE, text=True)
    if ended.returncode != 0:
        raise Failure(f"rig {' '.join(arguments)} ended with {ended.returncode}")
    return ended.stdout


def enter():
    """KUBECONFIG and PATH of the rig."""
    for line in run(["bash", "-c", f'eval "$({HERE}/rig env)"; echo "$KUBECONFIG"; echo "$PATH"'], limit=20).splitlines()[:1]:
        os.environ["KUBECONFIG"] = line
    os.environ["PATH"] = os.pathsep.join([os.environ.get("KUBE_BIN") or os.path.expanduser("~/.cache/rollcall/kube/bin"),
                                          os.path.join(REPOSITORY, "build/manifests"), os.environ["PATH"]])


def diagnose():
    for arguments in (["get", "pods", "-A", "-o", "wide"], ["get", "events", "-A", "--sort-by=.lastTimestamp"]):
        ended = subprocess.run(["kubectl", *arguments], capture_output=True, text=True)
        print("\n".join(ended.stdout.splitlines()[-60:]), flush=True)


def on_a_cluster(chosen, was_up, keep, environment=None):
    """The names of those that failed."""
    failed = []
    try:
        if not was_up:
            rig("up", "2", environment=environment)
        enter()
        rig("load", *[archive for archive in ARCHIVES if os.path.exists(archive)])
        Rollcall.prometheus = Prometheus()
        for number, scenario in enumerate(chosen, 1):
            title = (scenario.__doc__ or "").strip().splitlines()[0]
            print(f"{number}/{len(chosen)} {scenario.__name__}: {title}", flush=True)
            start = time.monotonic()
            try:
                scenes.machines_take_pods()
                scenario()
                print(f"    passed, {time.monotonic() - start:.1f} s", flush=True)
            except Exception as failure:  # one that fails does not keep the others from being tried
                failed.append(scenario.__name__)
                reasons[scenario.__name__] = str(failure)
                print(f"    FAILED after {time.monotonic() - start:.1f} s: {failure}", flush=True)
                if not isinstance(failure, Failure):
                    traceback.print_exc()
                diagnose()
            finally:
                scenes.clean()
    finally:
        if Rollcall.prometheus:
            Rollcall.prometheus.close()
            Rollcall.prometheus = None
        if not was_up and not keep:
            rig("down")
    return failed


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--all", action="store_true")
    options.add_argument("--keep", action="store_true")
    options.add_argument("-k", metavar="PATTERN", default="")
    options = options.parse_args()

    chosen = [one for one in scenes.ALL if re.search(options.k, one.__name__) and (options.all or options.k or not getattr(one, "long", False))]
    if not chosen:
        sys.exit(f"kube: no scenario's name has {options.k!r}; there are: {', '.join(one.__name__ for one in scenes.ALL)}")
    was_up = subprocess.run([os.path.join(HERE, "rig"), "running"]).returncode == 0
    failed, began = [], time.monotonic()
    usual = [one for one in chosen if not getattr(one, "dual", False)]
    if usual:
        failed += on_a_cluster(usual, was_up, options.keep)
    dual = [one for one in chosen if getattr(one, "dual", False)]
    if dual and was_up and "KUBE_DUAL" not in os.environ:
        print(f"not on the cluster that is up, which has IPv4 only: {', '.join(one.__name__ for one in dual)}")
        chosen = usual
    elif dual:
        failed += on_a_cluster(dual, was_up, options.keep, {"KUBE_DUAL": "1"})
    for name, reason in reasons.items():
        print(f"{name}: {reason[:1500]}")
    print(f"{len(chosen) - len(failed)} of {len(chosen)} passed in {time.monotonic() - began:.0f} s" + (f"; failed: {', '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
