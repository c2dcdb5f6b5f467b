"""The commands of the documents, given as they stand there: a document that is wrong fails the suite."""

import glob
import json
import os
import re
import shutil
import tempfile
import time

from cluster import PATIENCE, REPOSITORY, Failure, kubectl, run, until
from scenes import called, changed, long, namespace, nodes_run, open_things, rollcall, scenario

QUICKSTART, TUTORIAL, OPERATIONS = "docs/quickstart-kubernetes.md", "docs/tutorial.md", "docs/operations.md"


def headings(document):
    """Those with commands below them."""
    text = open(os.path.join(REPOSITORY, document), encoding="utf-8").read()
    found = re.findall(r"^#{2,3} (.*)\n((?:(?!^#{2,3} )[^\n]*\n)*)", text, re.M)
    return [heading for heading, section in found if "```sh\n" in section]


def section_of(document, heading):
    text = open(os.path.join(REPOSITORY, document), encoding="utf-8").read()
    section = re.search(rf"^#{{1,3}} {re.escape(heading)}\n(.*?)(?=^#{{1,3}} |\Z)", re.sub(r"^```.*?^```", hidden, text, flags=re.M | re.S), re.M | re.S)
    if not section:
        raise Failure(f"{document} has no section {heading}")
    return section.group(1).replace("\0#", "#")


def hidden(block):
    """A comment in a block is no heading."""
    return re.sub(r"^#", "\0#", block.group(0), flags=re.M)


def commands_of(document, heading):
    """The lines of the `sh` blocks under a heading, whole commands each."""
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", section_of(document, heading), re.M | re.S))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def as_typed(command, folder):
    """One that comes before the container runs is given again, as a person would."""
    end = time.monotonic() + 60 * PATIENCE
    while True:
        ended = run(["bash", "-c", command], check=False, limit=400, folder=folder)
        if ended.returncode == 0 or "container not found" not in ended.stderr or time.monotonic() > end:
            return ended
        time.sleep(1)


def type_in(document, heading, folder=REPOSITORY, **places):
    """All commands of a section, with words in capitals replaced: NAMESPACE, MONITORING."""
    commands = commands_of(document, heading)
    if not commands:
        raise Failure(f"{document}, {heading}: no command")
    for command in commands:
        for word, name in places.items():
            command = re.sub(rf"\b{word}\b", name, command)
        began = time.monotonic()
        ended = as_typed(command, folder)
        print(f"    {ended.returncode} after {time.monotonic() - began:4.1f} s: {command[:100]}", flush=True)
        if ended.returncode != 0:
            raise Failure(f"{document}, {heading}: {command}: {ended.returncode}\n{ended.stdout}{ended.stderr}")


def stand_in(name):
    """Commands without -n are given in this namespace."""
    kubectl("config", "set-context", "--current", f"--namespace={name}")
    open_things.append(lambda: kubectl("config", "set-context", "--current", "--namespace=default"))


@scenario
def quickstart():
    """Every command of docs/quickstart-kubernetes.md, as it stands there"""
    namespace("quick", cookie=False)
    stand_in("quick")
    for heading in headings(QUICKSTART):
        type_in(QUICKSTART, heading)


# Each way of the tutorial, in a namespace of its own, and how many nodes there are at its end.
WAYS = {"1. A Deployment without a cluster": ("island", 3), "2. A StatefulSet with libcluster and the hosts written down": ("shop", 3),
        "4. A Deployment with SRV records, named by dashed addresses": ("dashed", 3),
        "3. A StatefulSet with a headless service and SRV records": ("ring", 5)}
# In the last one's.
AFTERWARDS = ["Cookie and name of a cluster that exists", "What DNS says in a pod", "The page"]


@long
def tutorial():
    """Every command of docs/tutorial.md, as it stands there"""
    forgotten = set(headings(TUTORIAL)) - set(WAYS) - set(AFTERWARDS)
    if forgotten:
        raise Failure(f"{TUTORIAL}: commands that nobody runs: {sorted(forgotten)}")
    for heading, (name, count) in WAYS.items():
        inside = namespace(name)
        stand_in(name)
        type_in(TUTORIAL, heading)
        rollcall(inside).whole(count)
    for heading in AFTERWARDS:
        type_in(TUTORIAL, heading)


def definitions():
    """The Prometheus operator's kinds, without their schemas: what is applied of them is checked by the tests of the manifests."""
    for kind, plural in (("ServiceMonitor", "servicemonitors"), ("PodMonitor", "podmonitors"), ("PrometheusRule", "prometheusrules")):
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        name = f"{plural}.monitoring.coreos.com"
        open_things.append(lambda name=name: kubectl("delete", "crd", name, "--timeout=120s", check=False))
        kubectl("apply", "-f", "-", stdin=json.dumps({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
            "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                     "versions": [version]}}))
        kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s")


@long
def all_is_admitted():
    """Every folder of manifests, base, overlays and examples, by client-side and server-side apply, without a warning"""
    definitions()
    inside = namespace("shop")  # which the names in deploy/examples/hosts contain
    found = sorted(os.path.dirname(path) for path in glob.glob("deploy/**/kustomization.yaml", root_dir=REPOSITORY, recursive=True))
    for folder in found:
        with open(os.path.join(REPOSITORY, folder, "kustomization.yaml"), encoding="utf-8") as file:
            if "kind: Component" in file.read():
                continue
        for how in ([], ["--server-side"]):
            inside.apply("--dry-run=server", *how, "-k", folder)
    print(f"    {len(found)} folders", flush=True)


@long
def operations():
    """The commands of docs/operations.md, the README and the chart's README that install, and how the runbook asks"""
    definitions()
    nodes_run(["ctr", "-n", "k8s.io", "images", "tag", "--force", "docker.io/library/rollcall:0.1.0", "registry.example/rollcall:0.1.0"])
    namespace("monitoring")
    # The folder of one's own, for a service and nodes called web, in the namespace shop.
    shop = namespace("shop")
    shop.apply("-f", "-", stdin=called("web", shop, changed("deploy/examples/statefulset", ("  name: app\nspec:\n  clusterIP", "  name: web\nspec:\n  clusterIP"),
                                                            ("serviceName: app\n", "serviceName: web\n"))))
    folder = tempfile.mkdtemp(prefix="rollcall-documents-")
    open_things.append(lambda: shutil.rmtree(folder))
    shutil.copytree(os.path.join(REPOSITORY, "deploy"), os.path.join(folder, "deploy"), symlinks=True)
    path, text = re.search(r"^```yaml\n# (\S+)\n(.*?)^```", section_of(OPERATIONS, "A folder of your own"), re.M | re.S).groups()
    os.makedirs(os.path.join(folder, os.path.dirname(path)))
    with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
        file.write(text)
    type_in(OPERATIONS, "A folder of your own", folder, MONITORING="monitoring")
    watch = rollcall(shop)
    watch.whole(3)
    if not all(one["node"].startswith("web@") for one in watch.api("members")):
        raise Failure(watch.picture())
    shop.kubectl("get", "servicemonitor,prometheusrule", "rollcall")
    stand_in("shop")
    for command in commands_of("docs/runbook.md", "Runbook")[:1]:
        run(["bash", "-c", command.replace("NAMESPACE", "shop")])
    for document, heading in ((OPERATIONS, "With Helm"), ("deploy/chart/rollcall/README.md", "rollcall, the Helm chart")):
        inside = namespace("helmed" if document == OPERATIONS else "charted")
        inside.apply("-k", "deploy/examples/statefulset")
        type_in(document, heading, NAMESPACE=inside.name, MONITORING="monitoring")
        rollcall(inside, labels="app.kubernetes.io/instance=rollcall,app.kubernetes.io/name=rollcall").whole(3)
        run(["helm", "-n", inside.name, "uninstall", "rollcall", "--wait"], limit=200)
    # The README's three commands; of the app it says what it needs.
    inside = namespace("readme", cookie=False)
    inside.apply("-k", "deploy/examples/statefulset")
    stand_in("readme")
    type_in("README.md", "Install on Kubernetes")
