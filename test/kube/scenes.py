"""What the scenarios share: how they are told apart, what each may leave open until it ends, and the usual beginnings."""

import json
import os

from cluster import REPOSITORY, Failure, Namespace, kubectl, run, until
from rollcall import Rollcall

ALL = []
open_things = []

# Said while members come and go, and over by itself: what is listed and not there yet, and pairs that are being connected.
COMING = {"members_missing", "links_missing"}
# What a Rollcall that has just started says beside that.
STARTING = COMING | {"starting", "nothing_discovered", "isolated", "discovery_stale"}


def scenario(function):
    ALL.append(function)
    return function


def long(function):
    """Only with --all."""
    function.long = True
    return scenario(function)


def namespace(name, **options):
    made = Namespace(name, **options)
    open_things.append(made.delete)
    return made


def rollcall(inside, **options):
    made = Rollcall(inside, **options)
    open_things.append(made.close)
    until("Rollcall is ready", made.find, 240)
    return made


def clean():
    while open_things:
        open_things.pop()()


def machines_take_pods():
    """One that was away takes none for a while after it is back."""
    until("all machines take pods", lambda: not any(one["spec"].get("taints") for one in json.loads(kubectl("get", "nodes", "-o", "json"))["items"]))


def statefulset(name):
    inside = namespace(name)
    inside.apply("-k", "deploy/base")
    inside.apply("-k", "deploy/examples/statefulset")
    watch = rollcall(inside)
    watch.whole(3)
    return inside, watch


def container_of(pod):
    """The process of a pod's first container, on whichever node it is."""
    wanted = pod["status"]["containerStatuses"][0]["containerID"].split("//")[1]
    node = pod["spec"]["nodeName"]
    socket = os.path.join(os.environ.get("KUBE_STATE", "/var/lib/rollcall-kube"), node, "containerd.sock")
    for line in run(["ctr", "-a", socket, "-n", "k8s.io", "tasks", "ls"]).splitlines():
        if line.split()[0] == wanted:
            return line.split()[1]
    raise Failure(f"no process of {wanted} on {node}")


def changed(folder, *replacements):
    """What a folder's Kustomization makes, with words replaced that must stand in it."""
    text = kubectl("kustomize", folder)
    for old, new in replacements:
        if old not in text:
            raise Failure(f"{folder} does not say {old}")
        text = text.replace(old, new)
    return text


def called(name, inside, text):
    """Manifests of the example app with its nodes under another name than the release's: their hook is read from a ConfigMap."""
    with open(os.path.join(REPOSITORY, "deploy/examples/app/rel/env.sh.eex"), encoding="utf-8") as file:
        hook = file.read().replace("<%= @release.name %>@", f"{name}@").replace("<%= @release.name %>", "app")
    inside.kubectl("create", "configmap", "hook", f"--from-literal=env.sh={hook}")
    return text.replace("        volumeMounts:\n", "        volumeMounts:\n        - {mountPath: /app/releases/0.1.0/env.sh, name: hook, subPath: env.sh}\n") \
        .replace("      volumes:\n", "      volumes:\n      - {name: hook, configMap: {name: hook}}\n")


def nodes_run(command):
    """ctr, at the containerd of each node."""
    state = os.environ.get("KUBE_STATE", "/var/lib/rollcall-kube")
    for node in sorted(one for one in os.listdir(state) if one.startswith("node-")):
        run([command[0], "-a", os.path.join(state, node, "containerd.sock"), *command[1:]])


def rig(*arguments):
    run([os.path.join(REPOSITORY, "test/kube/rig"), *arguments])


def nft(process, *arguments, rules=None):
    """In the network namespace of a pod's process."""
    run(["nsenter", "-t", process, "-n", "nft", *arguments], stdin=rules)


def cut(inside, pod, other, labels="app=app"):
    """Drops all packets between two pods; returns what heal() takes."""
    pods = inside.pods(labels)
    process, address = container_of(pods[pod]), pods[other]["status"]["podIP"]
    nft(process, "-f", "-", rules="table ip cut { chain in { type filter hook input priority 0; ip saddr %s drop; }; "
        "chain out { type filter hook output priority 0; ip daddr %s drop; }; }" % (address, address))
    return process


def heal(process):
    nft(process, "delete", "table", "ip", "cut")
