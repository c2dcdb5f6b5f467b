"""Beside other people's software, in the same cluster (`./dev kube test --all`)."""

from cluster import Failure, until
from lasting import CUT
from scenes import COMING, cut, heal, long, namespace, rollcall

BROKERS = "app.kubernetes.io/name=hare"


def brokers_whole(watch):
    def condition():
        watch.find()
        status = watch.api("status")
        return status["up"] == status["expected"] == 3 and status["partitions"] == 1 and status["links_missing"] == 0

    until("three brokers, whole", condition, 300)


@long
def rabbitmq():
    """Three RabbitMQ brokers, found by their service, their names learned: a cut told before they notice; a rolling restart is no incident"""
    inside = namespace("hare")
    inside.apply("-f", "test/kube/rabbitmq/brokers.yaml")
    inside.apply("-k", "deploy/base")
    # Any name: the nodes epmd-starter-N that a broker has for a second while it starts are no members.
    inside.kubectl("set", "env", "deploy/rollcall", "ROLLCALL_SRV=*@_epmd._tcp.hare-nodes")
    inside.kubectl("rollout", "status", "sts/hare-server", "--timeout=600s", limit=700)
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
    watch = rollcall(inside, app=BROKERS)
    brokers_whole(watch)
    names = {one["node"] for one in watch.api("members")}
    if names != {f"rabbit@hare-server-{i}.hare-nodes.hare" for i in range(3)}:
        raise Failure(f"the brokers' own names were not learned: {names}")
    with watch.step("two brokers cut from each other", allowed=CUT, incidents=1, alerts={"RollcallNetsplitHealed"}, torn=None):
        ends = cut(inside, "hare-server-0", "hare-server-1", BROKERS)
        until("the netsplit is told", lambda: watch.api("status")["netsplit"], 60)
        seen = {one["node"]: one["visible"] for one in watch.api("members")}
        if set(seen.values()) != {2}:
            raise Failure(f"told, but the brokers had noticed: {seen}")
        heal(ends)
        brokers_whole(watch)
        until("the netsplit is over", lambda: not watch.api("status")["netsplit"])
    # A broker may be away for longer than the 15 s in which a restart explains it.
    with watch.step("a rolling restart", allowed=COMING, failures=3):
        inside.kubectl("rollout", "restart", "sts/hare-server")
        inside.kubectl("rollout", "status", "sts/hare-server", "--timeout=900s", limit=1000)
        brokers_whole(watch)
