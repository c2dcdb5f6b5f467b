"""What the suite needs of a cluster: kubectl, pods and their pages, and waiting for a condition with a limit. Limits are generous and
grow with ROLLCALL_TEST_PATIENCE: a busy machine is no failure."""

import json
import os
import re
import subprocess
import time
import urllib.request

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
        except (Failure, OSError, ValueError, KeyError, IndexError, StopIteration) as trouble:
            last = trouble
        if late:
            raise Failure(f"not within {limit * PATIENCE:.0f} s: {what} (last: {last!r})")
        time.sleep(0.4)


def get(url, limit=5, data=None, context=None):
    with urllib.request.urlopen(url, data=data, timeout=limit, context=context) as answer:
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

    def apply(self, *arguments, stdin=None):
        """Nothing that the server warns of is accepted."""
        ended = self.kubectl("apply", *arguments, check=False, stdin=stdin)
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
