"""The scenarios in which Rollcall asks the API server itself: its source, its record and its Events, and the rights for each."""

import json
import os
import re
import time

from cluster import REPOSITORY, Failure, get, kubectl, run, until
from scenes import COMING, STARTING, changed, cut, heal, long, namespace, open_things, rig, rollcall, scenario

# So long does a pod go on after it is told to end: what the API says of it meanwhile, DNS and the node itself do not know.
LINGERS = ("      containers:\n", "      terminationGracePeriodSeconds: 60\n      containers:\n"), \
    ("        image: app:0.1.0\n", "        image: app:0.1.0\n        lifecycle: {preStop: {exec: {command: [sleep, \"8\"]}}}\n")


def with_source(name, components=(), count=3):
    inside = namespace(name)
    text = {"resources": ["../../deploy/overlays/endpointslices"], "components": [f"../../deploy/overlays/{one}" for one in components]}
    folder = os.path.join(REPOSITORY, "build", f"kube-{name}")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "kustomization.yaml"), "w", encoding="utf-8") as file:
        json.dump({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **text}, file)
    inside.apply("-k", folder)
    inside.apply("-f", "-", stdin=changed("deploy/examples/statefulset", *LINGERS))
    watch = rollcall(inside)
    watch.whole(count)
    return inside, watch


def source(watch):
    return watch.api("discovery")[0]


def lists(watch):
    """How often it listed, by reason."""
    text = get(f"http://{watch.address}:14369/metrics")
    return {reason: float(count) for reason, count in re.findall(r'^rollcall_kubernetes_lists_total\{[^}]*reason="(\w+)"[^}]*\} (\S+)$', text, re.M)}


def at_their_machines(inside, watch):
    """Each member's machine and zone are those of its pod."""
    wanted = {name: (pod["spec"]["nodeName"], pod["spec"]["nodeName"].replace("node", "zone")) for name, pod in inside.pods("app=app").items()}
    found = {one["node"].split("@")[1].split(".")[0]: (one["machine"], one["zone"]) for one in watch.api("members") if one["state"] == "up"}
    if found != wanted:
        raise Failure(f"machines and zones: {found}, not {wanted}")
    if watch.metric("erlang_cluster_member_info") < len(wanted):
        raise Failure("no erlang_cluster_member_info")


def leaves(inside, watch, name):
    """A pod that terminates is leaving while it still runs, and its link stays."""
    def leaving():
        member = next(one for one in watch.api("members") if one["node"].startswith(f"app@{name}."))
        return member["state"] == "leaving"

    began = time.monotonic()
    until(f"{name} is leaving", leaving, 60)
    took = time.monotonic() - began
    pod = json.loads(inside.kubectl("get", "pod", name, "-o", "json"))
    if "deletionTimestamp" not in pod["metadata"] or not pod["status"]["containerStatuses"][0]["state"].get("running"):
        raise Failure(f"{name} is called leaving when it is gone already: {pod['status']}")
    said = [one for one in watch.api("events") if "its pod is terminating" in json.dumps(one)]
    if not said:
        raise Failure(f"leaving, and not because of what the API says: {watch.api('events')[-5:]}")
    print(f"    {name} was called leaving after {took:.1f} s, and still ran", flush=True)


def api_server_restarted():
    rig("api", "kill")
    rig("api", "start")
    until("the API server answers", lambda: kubectl("get", "--raw", "/readyz", limit=5) == "ok", 120)


@scenario
def api_source():
    """EndpointSlices: machines and zones, leaving at once; the Role removed and the API server killed: nobody is lost, and it says why"""
    inside, watch = with_source("slices")
    at_their_machines(inside, watch)
    with watch.step("3 -> 2", allowed=COMING):
        inside.scale("sts/app", 2)
        leaves(inside, watch, "app-2")
        watch.whole(2)
    with watch.step("its Role removed, the API server killed", allowed=COMING | {"discovery_stale"}):
        role = inside.kubectl("get", "role", "rollcall-endpointslices", "-o", "yaml")
        inside.kubectl("delete", "role", "rollcall-endpointslices")
        # A watch that runs is not cut by that: the server's end does it.
        api_server_restarted()

        def refused():
            told = source(watch)["detail"] or ""
            return re.search(r"cannot list|cannot watch", told) and "endpointslices" in told and "discovery.k8s.io" in told and told

        print(f"    said: {until('the missing right is named', refused, 180)[:160]}", flush=True)
        watch.whole(2)
        inside.apply("-f", "-", stdin=re.sub(r"^  (resourceVersion|uid|creationTimestamp): .*\n", "", role, flags=re.M))
        until("it has its rights again", lambda: source(watch)["outcome"] == "ok", 180)
        inside.scale("sts/app", 3)
        watch.whole(3)
    at_their_machines(inside, watch)


@long
def api_server_in_trouble():
    """The API server paused for two and a half minutes, then killed twice: the last list stays, and what happened meanwhile is found out"""
    inside, watch = with_source("paused")
    open_things.append(lambda: rig("api", "cont"))
    with watch.step("paused and back", allowed=COMING | {"discovery_stale"}):
        rig("api", "stop")
        time.sleep(150)
        if watch.api("status")["up"] != 3:
            raise Failure(watch.picture())
        rig("api", "cont")
        until("the API server answers", lambda: kubectl("get", "--raw", "/readyz", limit=5) == "ok", 120)
        until("the source answers", lambda: source(watch)["outcome"] == "ok", 240)
        inside.scale("sts/app", 4)
        watch.whole(4)
    with watch.step("killed twice, a pod gone meanwhile", allowed=COMING | {"discovery_stale"}):
        for count in (3, 5):
            inside.scale("sts/app", count)
            api_server_restarted()
            watch.whole(count, 300)


def netsplit(watch):
    """The one that is open."""
    told = watch.api("netsplits")
    if found := [one for one in told if one["closed_at"] is None]:
        return found[0]
    raise Failure(f"no netsplit is open: {told}\n{watch.picture()}")


def described(inside, pod):
    return inside.kubectl("describe", "pod", pod)


@long
def record_outlives_the_pod():
    """Rollcall's pod deleted during a netsplit: the incident goes on under its id; and kubectl describe tells of it, once"""
    inside, watch = with_source("kept", ("kubernetes-record", "kubernetes-events"))
    with watch.step("cut, Rollcall's pod deleted, joined again", allowed=STARTING | {"netsplit", "quarantine", "possible_split"}, incidents=1,
                    failures=2, alerts={"RollcallNetsplit", "RollcallNetsplitHealed"}, torn=None):
        ends = cut(inside, "app-0", "app-1")
        before = until("the netsplit is told", lambda: watch.api("status")["netsplit"] and netsplit(watch), 120)
        until("the record has it", lambda: str(before["opened_at"]) in inside.kubectl("get", "configmap", "rollcall-record", "-o", "yaml"), 60)
        until("a pod's description tells it", lambda: "NetsplitOpened" in described(inside, "app-0") + described(inside, "app-1"), 60)
        old = set(inside.pods(watch.labels))
        inside.kubectl("delete", "pod", *old)
        until("another Rollcall", lambda: (now := set(inside.ready(watch.labels))) and not now & old and watch.find(), 120)
        after = until("it tells the netsplit", lambda: watch.api("status")["netsplit"] and netsplit(watch), 120)
        # Not its type: a partial one may have become a full one.
        for what in ("id", "opened_at", "cause"):
            if before[what] != after[what]:
                raise Failure(f"another incident: {before} became {after}")
        heal(ends)
        watch.whole(3, 300)
        until("the netsplit is over", lambda: not watch.api("status")["netsplit"])
        until("a pod's description tells it", lambda: "NetsplitClosed" in described(inside, "app-0") + described(inside, "app-1"), 60)
    events = json.loads(inside.kubectl("get", "events", "-o", "json"))["items"]
    told = [(one["reason"], one["involvedObject"]["name"], one.get("count") or 1) for one in events if one["reason"].startswith("Netsplit")]
    if len(told) != len(set(told)) or any(count != 1 for _, _, count in told):
        raise Failure(f"told twice: {told}")
    print(f"    {len(told)} Events; incident {before['id']}, opened at {before['opened_at']}", flush=True)


@long
def record_by_helm():
    """The record of incidents over upgrade, rollback, undo, uninstall and install again; one that a newer version wrote, rolled back"""
    inside = namespace("helmkept")
    inside.apply("-k", "deploy/examples/statefulset")

    def helm(*arguments):
        return run(["helm", "-n", inside.name, *arguments, "--wait", "--timeout", "300s"], limit=400)

    install = ["rollcall", "deploy/chart/rollcall", "--set", "config.ROLLCALL_KUBERNETES=app@app", "--set", "config.ROLLCALL_KUBERNETES_RECORD=rollcall-record"]
    helm("install", *install)
    watch = rollcall(inside, labels="app.kubernetes.io/instance=rollcall,app.kubernetes.io/name=rollcall")
    watch.whole(3)
    ends = cut(inside, "app-0", "app-1")
    until("the netsplit is told", lambda: watch.api("status")["netsplit"], 120)
    heal(ends)
    watch.whole(3, 300)
    until("the netsplit is over", lambda: not watch.api("status")["netsplit"])

    def told():
        return [(one["id"], one["opened_at"], one["closed_at"]) for one in watch.api("netsplits")]

    before = told()

    def kept():
        return json.loads(inside.kubectl("get", "configmap", "rollcall-record", "-o", "json")).get("data", {})

    until("the record has its end", lambda: str(before[0][2]) in kept()["incidents.json"], 60)

    def still(after):
        until(f"the same incidents after {after}", lambda: watch.find() and told() == before, 120)

    helm("upgrade", *install, "--set", "config.ROLLCALL_LOG_FORMAT=text")
    still("an upgrade")
    helm("rollback", "rollcall")
    still("a rollback")
    inside.kubectl("rollout", "undo", "deploy/rollcall")
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
    still("an undo")
    helm("uninstall", "rollcall")
    helm("install", *install)
    still("uninstall and install")
    # A newer version wrote it, and was rolled back: what it wrote is there to be read by it again.
    newer = json.dumps({"format": 2, "of": "a newer version"})
    helm("upgrade", *install, "--set", "config.ROLLCALL_LOG_FORMAT=text")
    inside.kubectl("patch", "configmap", "rollcall-record", "--type=merge", "-p", json.dumps({"data": {"incidents.json": newer}}))
    helm("rollback", "rollcall")
    watch.whole(3)
    ends = cut(inside, "app-0", "app-1")
    until("the netsplit is told", lambda: watch.api("status")["netsplit"], 120)
    heal(ends)
    until("what cannot be read is set aside", lambda: kept().get("incidents.json.set-aside") == newer and '"format":1' in kept()["incidents.json"], 120)
