"""HTTPS, by the component deploy/overlays/https and a Secret with cert-manager's keys (`./dev kube test --all`)."""

import os
import re
import ssl
import tempfile

from cluster import REPOSITORY, Failure, get, kubectl, run, until
from rollcall import Rollcall
from scenes import COMING, long, namespace, open_things
from witnesses import Prometheus


class Secured(Rollcall):
    """One that is asked over HTTPS, by us and by a Prometheus of its own."""

    def __init__(self, inside, prometheus, authorities):
        self.prometheus = prometheus
        # Asked by its address, for which it has no certificate; Prometheus checks the name.
        self.context = ssl.create_default_context(cafile=authorities)
        self.context.check_hostname = False
        super().__init__(inside)

    def get(self, path):
        return get(f"https://{self.address}:14369/{path}", context=self.context)


def in_folder(folder, name):
    return os.path.join(folder, name)


NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def authority(folder):
    run(["openssl", "req", "-x509", *NEW_KEY, "-days", "90", "-subj", "/CN=a CA", "-keyout", in_folder(folder, "ca.key"), "-out",
         in_folder(folder, "ca.crt")])


def certificates(folder, days):
    """As cert-manager writes them: tls.crt, tls.key, ca.crt; a new key each time."""
    files = {name: in_folder(folder, name) for name in ("tls.crt", "tls.key", "ca.crt")}
    request = in_folder(folder, "request")
    run(["openssl", "req", *NEW_KEY, "-subj", "/CN=rollcall", "-addext", "subjectAltName=DNS:rollcall", "-keyout", files["tls.key"], "-out", request])
    run(["openssl", "x509", "-req", "-in", request, "-copy_extensions", "copy", "-days", str(days), "-CA", files["ca.crt"], "-CAkey",
         in_folder(folder, "ca.key"), "-CAcreateserial", "-out", files["tls.crt"]])
    return files


def secret_of(files):
    return ["secret", "generic", "rollcall-http-tls", *(f"--from-file={name}={path}" for name, path in files.items())]


def with_https(resource, folder):
    """A folder of the user's own, as docs/operations.md has it."""
    deploy = os.path.relpath(os.path.join(REPOSITORY, "deploy"), folder)
    with open(os.path.join(folder, "kustomization.yaml"), "w", encoding="utf-8") as file:
        file.write(f"resources: [{deploy}/{resource}]\ncomponents: [{deploy}/overlays/https]\n")
    return folder


def as_the_operator_asks(folder, files):
    """How Prometheus asks, from what the component writes into the ServiceMonitor."""
    text = kubectl("kustomize", with_https("overlays/operator", folder))
    monitor = next(one for one in text.split("\n---\n") if "\nkind: ServiceMonitor\n" in one)
    scheme, key, name = (re.search(rf"\b{field}: (\S+)", monitor).group(1) for field in ("scheme", "key", "serverName"))
    return f"    scheme: {scheme}\n    tls_config: {{ca_file: '{files[key]}', server_name: {name}}}\n"


@long
def over_https():
    """The component of HTTPS: probes, Prometheus with the monitor's tls_config, the page's API; renewed; a roll-out; nothing in plain"""
    made = tempfile.TemporaryDirectory(dir=os.path.join(REPOSITORY, "build"))
    open_things.append(made.cleanup)
    authority(made.name)
    files = certificates(made.name, 30)
    inside = namespace("secured")
    inside.kubectl("create", *secret_of(files))
    prometheus = Prometheus(as_the_operator_asks(made.name, files))
    open_things.append(prometheus.close)
    inside.apply("-k", with_https("base", made.name))
    inside.apply("-k", "deploy/examples/statefulset")
    watch = Secured(inside, prometheus, files["ca.crt"])
    open_things.append(watch.close)
    until("its probes are answered", watch.find, 240)
    watch.whole(3)
    with watch.step("a pod deleted", allowed=COMING):
        inside.kubectl("delete", "pod", "app-1")
        watch.whole(3)
    for metric in ("up", "rollcall_http_tls_certificate_expiry_timestamp_seconds"):
        until(f"Prometheus has {metric}", lambda metric=metric: prometheus.ask(f'{metric}{{namespace="secured"}} > 0'), 30)
    try:
        said = get(f"http://{watch.address}:14369/healthz")
        raise Failure(f"answered in plain: {said}")
    except OSError:
        pass
    # Renewed as cert-manager does: the Secret has another certificate and key, and the pod shows it as it is.
    running = set(inside.ready(watch.labels))
    shown = ssl.get_server_certificate((watch.address, 14369))
    files = certificates(made.name, 60)
    inside.kubectl("replace", "-f", "-", stdin=inside.kubectl("create", "--dry-run=client", "-o", "yaml", *secret_of(files)))
    with open(files["tls.crt"], encoding="ascii") as file:
        renewed = ssl.PEM_cert_to_DER_cert(file.read())
    if ssl.PEM_cert_to_DER_cert(shown) == renewed:
        raise Failure("the certificate is not another one")
    # The kubelet writes a Secret that changed within its sync period and a minute.
    until("the new certificate is shown", lambda: ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((watch.address, 14369))) == renewed, 240)
    watch.whole(3)
    if set(inside.ready(watch.labels)) != running:
        raise Failure("another pod than before")
    until("Prometheus has when it ends", lambda: prometheus.ask(
        'rollcall_http_tls_certificate_expiry_timestamp_seconds{namespace="secured"} - time() > 86400 * 50'), 30)
    # The new one is ready by HTTPS before the old one goes.
    before = set(inside.ready(watch.labels))
    inside.kubectl("rollout", "restart", "deploy/rollcall")
    inside.kubectl("rollout", "status", "deploy/rollcall", "--timeout=300s", limit=400)
    until("another pod", lambda: (now := set(inside.ready(watch.labels))) and not now & before and watch.find())
    watch.whole(3)
    if any(count for count, _ in watch.restarts().values()):
        raise Failure(f"restarted: {watch.restarts()}")
