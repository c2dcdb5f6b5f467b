"""What the suite needs of a cluster: kubectl, pods and their pages, Rollcall's API, and waiting for a condition with a limit. Limits
are generous and grow with ROLLCALL_TEST_PATIENCE: a busy machine is no failure."""

import json
import os
import re
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager

PATIENCE = float(os.environ.get("ROLLCALL_TEST_PATIENCE", "1"))
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Failure(Exception):
    pass


def run(arguments, check=True, limit=180, stdin=None, folder=REPOSITORY):
    """What a command prints; Failure with what it says when it ends badly (unless not `check`: then its whole result)."""
    try:
        ended = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=limit * PATIENCE, cwd=folder)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(arguments)}: not done after {limit * PATIENCE:.0f} s") from None
    if not check:
        return ended
    if ended.returncode != 0:
        raise Failure(f"{' '.join(arguments)}: {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def kubectl(*arguments, **options):
    return run(["kubectl", *arguments], **options)


def until(what, condition, limit=180):
    """The first true answer of `condition`; Failure with its last answer or trouble when there is none in time."""
    end = time.monotonic() + limit * PATIENCE
    last = None
    while True:
        late = time.monotonic() > end
        try:
            last = condition()
            if last:
                return last
        except (Failure, OSError, ValueError, KeyError, IndexError) as trouble:
            last = trouble
        if late:
            raise Failure(f"not within {limit * PATIENCE:.0f} s: {what} (last: {last!r})")
        time.sleep(0.4)


def get(url, limit=5):
    with urllib.request.urlopen(url, timeout=limit) as answer:
        return answer.read().decode()


class Namespace:
    """One that enforces the Pod Security Standard `restricted`, with a cookie."""

    def __init__(self, name, cookie=True):
        self.name = name
        # One of that name may still be on its way out.
        until(f"a namespace {name}", lambda: kubectl("create", "namespace", name))
        kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted")
        if cookie:
            self.kubectl("create", "secret", "generic", "erlang-cookie", f"--from-literal=cookie=of-{name}")

    def kubectl(self, *arguments, **options):
        return kubectl("-n", self.name, *arguments, **options)

    def delete(self):
        kubectl("delete", "namespace", self.name, "--wait=false", check=False)

    def apply(self, *arguments):
        """Nothing that the server warns of is accepted."""
        ended = self.kubectl("apply", *arguments, check=False)
        if ended.returncode != 0 or "Warning" in ended.stderr:
            raise Failure(f"apply {' '.join(arguments)}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def pods(self, labels):
        """Those that run and are not on their way out, by name."""
        found = json.loads(self.kubectl("get", "pods", "-l", labels, "-o", "json"))["items"]
        return {one["metadata"]["name"]: one for one in found
                if "deletionTimestamp" not in one["metadata"] and one["status"].get("podIP") and one["status"]["phase"] == "Running"}

    def ready(self, labels):
        return {name: pod for name, pod in self.pods(labels).items()
                if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))}

    def scale(self, what, count):
        self.kubectl("scale", what, f"--replicas={count}")


def page_counts(pods):
    """How many neighbours the page of each pod shows."""
    counts = {}
    for name, pod in pods.items():
        text = get(f"http://{pod['status']['podIP']}:4000/")
        counts[name] = int(re.search(r"connected to (\d+):", text).group(1))
    return counts


class Rollcall:
    """The one of a namespace, asked at its pod; and what it says all along, in steps that state what may be said."""

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
        return self.address if len(ready) == 1 else None

    def api(self, path):
        return json.loads(get(f"http://{self.address}:14369/api/v1/{path}"))

    def metric(self, name):
        """The sum of its series."""
        lines = get(f"http://{self.address}:14369/metrics").splitlines()
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

    def picture(self):
        parts = [self.namespace.kubectl("get", "pods", "-o", "wide", check=False).stdout]
        for path in ("status", "members"):
            try:
                parts.append(json.dumps(self.api(path))[:3000])
            except (OSError, ValueError, Failure) as trouble:
                parts.append(f"{path}: {trouble!r}")
        return "\n".join(parts)

    def counters(self):
        return {name: self.metric(f"erlang_cluster_{name}") for name in ("member_failures_total", "netsplits_detected_total")}

    @contextmanager
    def step(self, what, allowed=(), failures=0, incidents=0):
        """What is said in it, and counted: conditions beside `allowed`, more failures or incidents than stated, are a failure."""
        with self.lock:
            self.seen = {}
        before = self.counters()
        began = time.monotonic()
        yield
        after = self.counters()
        with self.lock:
            seen = dict(self.seen)
        print(f"    {what}: {time.monotonic() - began:.1f} s; said: {', '.join(sorted(seen)) or 'nothing'}", flush=True)
        wrong = [text for name, text in seen.items() if name not in allowed]
        for name, most in (("member_failures_total", failures), ("netsplits_detected_total", incidents)):
            # Counters of a Rollcall that was replaced begin at 0.
            if after[name] - min(before[name], after[name]) > most:
                wrong.append(f"{name} rose from {before[name]} to {after[name]}")
        if wrong:
            raise Failure(f"{what}: not to be said: {'; '.join(wrong)}\n{self.picture()}")
