"""The scenarios that take long (`./dev kube test --all`): storms, machines, name servers, and what pods do wrong."""

import json
import os
import re
import subprocess
import tempfile
import time

from cluster import REPOSITORY, Failure, get, kubectl, page_counts, run, until
from api import with_source
from scenarios import CRASHING
from scenes import COMING, STARTING, changed, container_of, cut, heal, long, namespace, nft, open_things, rig, rollcall, statefulset

CUT = COMING | {"possible_split", "netsplit", "quarantine"}


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
def fifty_pods():
    """A Deployment of 50, and back to 10"""
    inside = namespace("fifty")
    inside.apply("-k", "deploy/base")
    inside.apply("-k", "deploy/examples/deployment")
    watch = rollcall(inside)
    watch.whole(3)
    with watch.step("3 -> 50", allowed=COMING):
        inside.scale("deploy/app", 50)
        print(f"    50 pods whole after {watch.whole(50, 900):.1f} s", flush=True)
    with watch.step("50 -> 10", allowed=COMING):
        inside.scale("deploy/app", 10)
        watch.whole(10, 400)


def never_ready(pod):
    pod["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}


def nowhere(pod):
    pod["nodeSelector"] = {"nowhere": "at-all"}


@long
def pods_that_fail():
    """Out of memory, never ready, pending for ever, in a crash loop, beside a StatefulSet of three"""
    inside, watch = statefulset("failing")
    inside.kubectl("set", "resources", "sts/app", "--limits=memory=256Mi")
    inside.kubectl("rollout", "status", "sts/app", "--timeout=600s", limit=700)
    watch.whole(3)
    with watch.step("out of memory", allowed=COMING):
        inside.kubectl("exec", "app-1", "--", "/app/bin/app", "rpc", ":persistent_term.put(:all, :binary.copy(<<1>>, 600_000_000))", check=False)

        def killed():
            state = inside.pods("app=app")["app-1"]["status"]["containerStatuses"][0]
            return state["restartCount"] >= 1 and state["lastState"]["terminated"]["reason"] in ("OOMKilled", "Error")

        until("it was killed", killed)
        watch.whole(3)
    for name, spoil, members in (("never ready", never_ready, 4), ("pending for ever", nowhere, 3)):
        with watch.step(name, allowed=COMING):
            deployment_beside(inside, spoil)
            until("its pod is there", lambda: inside.kubectl("get", "pods", "-l", "beside=yes", "-o", "name"))
            expect_members(watch, members)
            inside.kubectl("delete", "deploy", "beside")
            until("it is gone", lambda: not inside.kubectl("get", "pods", "-l", "beside=yes", "-o", "name"))
            expect_members(watch, 3)
    # It is listed all along and away most of the time: that is missing. Its ends are no failures of others, and nobody else is torn.
    with watch.step("in a crash loop", allowed=COMING, failures=10, alerts={"RollcallMemberFlapping"}):
        inside.apply("-f", "-", stdin=CRASHING)
        time.sleep(90)
        counts = page_counts({name: pod for name, pod in inside.pods("app=app").items() if name.startswith("app-")})
        if len(counts) != 3 or min(counts.values()) < 2:
            raise Failure(f"{counts}\n{watch.picture()}")
        inside.kubectl("delete", "deploy", "crashing")
        expect_members(watch, 3)


def deployment_beside(inside, spoil):
    """One more node of the same service, from the example's Deployment."""
    made = json.loads(inside.kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", stdin=changed("deploy/examples/deployment").split("---\n")[-1]))
    made["metadata"]["name"] = "beside"
    made["spec"]["replicas"] = 1
    for labels in (made["spec"]["selector"]["matchLabels"], made["spec"]["template"]["metadata"]["labels"]):
        labels["beside"] = "yes"
    spoil(made["spec"]["template"]["spec"])
    inside.apply("-f", "-", stdin=json.dumps(made))


def expect_members(watch, count):
    until(f"{count} up and nothing missing", lambda: (s := watch.api("status"))["up"] == s["expected"] == count and s["links_missing"] == 0, 240)


@long
def name_server_away():
    """CoreDNS scaled to nothing for a minute and a half: told, and nobody is disconnected; without an upstream nothing changes"""
    inside, watch = statefulset("nameless")
    open_things.append(lambda: kubectl("-n", "kube-system", "scale", "deploy/coredns", "--replicas=2"))
    with watch.step("away and back", allowed={"discovery_stale"}):
        kubectl("-n", "kube-system", "scale", "deploy/coredns", "--replicas=0")
        until("it is told", lambda: any(one["name"] == "discovery_stale" for one in watch.api("status")["details"]), 180)
        if set(page_counts(inside.pods("app=app")).values()) != {2}:
            raise Failure(watch.picture())
        kubectl("-n", "kube-system", "scale", "deploy/coredns", "--replicas=2")
        until("it is over", lambda: not watch.api("status")["details"], 180)
    held = json.loads(kubectl("-n", "kube-system", "get", "configmap", "coredns", "-o", "json"))["data"]["Corefile"]
    open_things.append(lambda: corefile(held))
    with watch.step("nothing is known of the world outside", allowed=COMING):
        corefile(re.sub(r"template ANY ANY \. \{\s*rcode NXDOMAIN\s*\}", "errors", held))
        inside.scale("sts/app", 4)
        watch.whole(4)


def corefile(text):
    kubectl("-n", "kube-system", "patch", "configmap", "coredns", "--type=merge", "-p", json.dumps({"data": {"Corefile": text}}))
    kubectl("-n", "kube-system", "rollout", "restart", "deploy/coredns")
    kubectl("-n", "kube-system", "rollout", "status", "deploy/coredns", "--timeout=180s", limit=200)


@long
def two_replicas():
    """Two Rollcalls under one name: the newer works, the older stands by, and nobody loses a link"""
    inside, watch = statefulset("twice")
    inside.scale("deploy/rollcall", 2)

    def one_stands_by():
        pods = inside.pods(watch.labels)
        answers = [json.loads(get(f"http://{pod['status']['podIP']}:14369/api/v1/status")) for pod in pods.values()]
        return len(answers) == 2 and sorted(one["standing_by"] for one in answers) == [False, True]

    until("one works and one stands by", one_stands_by)
    if set(page_counts(inside.pods("app=app")).values()) != {2}:
        raise Failure(watch.picture())
    inside.scale("deploy/rollcall", 1)
    until("one is left", lambda: len(inside.pods(watch.labels)) == 1 and watch.find())
    watch.whole(3)


SUBSCRIBED = ('rollcall = :"rollcall@rollcall.{}.svc.cluster.local"; IO.inspect(:rpc.call(rollcall, :rollcall, :subscribe, [self()])); '
              'Stream.repeatedly(fn -> receive do {{:rollcall, _, event}} -> event after 120_000 -> %{{node: :nobody, type: nil}} end end) '
              '|> Enum.find(&(&1.type in [:member_leaving, nil])) |> then(&IO.puts("#{{&1.type}} of #{{&1.node}}"))')


def told_in_a_shell(inside, pod, other):
    """A shell on a pod's node subscribes; another pod is deleted, and the shell is told."""
    with tempfile.TemporaryFile("w+") as said:
        shell = subprocess.Popen(["kubectl", "-n", inside.name, "exec", pod, "--", "/app/bin/app", "rpc", SUBSCRIBED.format(inside.name)], stdout=said, stderr=said)

        def text():
            said.seek(0)
            return said.read()

        try:
            until("the shell has subscribed", lambda: ":ok" in text() or shell.poll() is not None, 60)
            inside.kubectl("delete", "pod", other, "--wait=false")
            until("the shell was told", lambda: shell.poll() is not None, 150)
            if f"member_leaving of app@{other}." not in text():
                raise Failure(f"a shell on {pod} was told: {text()}")
        finally:
            shell.kill()
            shell.wait()


@long
def events_in_a_shell():
    """Events in a shell on a node, also right after Rollcall has moved"""
    inside, watch = statefulset("shell")
    with watch.step("a pod deleted", allowed=COMING):
        told_in_a_shell(inside, "app-0", "app-2")
        watch.whole(3)
    with watch.step("Rollcall moved, a pod deleted", allowed=STARTING):
        inside.kubectl("rollout", "restart", "deploy/rollcall")
        inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
        # As long as the name leads to the old one, a person asks again.
        until("its name leads to the new one", lambda: not told_in_a_shell(inside, "app-0", "app-1"), 60)
        watch.whole(3)


def place(inside, watch):
    """(Rollcall's machine, the other), as numbers."""
    here = next(iter(inside.ready(watch.labels).values()))["spec"]["nodeName"]
    return ("1", "2") if here == "node-1" else ("2", "1")


@long
def kubelet_hangs():
    """A machine's kubelet stopped for 40 s: its pods are called not ready, and live on; nothing is said"""
    inside, watch = statefulset("hangs")
    _, other = place(inside, watch)
    open_things.append(lambda: rig("node", other, "cont"))
    with watch.step("kubelet stopped"):
        rig("node", other, "stop")
        until("its node is not ready", lambda: "NotReady" in kubectl("get", "node", f"node-{other}"), 90)
        time.sleep(20)
        rig("node", other, "cont")
        until("its node is ready", lambda: "NotReady" not in kubectl("get", "node", f"node-{other}"), 90)
        watch.whole(3)


@long
def machine_cut_off():
    """A machine's cable out, for ten seconds and for three minutes, Rollcall on either side"""
    inside, watch = statefulset("cable")
    inside.scale("sts/app", 4)
    watch.whole(4)
    _, other = place(inside, watch)
    open_things.append(lambda: [rig("node", one, "restore") for one in "12"])
    # Ten seconds are less than a tick time: no link goes, and nobody fails.
    short = {"allowed": COMING | {"possible_split"}}
    lost = {"allowed": CUT, "failures": 4, "incidents": 1, "alerts": {"RollcallNetsplitHealed", "RollcallPossibleSplit"}, "torn": None}
    for seconds, may in ((10, short), (180, lost)):
        with watch.step(f"the other machine cut off for {seconds} s", **may):
            rig("node", other, "cut")
            time.sleep(seconds)
            rig("node", other, "restore")
            until("nobody is missing", lambda: not watch.api("status")["details"], 300)
            watch.whole(4, 300)
    # Its own: the API server moves it to the other machine after half a minute, and the old one comes back to find a newer.
    here, _ = place(inside, watch)
    rig("node", here, "cut")
    time.sleep(180)
    rig("node", here, "restore")
    until("one Rollcall is ready, and finds everybody", lambda: watch.find() and not watch.api("status")["details"], 300)
    watch.whole(4, 300)


@long
def machine_lost_with_the_api():
    """A machine's cable out, the API server being the source: it is named, since what is lost runs along it"""
    inside, watch = with_source("along")
    inside.scale("sts/app", 4)
    watch.whole(4)
    _, other = place(inside, watch)
    lost = [pod for pod in inside.pods("app=app").values() if pod["spec"]["nodeName"] == f"node-{other}"]
    if not 2 <= len(lost) <= 3:
        raise Failure(f"{len(lost)} of 4 pods are on node-{other}: nothing runs along a machine")
    along = f"all {len(lost)} on node-{other} (zone-{other})"
    open_things.append(lambda: rig("node", other, "restore"))
    with watch.step("cut off until it is named", allowed=CUT, failures=4, incidents=1, alerts={"RollcallNetsplitHealed", "RollcallPossibleSplit"}, torn=None):
        rig("node", other, "cut")
        until(f"it is said that they are {along}", lambda: along in json.dumps([watch.api("status"), watch.api("netsplits")]), 120)
        rig("node", other, "restore")
        until("nobody is missing", lambda: not watch.api("status")["details"], 300)
        watch.whole(4, 300)


@long
def netsplit_of_two_minutes():
    """A cut between two pods that lasts: the alert fires, names the namespace, and is over when it is over"""
    inside, watch = statefulset("lasting")
    with watch.step("cut for two minutes", allowed=CUT, failures=2, incidents=1, alerts={"RollcallNetsplit", "RollcallNetsplitHealed", "RollcallPossibleSplit"}, torn=None):
        ends = cut(inside, "app-0", "app-2")
        until("the alert fires", lambda: "RollcallNetsplit" in watch.prometheus.firing("lasting"), 240)
        heal(ends)
        watch.whole(3, 300)
        until("that it healed is told", lambda: "RollcallNetsplitHealed" in watch.prometheus.firing("lasting"), 120)


def reaches(inside, pod, address, port):
    """Whether a TCP connection from a pod of the app's image is made."""
    ended = inside.kubectl("exec", pod, "--", "timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}", check=False)
    return ended.returncode == 0


PASSER_BY = """
apiVersion: v1
kind: Pod
metadata: {name: passer-by}
spec:
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  terminationGracePeriodSeconds: 1
  containers:
    - {name: sleeps, image: "app:0.1.0", command: [sleep, "3600"], securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
"""


def gateway(pod):
    """The machine's address on the pod's own link, from which kubelet comes."""
    route = run(["nsenter", "-t", container_of(pod), "-n", "ip", "route", "show", "default"])
    return re.search(r"via (\S+)", route).group(1)


def played(inside, name):
    """The rules of a NetworkPolicy, as nft in the pod it selects; kubelet's probes come from the pod's own machine, and pass."""
    policy = json.loads(inside.kubectl("get", "networkpolicy", name, "-o", "json"))["spec"]
    lines = []
    for rule in policy["ingress"]:
        sources = []
        for peer in rule["from"]:
            where = [inside.name]
            if "namespaceSelector" in peer:
                labels = ",".join(f"{k}={v}" for k, v in peer["namespaceSelector"]["matchLabels"].items())
                where = [one["metadata"]["name"] for one in json.loads(kubectl("get", "namespaces", "-l", labels, "-o", "json"))["items"]]
            chosen = ",".join(f"{k}={v}" for k, v in peer.get("podSelector", {}).get("matchLabels", {}).items())
            for one in where:
                pods = json.loads(kubectl("-n", one, "get", "pods", "-l", chosen, "-o", "json"))["items"]
                sources += [pod["status"]["podIP"] for pod in pods if pod["status"].get("podIP")]
        ports = ", ".join(str(one["port"]) for one in rule["ports"])
        if sources:
            lines.append(f"ip saddr {{ {', '.join(sorted(set(sources)))} }} tcp dport {{ {ports} }} accept")
    chosen = ",".join(f"{k}={v}" for k, v in policy["podSelector"]["matchLabels"].items())
    for pod in inside.pods(chosen).values():
        text = "; ".join(["ct state established,related accept", 'iifname "lo" accept', f"ip saddr {{ {pod['status']['hostIP']}, {gateway(pod)} }} accept", *lines])
        nft(container_of(pod), "-f", "-", rules=f"table ip walls {{ chain in {{ type filter hook input priority 0; policy drop; {text}; }}; }}")


@long
def network_policy():
    """The NetworkPolicy's rules, played by nft: nodes, gates, probes, Prometheus and DNS pass, others do not"""
    inside, watch = statefulset("walls")
    monitoring = namespace("monitoring")
    for one in (inside, monitoring):
        one.apply("-f", "-", stdin=PASSER_BY)
        one.kubectl("wait", "--for=condition=Ready", "pod/passer-by", "--timeout=120s")
    address = watch.address
    played(inside, "rollcall")
    found = {(who, port): reaches(where, pod, address, port) for who, where, pod in (("node", inside, "app-0"), ("passer-by", inside, "passer-by"),
             ("prometheus", monitoring, "passer-by")) for port in (4369, 9100, 14369)}
    wanted = {(who, port): who == "node" or (who == "prometheus" and port == 14369) for who, port in found}
    if found != wanted:
        raise Failure(f"passed: {found}")
    # Ready by kubelet's probes, and by DNS, which is asked from inside.
    time.sleep(20)
    if not inside.ready(watch.labels):
        raise Failure("kubelet's probes do not pass")
    answer = inside.kubectl("exec", next(iter(inside.ready(watch.labels))), "--", "rollcall", "check", "--wait", "1m")
    if "whole: 3 members" not in answer:
        raise Failure(answer)
    answer = inside.kubectl("exec", "app-0", "--", "/app/bin/app", "rpc", 'IO.inspect(Node.ping(:"rollcall@rollcall.walls.svc.cluster.local"))')
    if ":pong" not in answer:
        raise Failure(answer)


@long
def as_the_article_has_it():
    """The classic article's way: a service with one unnamed port, pods not listed before they are ready, nodes called node@, no gate"""
    inside = namespace("article")
    with open(os.path.join(REPOSITORY, "deploy/examples/app/rel/env.sh.eex"), encoding="utf-8") as file:
        hook = file.read().replace("<%= @release.name %>@", "node@").replace("<%= @release.name %>", "app")
    inside.kubectl("create", "configmap", "hook", f"--from-literal=env.sh={hook}")
    service, app = (json.loads(inside.kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", stdin=text))
                    for text in changed("deploy/examples/deployment").split("---\n"))
    service["metadata"]["name"] = "k8s-service"
    service["spec"]["ports"] = [{"port": 80, "protocol": "TCP"}]
    del service["spec"]["publishNotReadyAddresses"]
    pod = app["spec"]["template"]["spec"]
    container = pod["containers"][0]
    del container["startupProbe"]
    next(one for one in container["env"] if one["name"] == "HEADLESS_SERVICE")["value"] = "k8s-service"
    container["volumeMounts"].append({"name": "hook", "mountPath": "/app/releases/0.1.0/env.sh", "subPath": "env.sh"})
    pod["volumes"].append({"name": "hook", "configMap": {"name": "hook"}})
    for one in (service, app):
        inside.apply("-f", "-", stdin=json.dumps(one))
    inside.apply("-k", "deploy/base")
    inside.kubectl("set", "env", "deploy/rollcall", "ROLLCALL_SRV=node@k8s-service")
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
    watch = rollcall(inside)
    watch.whole(3)
    if not all(one["node"].startswith("node@") for one in watch.api("members")):
        raise Failure(watch.picture())
    for count in (5, 2):
        with watch.step(f"scaled to {count}", allowed=COMING):
            inside.scale("deploy/app", count)
            watch.whole(count)


def dual(function):
    """On a cluster of its own, whose pods, machines and services have both families."""
    function.dual = True
    return long(function)


@dual
def both_families():
    """Dual stack: a headless service of both families, and one of IPv6 alone whose nodes speak IPv6 only"""
    inside = namespace("dual")
    both = ("  clusterIP: None\n", "  clusterIP: None\n  ipFamilyPolicy: RequireDualStack\n")
    inside.apply("-f", "-", stdin=changed("deploy/base", both))
    inside.apply("-f", "-", stdin=changed("deploy/examples/statefulset", both))
    watch = rollcall(inside)
    with watch.step("whole over both", allowed=STARTING):
        watch.whole(3)
    six = namespace("six")
    only = ("  clusterIP: None\n", "  clusterIP: None\n  ipFamilies: [IPv6]\n  ipFamilyPolicy: SingleStack\n")
    six.apply("-f", "-", stdin=changed("deploy/base", only))
    six.apply("-f", "-", stdin=changed("deploy/examples/statefulset", only, ("      - env:\n", "      - env:\n        - {name: ERL_AFLAGS, value: -proto_dist inet6_tcp}\n")))
    watch = rollcall(six)
    with watch.step("whole over IPv6", allowed=STARTING):
        watch.whole(3)
