"""The scenarios of the suite, in the order in which they run. Each begins in a namespace of its own and leaves nothing."""

import json
import re
import tempfile
import time

from cluster import Failure, kubectl, page_counts, run, until
from scenes import COMING, STARTING, changed, container_of, cut, heal, namespace, open_things, rollcall, scenario, statefulset

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
    with watch.step("cut and joined again", allowed=COMING | {"netsplit", "quarantine"}, incidents=1, alerts={"RollcallNetsplitHealed"}, torn=None):
        ends = cut(inside, "app-0", "app-1")
        until("the netsplit is told", lambda: watch.api("status")["netsplit"], 120)
        told = json.dumps(watch.api("netsplits"))
        if "app-0" not in told or "app-1" not in told:
            raise Failure(f"the pair is not named: {told}")
        heal(ends)
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
    """Client-side and server-side apply mix, of the manifests and of the chart; diff finds nothing"""
    inside = namespace("applied")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rendered:
        rendered.write(run(["helm", "-n", inside.name, "template", "charted", "deploy/chart/rollcall", "--no-hooks", "--set", "ingress.enabled=true",
                            "--set", "ingress.hosts[0].host=rollcall.example", "--set", "ingress.hosts[0].paths[0].path=/", "--set",
                            "ingress.hosts[0].paths[0].pathType=Prefix"]))
        rendered.flush()
        for what in (["-k", "deploy/examples/statefulset"], ["-k", "deploy/base"], ["-f", rendered.name]):
            inside.apply(*what)
            inside.apply("--server-side", *what)
            # After a server-side apply the first one takes its own notes (an annotation of kubectl's); the next has nothing to change.
            inside.apply(*what)
            changed = [line for line in inside.apply(*what).splitlines() if not line.endswith("unchanged")]
            if changed:
                raise Failure(f"{what}: applied once more, and changed: {changed}")
            nothing_to_change(inside, *what)
            inside.apply("--server-side", *what)
            nothing_to_change(inside, "--server-side", *what)


def nothing_to_change(inside, *arguments):
    """A status moves while pods come up, and then stands still; a field that is wrong stays wrong."""
    def none():
        difference = inside.kubectl("diff", *arguments, check=False)
        if difference.returncode != 0:
            raise Failure(difference.stdout + difference.stderr)
        return True

    until(f"kubectl diff {' '.join(arguments)} finds nothing to change", none, 90)


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
    with watch.step("an option that is refused", new_one_ends=True):
        inside.kubectl("set", "env", "deploy/rollcall", "ROLLCALL_INTERVAL=often")

        def said():
            pods = json.loads(inside.kubectl("get", "pods", "-l", watch.labels, "-o", "json"))["items"]
            states = [s for p in pods for c in p["status"].get("containerStatuses", []) for s in (c.get("state", {}), c.get("lastState", {}))]
            return [s["terminated"]["message"] for s in states if "often" in s.get("terminated", {}).get("message", "")]

        until("kubectl describe shows why", said)
        watch.whole(3)
    inside.kubectl("rollout", "undo", "deploy/rollcall")
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)


# The example app, killed after some seconds of life, again and again; its pods are behind the same service.
CRASHING = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: crashing}
spec:
  replicas: 1
  selector: {matchLabels: {app: app, crashing: "yes"}}
  template:
    metadata: {labels: {app: app, crashing: "yes", rollcall.io/distribution: allowed}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: app
          image: app:0.1.0
          command: [timeout, -s, KILL, "4", /app/bin/app, start]
          env:
            - {name: HEADLESS_SERVICE, value: app}
            - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
            - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: HOME, value: /run/app}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: home, mountPath: /run/app}, {name: cookie, mountPath: /run/secrets/erlang, readOnly: true}]
      volumes:
        - {name: home, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
        - {name: cookie, secret: {secretName: erlang-cookie, defaultMode: 0440}}
"""


def gates(inside, labels, count, since):
    """Waits for the pods, and for what each gate said; one that waited out its time is a failure."""
    until(f"{count} pods are ready", lambda: len(inside.ready(labels)) == count, 240)
    print(f"    {count} ready after {time.monotonic() - since:.1f} s", flush=True)
    lines = inside.kubectl("logs", "-l", labels, "--prefix", "--tail=-1", "--max-log-requests=20").splitlines()
    said = [line for line in lines if "gate: " in line]
    if len(said) < count or any("is not linked to all" in line for line in said):
        raise Failure("a start-up gate waited out its time, or said nothing:\n" + "\n".join(said))


@scenario
def start_up_gates():
    """Pods one after the other, and beside one in a crash loop: no gate waits out its 30 s"""
    inside = namespace("gates")
    inside.apply("-k", "deploy/base")
    inside.kubectl("set", "env", "deploy/rollcall", "ROLLCALL_EXPECT=3")
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
    began = time.monotonic()
    inside.apply("-f", "-", stdin=changed("deploy/examples/statefulset", ("podManagementPolicy: Parallel", "podManagementPolicy: OrderedReady")))
    gates(inside, "app=app", 3, began)
    rollcall(inside).whole(3)
    inside.kubectl("delete", "sts", "app")
    inside.apply("-f", "-", stdin=CRASHING)
    until("it has fallen over twice", lambda: inside_restarts(inside) >= 2)
    began = time.monotonic()
    inside.apply("-f", "-", stdin=changed("deploy/examples/deployment", ("replicas: 3", "replicas: 6")))
    gates(inside, "app=app,crashing!=yes", 6, began)


def inside_restarts(inside):
    pods = json.loads(inside.kubectl("get", "pods", "-l", "crashing=yes", "-o", "json"))["items"]
    return max((one["restartCount"] for pod in pods for one in pod["status"].get("containerStatuses", [])), default=0)


@scenario
def rollcall_replaced():
    """Rollcall restarted, deleted, killed, moved to the other machine; asked from a node's shell meanwhile; nobody loses a link"""
    inside, watch = statefulset("replaced")
    ask = ('rollcall = :"rollcall@rollcall.replaced.svc.cluster.local"; '
           'IO.inspect({:rpc.call(rollcall, :rollcall, :nodes, []) |> length(), Node.ping(rollcall)})')

    def asked():
        answer = inside.kubectl("exec", "app-0", "--", "/app/bin/app", "rpc", ask)
        if "{3, :pong}" not in answer:
            raise Failure(f"from the shell of app-0: {answer}")

    asked()
    with watch.step("restarted by rollout", allowed=STARTING):
        inside.kubectl("rollout", "restart", "deploy/rollcall")
        inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
        watch.whole(3)
        until("its name leads to the new one", lambda: asked() or True, 60)
    with watch.step("its pod deleted", allowed=STARTING):
        before = set(inside.pods(watch.labels))
        inside.kubectl("delete", "pod", *before)
        until("another", lambda: (now := set(inside.ready(watch.labels))) and not now & before and watch.find())
        watch.whole(3)
    with watch.step("its process killed", allowed=STARTING):
        pod = next(iter(inside.pods(watch.labels).values()))
        run(["kill", "-KILL", container_of(pod)])
        until("it was restarted", lambda: next(iter(inside.ready(watch.labels).values()))["status"]["containerStatuses"][0]["restartCount"] == 1)
        watch.whole(3)
    with watch.step("moved to the other machine", allowed=STARTING):
        here = next(iter(inside.pods(watch.labels).values()))["spec"]["nodeName"]
        other = {"node-1": "node-2", "node-2": "node-1"}[here]
        inside.kubectl("patch", "deploy", "rollcall", "-p", json.dumps({"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": other}}}}}))
        inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
        watch.whole(3)
        until("asked where it is now", lambda: asked() or True, 60)


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
    # The old pod may still be on its way out.
    log = inside.kubectl("logs", next(iter(inside.ready(watch.labels))))
    if log.lstrip().startswith("{"):
        raise Failure(f"config.ROLLCALL_LOG_FORMAT=text changed nothing: {log[:200]}")
    wrong = helm("upgrade", "rollcall", chart, "--wait", "--timeout", "15s", "--set", "config.ROLLCALL_INTERVAL=often", check=False)
    if wrong.returncode == 0:
        raise Failure("an option that is refused was installed")
    watch.whole(3)
    helm("rollback", "rollcall", "--wait", "--timeout", "300s")
    # As any user, as OpenShift gives one out of the namespace's range.
    user = [f"podSecurityContext.{name}={number}" for name, number in (("runAsUser", 1000680000), ("runAsGroup", 0), ("fsGroup", 1000680000))]
    helm("install", "second", chart, "--wait", "--timeout", "300s", "--set", "config.ROLLCALL_SRV=app@_dist._tcp.app", "--set", ",".join(user))
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
