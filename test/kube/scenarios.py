"""The scenarios of the suite, in the order in which they run. Each begins in a namespace of its own and leaves nothing."""

import json
import os
import re
import time

from cluster import PATIENCE, REPOSITORY, Failure, Namespace, Rollcall, get, kubectl, page_counts, run, until

ALL = []
open_things = []

# Said while members come and go, and over by itself: what is listed and not there yet, and pairs that are being connected.
COMING = {"members_missing", "links_missing"}
# What a Rollcall that has just started says beside that.
STARTING = COMING | {"starting", "nothing_discovered", "isolated", "discovery_stale"}


def scenario(function):
    ALL.append(function)
    return function


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


@scenario
def one_by_one_to_a_cluster():
    """The app without a cluster; then the lines that make it one"""
    inside = namespace("plain")
    inside.apply("-k", "deploy/examples/plain")
    until("3 pods are ready", lambda: len(inside.ready("app=app")) == 3)
    alone = page_counts(inside.pods("app=app"))
    if set(alone.values()) != {0}:
        raise Failure(f"pages show neighbours where there is no cluster: {alone}")
    inside.apply("-k", "deploy/examples/clustered")
    inside.kubectl("rollout", "status", "deploy/app", "--timeout=600s", limit=700)
    watch = rollcall(inside)
    print(f"    whole after {watch.whole(3):.1f} s more")


@scenario
def hosts_written_down():
    """The StatefulSet with its nodes given by name, and no lookup"""
    inside = namespace("shop")
    inside.apply("-k", "deploy/examples/hosts")
    watch = rollcall(inside)
    watch.whole(3)
    sources = json.dumps(watch.api("discovery"))
    if "_dist._tcp" in sources:
        raise Failure(f"ROLLCALL_SRV= did not take the default source away: {sources}")
    with watch.step("a pod deleted", allowed=COMING):
        inside.kubectl("delete", "pod", "app-1")
        watch.whole(3)


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


@scenario
def life_of_a_statefulset():
    """SRV: 3 -> 5 -> 2, a rolling restart, pods killed, deleted, evicted"""
    inside, watch = statefulset("life")
    with watch.step("nothing happens for three rounds"):
        time.sleep(16)
    with watch.step("3 -> 5", allowed=COMING):
        inside.scale("sts/app", 5)
        watch.whole(5)
    with watch.step("5 -> 2", allowed=COMING):
        inside.scale("sts/app", 2)
        watch.whole(2)
    with watch.step("2 -> 3", allowed=COMING):
        inside.scale("sts/app", 3)
        watch.whole(3)
    with watch.step("a rolling restart", allowed=COMING):
        inside.kubectl("rollout", "restart", "sts/app")
        inside.kubectl("rollout", "status", "sts/app", "--timeout=600s", limit=700)
        watch.whole(3)
    with watch.step("a process killed", allowed=COMING):
        run(["kill", "-KILL", container_of(inside.pods("app=app")["app-1"])])
        until("it was restarted", lambda: inside.pods("app=app")["app-1"]["status"]["containerStatuses"][0]["restartCount"] >= 1)
        watch.whole(3)
    with watch.step("a pod deleted", allowed=COMING):
        before = inside.pods("app=app")["app-2"]["metadata"]["uid"]
        inside.kubectl("delete", "pod", "app-2")
        until("another pod", lambda: inside.pods("app=app")["app-2"]["metadata"]["uid"] != before)
        watch.whole(3)
    with watch.step("a pod evicted", allowed=COMING):
        before = inside.pods("app=app")["app-0"]["metadata"]["uid"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "app-0", "namespace": "life"}}
        kubectl("create", "--raw", "/api/v1/namespaces/life/pods/app-0/eviction", "-f", "-", stdin=json.dumps(eviction))
        until("another pod", lambda: inside.pods("app=app")["app-0"]["metadata"]["uid"] != before)
        watch.whole(3)
    # No page, no alarm in all of that; Rollcall's own pod replaced is none either.
    inside.kubectl("rollout", "restart", "deploy/rollcall")
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
    watch.whole(3)


@scenario
def cut_between_two_pods():
    """Packets between two pods are dropped: told, and healed"""
    inside, watch = statefulset("cut")
    pods = inside.pods("app=app")
    process, other = container_of(pods["app-0"]), pods["app-1"]["status"]["podIP"]
    enter = ["nsenter", "-t", process, "-n", "nft"]
    rules = "table ip cut { chain in { type filter hook input priority 0; ip saddr %s drop; }; chain out { type filter hook output priority 0; ip daddr %s drop; }; }" % (other, other)
    with watch.step("cut and joined again", allowed=COMING | {"netsplit", "quarantine"}, incidents=1):
        run([*enter, "-f", "-"], stdin=rules)
        until("the netsplit is told", lambda: watch.api("status")["netsplit"], 120)
        told = json.dumps(watch.api("netsplits"))
        if "app-0" not in told or "app-1" not in told:
            raise Failure(f"the pair is not named: {told}")
        run([*enter, "delete", "table", "ip", "cut"])
        watch.whole(3, 300)
        until("the netsplit is over", lambda: not watch.api("status")["netsplit"])


@scenario
def deployment_named_by_its_address():
    """POD_IP: restarted, 1 -> 2 -> 1"""
    inside = namespace("address")
    inside.apply("-k", "deploy/base")
    inside.apply("-k", "deploy/examples/deployment")
    watch = rollcall(inside)
    watch.whole(3)
    with watch.step("restarted", allowed=COMING):
        inside.kubectl("rollout", "restart", "deploy/app")
        inside.kubectl("rollout", "status", "deploy/app", "--timeout=600s", limit=700)
        watch.whole(3)
    for count in (1, 2, 1):
        with watch.step(f"scaled to {count}", allowed=COMING):
            inside.scale("deploy/app", count)
            watch.whole(count)


def dns_cache(seconds):
    """The cluster's names cached for so long, or not at all (0), by every CoreDNS from now on."""
    held = json.loads(kubectl("-n", "kube-system", "get", "configmap", "coredns", "-o", "json"))["data"]["Corefile"]
    changed = re.sub(r"cache \d+ \{", f"cache {seconds or 30} {{", held)
    changed = re.sub(r"#?disable (success|denial)", rf"{'#' if seconds else ''}disable \1", changed)
    kubectl("-n", "kube-system", "patch", "configmap", "coredns", "--type=merge", "-p", json.dumps({"data": {"Corefile": changed}}))
    kubectl("-n", "kube-system", "rollout", "restart", "deploy/coredns")
    kubectl("-n", "kube-system", "rollout", "status", "deploy/coredns", "--timeout=180s", limit=200)


@scenario
def scaled_down_behind_a_dns_cache():
    """A name server that caches for 30 s, and a Deployment 6 -> 3"""
    dns_cache(30)
    open_things.append(lambda: dns_cache(0))
    inside = namespace("cached")
    inside.apply("-k", "deploy/base")
    inside.apply("-k", "deploy/examples/deployment")
    inside.scale("deploy/app", 6)
    watch = rollcall(inside)
    watch.whole(6, 300)
    with watch.step("6 -> 3", allowed=COMING):
        inside.scale("deploy/app", 3)
        watch.whole(3, 240)


@scenario
def applied_either_way():
    """Client-side and server-side apply mix; diff finds nothing"""
    inside = namespace("applied")
    for folder in ("deploy/examples/statefulset", "deploy/base"):
        inside.apply("-k", folder)
        inside.apply("--server-side", "-k", folder)
        # After a server-side apply the first one takes its own notes (an annotation of kubectl's); the next has nothing to change.
        inside.apply("-k", folder)
        changed = [line for line in inside.apply("-k", folder).splitlines() if not line.endswith("unchanged")]
        if changed:
            raise Failure(f"{folder}: applied once more, and changed: {changed}")
        nothing_to_change(inside, "-k", folder)
        inside.apply("--server-side", "-k", folder)
        nothing_to_change(inside, "--server-side", "-k", folder)


def nothing_to_change(inside, *arguments):
    difference = inside.kubectl("diff", *arguments, check=False)
    if difference.returncode != 0:
        raise Failure(f"kubectl diff {' '.join(arguments)}: {difference.stdout}{difference.stderr}")


@scenario
def wrong_upgrade_keeps_the_observer():
    """An image that is not there, an option that is wrong: the old Rollcall watches on"""
    inside, watch = statefulset("upgrade")
    with watch.step("an image that cannot be pulled"):
        inside.kubectl("set", "image", "deploy/rollcall", "rollcall=rollcall:none")
        until("the new pod cannot be pulled", lambda: re.search("ErrImageNeverPull|ErrImagePull|ImagePullBackOff", inside.kubectl("get", "pods")))
        watch.whole(3)
    inside.kubectl("rollout", "undo", "deploy/rollcall")
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
    with watch.step("an option that is refused"):
        inside.kubectl("set", "env", "deploy/rollcall", "ROLLCALL_INTERVAL=often")

        def said():
            pods = json.loads(inside.kubectl("get", "pods", "-l", watch.labels, "-o", "json"))["items"]
            states = [s for p in pods for c in p["status"].get("containerStatuses", []) for s in (c.get("state", {}), c.get("lastState", {}))]
            return [s["terminated"]["message"] for s in states if "often" in s.get("terminated", {}).get("message", "")]

        until("kubectl describe shows why", said)
        watch.whole(3)
    inside.kubectl("rollout", "undo", "deploy/rollcall")
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)


@scenario
def by_helm():
    """Helm: install, test, upgrade, one gone wrong and undone, two releases, uninstall"""
    inside = namespace("helm")
    inside.apply("-k", "deploy/examples/statefulset")
    chart = "deploy/chart/rollcall"

    def helm(*arguments, **options):
        return run(["helm", "-n", inside.name, *arguments], limit=400, **options)

    helm("install", "rollcall", chart, "--wait", "--timeout", "300s")
    watch = rollcall(inside, labels="app.kubernetes.io/instance=rollcall,app.kubernetes.io/name=rollcall")
    watch.whole(3)
    helm("test", "rollcall", "--timeout", "300s")
    helm("upgrade", "rollcall", chart, "--wait", "--timeout", "300s", "--set", "config.ROLLCALL_LOG_FORMAT=text", "--set", "config.ROLLCALL_EXPECT=3")
    watch.whole(3)
    log = inside.kubectl("logs", "deploy/rollcall")
    if log.lstrip().startswith("{"):
        raise Failure(f"config.ROLLCALL_LOG_FORMAT=text changed nothing: {log[:200]}")
    wrong = helm("upgrade", "rollcall", chart, "--wait", "--timeout", "15s", "--set", "config.ROLLCALL_INTERVAL=often", check=False)
    if wrong.returncode == 0:
        raise Failure("an option that is refused was installed")
    watch.whole(3)
    helm("rollback", "rollcall", "--wait", "--timeout", "300s")
    helm("install", "second", chart, "--wait", "--timeout", "300s", "--set", "config.ROLLCALL_SRV=app@_dist._tcp.app")
    for service in ("rollcall", "second-rollcall"):
        slices = json.loads(inside.kubectl("get", "endpointslices", "-l", f"kubernetes.io/service-name={service}", "-o", "json"))["items"]
        count = sum(len(one.get("endpoints") or []) for one in slices)
        if count != 1:
            raise Failure(f"the service {service} selects {count} pods")
    for release in ("second", "rollcall"):
        helm("uninstall", release, "--wait")
    left = inside.kubectl("get", "deploy,svc,cm,networkpolicy,sa", "-o", "name")
    if re.search("rollcall", left):
        raise Failure(f"left behind: {left}")


def commands_of(document, heading):
    """The lines of the `sh` blocks under a heading, whole commands each."""
    text = open(os.path.join(REPOSITORY, document), encoding="utf-8").read()
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not section:
        raise Failure(f"{document} has no section {heading}")
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", section.group(1), re.M | re.S))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def as_typed(command):
    """One that comes before the container runs is given again, as a person would."""
    end = time.monotonic() + 60 * PATIENCE
    while True:
        ended = run(["bash", "-c", command], check=False, limit=400)
        if ended.returncode == 0 or "container not found" not in ended.stderr or time.monotonic() > end:
            return ended
        time.sleep(1)


@scenario
def quickstart():
    """Every command of docs/quickstart-kubernetes.md, as it stands there"""
    document = "docs/quickstart-kubernetes.md"
    inside = namespace("quick", cookie=False)
    kubectl("config", "set-context", "--current", "--namespace=quick")
    open_things.append(lambda: kubectl("config", "set-context", "--current", "--namespace=default"))
    for heading in re.findall(r"^## (.*)$", open(os.path.join(REPOSITORY, document), encoding="utf-8").read(), re.M):
        for command in commands_of(document, heading):
            began = time.monotonic()
            ended = as_typed(command)
            print(f"    {ended.returncode} after {time.monotonic() - began:4.1f} s: {command[:100]}", flush=True)
            if ended.returncode != 0:
                raise Failure(f"{document}, {heading}: {command}: {ended.returncode}\n{ended.stdout}{ended.stderr}")


def long(function):
    """Only with --all."""
    function.long = True
    return scenario(function)


def rig(*arguments):
    run([os.path.join(REPOSITORY, "test/kube/rig"), *arguments])


@long
def storm():
    """2 -> 8 -> 3 -> 6 within ten seconds; all pods at once; one force-deleted"""
    inside, watch = statefulset("storm")
    inside.scale("sts/app", 2)
    watch.whole(2)
    with watch.step("2 -> 8 -> 3 -> 6", allowed=COMING):
        for count in (8, 3, 6):
            inside.scale("sts/app", count)
            time.sleep(3)
        watch.whole(6, 300)
    inside.scale("sts/app", 3)
    watch.whole(3)
    with watch.step("all pods at once", allowed=COMING | {"isolated", "possible_split", "nothing_discovered"}):
        before = {pod["metadata"]["uid"] for pod in inside.pods("app=app").values()}
        inside.kubectl("delete", "pods", "-l", "app=app", "--wait=false")
        until("three others", lambda: len(found := inside.pods("app=app")) == 3 and not before & {pod["metadata"]["uid"] for pod in found.values()})
        watch.whole(3, 300)
    with watch.step("one force-deleted", allowed=COMING | {"name_mismatch"}):
        before = inside.pods("app=app")["app-1"]["metadata"]["uid"]
        inside.kubectl("delete", "pod", "app-1", "--force", "--grace-period=0")
        until("another pod", lambda: inside.pods("app=app")["app-1"]["metadata"]["uid"] != before)
        watch.whole(3)


@long
def name_server_away():
    """CoreDNS scaled to nothing for a minute and a half: told, and nobody is disconnected"""
    inside, watch = statefulset("nameless")
    open_things.append(lambda: kubectl("-n", "kube-system", "scale", "deploy/coredns", "--replicas=2"))
    with watch.step("away and back", allowed={"discovery_stale"}):
        kubectl("-n", "kube-system", "scale", "deploy/coredns", "--replicas=0")
        until("it is told", lambda: any(one["name"] == "discovery_stale" for one in watch.api("status")["details"]), 180)
        if set(page_counts(inside.pods("app=app")).values()) != {2}:
            raise Failure(watch.picture())
        kubectl("-n", "kube-system", "scale", "deploy/coredns", "--replicas=2")
        until("it is over", lambda: not watch.api("status")["details"], 180)
    watch.whole(3)


@long
def two_replicas():
    """Two Rollcalls under one name: the newer works, the older stands by, and nobody loses a link"""
    inside, watch = statefulset("twice")
    inside.scale("deploy/rollcall", 2)

    def one_stands_by():
        pods = inside.pods(watch.labels)
        answers = [json.loads(get_status(pod)) for pod in pods.values()]
        return len(answers) == 2 and sorted(one["standing_by"] for one in answers) == [False, True]

    until("one works and one stands by", one_stands_by)
    if set(page_counts(inside.pods("app=app")).values()) != {2}:
        raise Failure(watch.picture())
    inside.scale("deploy/rollcall", 1)
    until("one is left", lambda: len(inside.pods(watch.labels)) == 1 and watch.find())
    watch.whole(3)


def get_status(pod):
    return get(f"http://{pod['status']['podIP']}:14369/api/v1/status")


@long
def machine_cut_off():
    """A machine's cable out for ten seconds and in again"""
    inside, watch = statefulset("cable")
    here = next(iter(inside.ready(watch.labels).values()))["spec"]["nodeName"]
    other = "2" if here == "node-1" else "1"
    open_things.append(lambda: rig("node", other, "restore"))
    with watch.step("cut for ten seconds", allowed=COMING | {"possible_split", "netsplit", "quarantine"}, incidents=1):
        rig("node", other, "cut")
        time.sleep(10)
        rig("node", other, "restore")
        until("nobody is missing", lambda: not watch.api("status")["details"], 240)
    watch.whole(3, 300)
