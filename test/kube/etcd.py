"""What happens to etcd, and what the API source makes of it (`./dev kube test --all`): its history compacted, a backup restored. And the
source with all it can be given: patterns, several services, several namespaces, both families."""

import base64
import json
import time

from api import at_their_machines, source, lists, with_source
from cluster import Failure, get, kubectl, page_counts, until
from lasting import dual
from scenes import COMING, STARTING, called, changed, long, namespace, open_things, rig, rollcall

ETCD = "http://127.0.0.1:23790/v3/kv/"


def etcd(what, **values):
    request = json.dumps(values).encode()
    return json.loads(get(ETCD + what, data=request))


def time_passes(writes=300):
    """Writes of others: the revision, which all objects share, goes on."""
    for _ in range(writes):
        revision = etcd("put", key=base64.b64encode(b"/rig/others").decode(), value="eA==")["header"]["revision"]
    return int(revision)


@long
def history_compacted():
    """etcd compacted beyond the watch's version while the API server was away: listed again (410), and nothing is said"""
    inside, watch = with_source("compacted")
    with watch.step("compacted", allowed=COMING):
        before = lists(watch)
        revision = time_passes()
        rig("api", "kill")
        etcd("compaction", revision=str(revision), physical=True)
        rig("api", "start")
        until("the API server answers", lambda: kubectl("get", "--raw", "/readyz", limit=5) == "ok", 120)
        until("it is listed again, as gone", lambda: lists(watch)["gone"] > before["gone"], 180)
        until("the source answers", lambda: source(watch)["outcome"] == "ok", 60)
        inside.scale("sts/app", 4)
        watch.whole(4)
    at_their_machines(inside, watch)


BOTH = ("  clusterIP: None\n", "  clusterIP: None\n  ipFamilyPolicy: RequireDualStack\n")
TWO = ("  replicas: 3\n", "  replicas: 2\n")


def families(inside):
    slices = json.loads(inside.kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=app", "-o", "json"))["items"]
    return sorted(one["addressType"] for one in slices)


@dual
def api_with_patterns():
    """Names learned at the endpoints of two services in two namespaces, with both families; two meshes that stay apart"""
    front, back = namespace("front"), namespace("back", cookie=False)
    back.kubectl("create", "secret", "generic", "erlang-cookie", "--from-literal=cookie=of-front")
    front.apply("-k", "deploy/overlays/endpointslices")
    front.kubectl("set", "env", "deploy/rollcall", "ROLLCALL_KUBERNETES=*@app,*@app.back")
    role, binding = (json.loads(front.kubectl("get", kind, "rollcall-endpointslices", "-o", "json")) for kind in ("role", "rolebinding"))
    binding["subjects"][0]["namespace"] = "front"
    for one in (role, binding):
        one["metadata"] = {"name": one["metadata"]["name"]}
        back.apply("-f", "-", stdin=json.dumps(one))
    front.apply("-f", "-", stdin=changed("deploy/examples/statefulset", BOTH, TWO))
    back.apply("-f", "-", stdin=called("worker", back, changed("deploy/examples/statefulset", BOTH, TWO, ("http://rollcall:14369", "http://rollcall.front:14369"))))
    watch = rollcall(front)

    def each(*names):
        members = {one["node"]: one for one in watch.api("members")}
        status = watch.api("status")
        pages = [page_counts(inside.pods("app=app")) for inside in (front, back)]
        sizes = [sum(1 for one in names if one.startswith(base)) for base in ("app@", "worker@")]
        return set(members) == set(names) and all(one["state"] == "up" and one["machine"] and one["zone"] for one in members.values()) \
            and status["links_missing"] == 0 and not status["details"] \
            and all(len(page) == size and set(page.values()) == {size - 1} for page, size in zip(pages, sizes))

    def nodes(base, inside, count):
        return [f"{base}@app-{i}.app.{inside.name}.svc.cluster.local" for i in range(count)]

    with watch.step("whole, two meshes", allowed=STARTING):
        until("four members in two meshes", lambda: watch.find() and each(*nodes("app", front, 2), *nodes("worker", back, 2)), 300)
    for inside in (front, back):
        if families(inside) != ["IPv4", "IPv6"]:
            raise Failure(f"slices of {inside.name}: {families(inside)}")
    if [one["outcome"] for one in watch.api("discovery")] != ["ok", "ok"]:
        raise Failure(watch.picture())
    with watch.step("a pod deleted in one namespace, one more in the other", allowed=COMING):
        before = back.pods("app=app")["app-1"]["metadata"]["uid"]
        back.kubectl("delete", "pod", "app-1")
        front.scale("sts/app", 3)
        until("another pod", lambda: back.pods("app=app")["app-1"]["metadata"]["uid"] != before)
        until("five members in two meshes", lambda: watch.find() and each(*nodes("app", front, 3), *nodes("worker", back, 2)), 300)


@dual
def etcd_restored():
    """A backup of etcd restored: the watch is deaf, without an error; found out within two minutes, and the older state is taken"""
    inside, watch = with_source("restored")
    rig("etcd", "keep")
    with watch.step("restored", allowed=COMING | {"discovery_stale"}, failures=1, torn=None):
        time_passes()
        inside.scale("sts/app", 4)
        watch.whole(4)
        before = lists(watch)
        rig("etcd", "restore")
        until("the API server answers", lambda: kubectl("get", "--raw", "/readyz", limit=5) == "ok", 120)
        began = time.monotonic()
        until("listed without a version", lambda: lists(watch)["silent"] > before["silent"], 300)
        print(f"    found out after {time.monotonic() - began:.0f} s: {lists(watch)}", flush=True)
        watch.whole(3, 300)
    # Names are not answered before CoreDNS, which is deaf as well, is another one.
    kubectl("-n", "kube-system", "rollout", "restart", "deploy/coredns")
    kubectl("-n", "kube-system", "rollout", "status", "deploy/coredns", "--timeout=180s", limit=200)
    with watch.step("one more", allowed=COMING):
        inside.scale("sts/app", 4)
        watch.whole(4)
