"""Who else saw what happened in a step: a real Prometheus with this repository's rules, and the nodes themselves, whose app logs every
nodedown."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse

from cluster import REPOSITORY, get, until

CONFIGURATION = """
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: ['%s']
scrape_configs:
  - job_name: rollcall
    file_sd_configs: [{files: ['%s'], refresh_interval: 1s}]
"""


class Prometheus:
    """On the machine itself, which reaches every pod. `how`: more lines of how it asks."""

    def __init__(self, how=""):
        self.folder = tempfile.mkdtemp(prefix="rollcall-prometheus-")
        self.targets = {}
        self._write()
        configuration = os.path.join(self.folder, "prometheus.yml")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION % (os.path.join(REPOSITORY, "deploy/alerts/rollcall.rules.yaml"), os.path.join(self.folder, "targets.json")) + how)
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{one.getsockname()[1]}"
        self.process = subprocess.Popen(["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={self.folder}/data",
                                         f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=error"])
        until("Prometheus is ready", lambda: get(self.url + "/-/ready"), 60)

    def _write(self):
        text = json.dumps([{"targets": [f"{address}:14369"], "labels": {"namespace": name}} for name, address in self.targets.items() if address])
        with open(os.path.join(self.folder, "new"), "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(os.path.join(self.folder, "new"), os.path.join(self.folder, "targets.json"))

    def watch(self, namespace, address):
        if self.targets.get(namespace) != address:
            self.targets[namespace] = address
            self._write()

    def ask(self, expression):
        answer = json.loads(get(f"{self.url}/api/v1/query?query={urllib.parse.quote(expression)}"))
        return answer["data"]["result"]

    def firing(self, namespace, seconds=2):
        """The alerts of a namespace that fired at some moment of the last seconds."""
        selector = f'ALERTS{{alertstate="firing",namespace="{namespace}"}}'
        return {one["metric"]["alertname"] for one in self.ask(f"count by (alertname) (last_over_time({selector}[{max(int(seconds), 2)}s]))")}

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nodes:
    """The pods of an app, from now on: who of those that stay loses a link to another that stays."""

    def __init__(self, namespace, labels):
        self.namespace, self.labels = namespace, labels
        self.before = self._lives()
        # kubectl knows whole seconds only, and what was lost before is not of this step.
        moment = int(time.time()) + 1
        time.sleep(max(moment - time.time(), 0))
        self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))

    def _lives(self):
        lives = {}
        for name, pod in self.namespace.pods(self.labels).items():
            restarts = [one["restartCount"] for one in pod["status"].get("containerStatuses", [])]
            lives[name] = (pod["metadata"]["uid"], restarts, pod["status"]["podIP"])
        return lives

    def torn(self):
        """[(pod, lost node)], each nodedown."""
        after = self._lives()
        staying = {name: life for name, life in after.items() if self.before.get(name) == life}
        hosts = set(staying) | {address.replace(".", "-") for _, _, address in staying.values()}
        lines = self.namespace.kubectl("logs", "-l", self.labels, "--prefix", "--tail=-1", "--max-log-requests=60", f"--since-time={self.since}",
                                       check=False).stdout.splitlines()
        found = []
        for line in lines:
            match = re.match(r"\[pod/([^/]+)/.*\blost \S+?@([^.\s]+)", line)
            if match and match.group(1) in staying and match.group(2) in hosts:
                found.append((match.group(1), match.group(2)))
        return found
