"""A Rollcall in a namespace of the cluster: what it says all along, and, step by step, whether that is what may be said."""

import json
import re
import threading
import time
from contextlib import contextmanager

from cluster import Failure, get, page_counts, until
from witnesses import Nodes


class Rollcall:
    """The one of a namespace, asked at its pod; and what it says all along, in steps that state what may be said."""

    prometheus = None  # the suite's

    def __init__(self, namespace, labels="app.kubernetes.io/name=rollcall", app="app=app"):
        self.namespace, self.labels, self.app = namespace, labels, app
        self.seen, self.lock, self.ended = {}, threading.Lock(), threading.Event()
        self.address = None
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def find(self):
        ready = self.namespace.ready(self.labels)
        if len(ready) == 1:
            self.address = next(iter(ready.values()))["status"]["podIP"]
            self.prometheus.watch(self.namespace.name, self.address)
        return self.address if len(ready) == 1 else None

    def get(self, path):
        return get(f"http://{self.address}:14369/{path}")

    def api(self, path):
        return json.loads(self.get(f"api/v1/{path}"))

    def metric(self, name):
        """The sum of its series."""
        lines = self.get("metrics").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(name + r"[ {]", line))

    def _watch(self):
        while not self.ended.wait(0.4):
            try:
                status = self.api("status") if self.address else {"details": []}
            except (OSError, ValueError):
                continue
            with self.lock:
                for detail in status["details"]:
                    self.seen.setdefault(detail["name"], json.dumps(detail))

    def close(self):
        self.ended.set()
        self.prometheus.watch(self.namespace.name, None)

    def check(self):
        """`rollcall check` in its pod: the links are probed."""
        pod = next(iter(self.namespace.ready(self.labels)))
        ended = self.namespace.kubectl("exec", pod, "--", "rollcall", "check", "--wait", "1m", check=False)
        if ended.returncode != 0:
            raise Failure(f"rollcall check: {ended.returncode}\n{ended.stdout}{ended.stderr}")

    def whole(self, count, limit=240):
        """`count` members, up and linked, and so say their own pages."""

        def condition():
            self.find()
            pods = self.namespace.pods(self.app)
            status = self.api("status")
            good = status["up"] == status["expected"] == count and status["partitions"] == min(count, 1) and status["links_missing"] == 0
            if not good or len(pods) != count:
                return None
            return set(page_counts(pods).values()) <= {count - 1} or None

        began = time.monotonic()
        try:
            until(f"{count} members, whole", condition, limit)
        except Failure as failure:
            raise Failure(f"{failure}\n{self.picture()}") from None
        return time.monotonic() - began

    def calm(self):
        """What is left of the step before is not this one's: nothing is said any more, and Prometheus knows."""
        until("nothing is said any more", lambda: self.find() and not self.api("status")["details"], 180)
        # That one is over is an alert for an hour: of the step in which it ended, however late Prometheus scrapes.
        if self.metric("erlang_cluster_netsplit_last_end_timestamp_seconds"):
            until("Prometheus knows that it is over", lambda: "RollcallNetsplitHealed" in self.prometheus.firing(self.namespace.name), 120)

    def picture(self):
        parts = [self.namespace.kubectl("get", "pods", "-o", "wide", check=False).stdout]
        for path in ("status", "members", "netsplits"):
            try:
                parts.append(json.dumps(self.api(path))[:3000])
            except (OSError, ValueError, Failure) as trouble:
                parts.append(f"{path}: {trouble!r}")
        parts.append(self.namespace.kubectl("logs", "-l", self.labels, "--tail=120", check=False).stdout)
        for pod, (count, last) in self.restarts().items():
            if count:
                parts.append(f"{pod} was restarted {count} times, the last one: {last}; before that it said:")
                parts.append(self.namespace.kubectl("logs", pod, "--previous", "--tail=60", check=False).stdout)
        return "\n".join(parts)

    def restarts(self):
        """How often the container of each of its pods was restarted, and how it ended the last time."""
        pods = json.loads(self.namespace.kubectl("get", "pods", "-l", self.labels, "-o", "json"))["items"]
        return {pod["metadata"]["name"]: (one["restartCount"], one.get("lastState", {}).get("terminated"))
                for pod in pods for one in pod["status"].get("containerStatuses", [])}

    def counters(self):
        return {name: self.metric(f"erlang_cluster_{name}") for name in ("member_failures_total", "netsplits_detected_total")}

    @contextmanager
    def step(self, what, allowed=(), failures=0, incidents=0, alerts=(), torn=0, new_one_ends=False):
        """What is said in it, and counted. A condition beside `allowed`, an alert beside `alerts`, more failures, incidents or torn links
        between nodes that stay than stated, and a cluster that is not whole at its end: each is a failure. So is a Rollcall that ends by itself,
        but, with `new_one_ends`, one that came in this step."""
        if "starting" not in allowed:
            self.calm()
        with self.lock:
            self.seen = {}
        before, firing, lives = self.counters(), self.prometheus.firing(self.namespace.name), self.restarts()
        nodes = Nodes(self.namespace, self.app)
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        after = self.counters()
        self.check()
        with self.lock:
            seen = dict(self.seen)
        fired = self.prometheus.firing(self.namespace.name, time.monotonic() - began) - firing
        lost = nodes.torn()
        print(f"    {what}: {took:.1f} s; said: {', '.join(sorted(seen)) or 'nothing'}" + (f"; alerts: {', '.join(sorted(fired))}" if fired else "")
              + (f"; {len(lost)} nodedowns" if lost else ""), flush=True)
        wrong = [text for name, text in seen.items() if name not in allowed]
        wrong += [f"the alert {name}" for name in fired - set(alerts)]
        if "starting" not in allowed:
            # It is never to end by itself.
            wrong += [f"{pod} ended: {last}" for pod, (count, last) in self.restarts().items()
                      if count > lives.get(pod, (0, None))[0] and (pod in lives or not new_one_ends)]
        if torn is not None and len(lost) > torn:
            wrong.append(f"links torn between nodes that stay: {lost}")
        for name, most in (("member_failures_total", failures), ("netsplits_detected_total", incidents)):
            # Counters of a Rollcall that was replaced begin at 0.
            if after[name] - min(before[name], after[name]) > most:
                wrong.append(f"{name} rose from {before[name]} to {after[name]}")
        if wrong:
            raise Failure(f"{what}: not to be said: {'; '.join(wrong)}\n{self.picture()}")
