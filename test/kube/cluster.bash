# The control plane: certificates, etcd, API server, controllers, scheduler, the images of the rig itself and CoreDNS. Sourced by rig.

certificates() {
  authority
  certificate apiserver /CN=kube-apiserver "IP:$CP,IP:127.0.0.1,IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  certificate admin /O=system:masters/CN=admin
  kubeconfig admin "$S/admin.conf"
  certificate controller-manager /CN=system:kube-controller-manager
  kubeconfig controller-manager "$S/controller-manager.conf"
  certificate scheduler /CN=system:kube-scheduler
  kubeconfig scheduler "$S/scheduler.conf"
}
authority() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$S/pki/ca.key"
  openssl req -x509 -new -key "$S/pki/ca.key" -days 365 -subj /CN=kubernetes -out "$S/pki/ca.crt"
  openssl ecparam -name prime256v1 -genkey -noout -out "$S/pki/sa.key"
  openssl ec -in "$S/pki/sa.key" -pubout -out "$S/pki/sa.pub" 2>/dev/null
}
certificate() { # NAME SUBJECT [ALTERNATIVE NAMES]
  openssl ecparam -name prime256v1 -genkey -noout -out "$S/pki/$1.key"
  openssl req -new -key "$S/pki/$1.key" -subj "$2" -out "$S/pki/$1.csr"
  openssl x509 -req -in "$S/pki/$1.csr" -CA "$S/pki/ca.crt" -CAkey "$S/pki/ca.key" -CAcreateserial -days 365 -out "$S/pki/$1.crt" \
    -extfile <(printf 'extendedKeyUsage=serverAuth,clientAuth\n%s' "${3:+subjectAltName=$3}") 2>/dev/null
}
kubeconfig() { # NAME FILE
  cat >"$2" <<Y
apiVersion: v1
kind: Config
clusters: [{name: rig, cluster: {server: "https://$CP:6443", certificate-authority: $S/pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $S/pki/$1.crt, client-key: $S/pki/$1.key}}]
contexts: [{name: rig, context: {cluster: rig, user: $1}}]
current-context: rig
Y
}

control_plane() {
  store
  apiserver
  wait_for 180 "API server" kubectl get --raw /readyz
  controllers
  kubectl create clusterrolebinding rig-proxies --clusterrole system:node-proxier --user system:kube-proxy >/dev/null
}
store() {
  start etcd etcd --data-dir "$S/etcd" --listen-client-urls http://127.0.0.1:23790 --advertise-client-urls http://127.0.0.1:23790 \
    --listen-peer-urls http://127.0.0.1:23800 --initial-advertise-peer-urls http://127.0.0.1:23800 --initial-cluster default=http://127.0.0.1:23800 \
    --unsafe-no-fsync --log-level warn
}
controllers() {
  start kube-controller-manager kube-controller-manager --kubeconfig "$S/controller-manager.conf" --leader-elect=false --bind-address 127.0.0.1 \
    --service-account-private-key-file "$S/pki/sa.key" --root-ca-file "$S/pki/ca.crt" --use-service-account-credentials \
    --cluster-signing-cert-file "$S/pki/ca.crt" --cluster-signing-key-file "$S/pki/ca.key" --node-monitor-grace-period 12s
  start kube-scheduler kube-scheduler --kubeconfig "$S/scheduler.conf" --leader-elect=false --bind-address 127.0.0.1
}
# What a crash would leave now.
etcd_keep() {
  process etcd stop
  rm -rf "$S/etcd-kept"
  cp -a "$S/etcd" "$S/etcd-kept"
  process etcd cont
}
# All that watches the API server is deaf afterwards: the cluster's own parts are started again, as after any restore.
etcd_restore() {
  local part n
  [[ -d $S/etcd-kept ]] || die "nothing was kept"
  for part in "$S"/pid/kube* "$S"/pid/etcd; do process "${part##*/}" kill; done
  rm -rf "$S/etcd"
  cp -a "$S/etcd-kept" "$S/etcd"
  store
  apiserver
  wait_for 180 "API server" kubectl get --raw /readyz
  controllers
  for part in "$S"/node-*; do
    n=${part##*/node-}
    kubelet_start "$n"
    proxy_start "$n"
  done
}
apiserver() {
  start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:23790 --bind-address $CP --advertise-address $CP --secure-port 6443 \
    --service-cluster-ip-range "10.96.0.0/16${KUBE_DUAL:+,fd10:96::/112}" --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged \
    --client-ca-file "$S/pki/ca.crt" --tls-cert-file "$S/pki/apiserver.crt" --tls-private-key-file "$S/pki/apiserver.key" \
    --kubelet-client-certificate "$S/pki/admin.crt" --kubelet-client-key "$S/pki/admin.key" --kubelet-preferred-address-types InternalIP \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-signing-key-file "$S/pki/sa.key" --service-account-key-file "$S/pki/sa.pub" ${KUBE_APISERVER_FLAGS:-}
}

images() { # pause, and CoreDNS
  mkdir -p "$IMAGES"
  [[ -e $IMAGES/pause.tar ]] || image pause /bin/sleep '["/bin/sleep","infinity"]' localhost/pause:1 /bin/busybox
  # Made again with its program.
  [[ $IMAGES/coredns.tar -nt $BIN/coredns ]] || image coredns /coredns '["/coredns"]' localhost/coredns:1 "$BIN/coredns"
}
image() { # NAME PATH ENTRYPOINT TAG FILE: one static program on nothing
  local store c tar=$IMAGES/$1.tar
  store=$(mktemp -d)
  store_buildah() { buildah --storage-driver vfs --root "$store/root" --runroot "$store/run" "$@"; }
  c=$(store_buildah from scratch)
  store_buildah copy -q --chmod 755 "$c" "$5" "$2" >/dev/null
  store_buildah config --entrypoint "$3" --cmd '' "$c"
  store_buildah commit -q "$c" "$4" >/dev/null
  rm -f "$tar"
  store_buildah push -q "$4" "docker-archive:$tar:$4"
  rm -rf "$store"
}

cluster_dns() {
  kubectl apply -f - > /dev/null <<Y
apiVersion: v1
kind: ServiceAccount
metadata: {name: coredns, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: system:coredns}
rules:
  - {apiGroups: [""], resources: [endpoints, services, pods, namespaces], verbs: [list, watch]}
  - {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: system:coredns}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:coredns}
subjects: [{kind: ServiceAccount, name: coredns, namespace: kube-system}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns, namespace: kube-system}
data:
  Corefile: |
    cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
        errors
        health {
           lameduck 5s
        }
        ready
        kubernetes cluster.local in-addr.arpa ip6.arpa {
           pods insecure
           ttl 30
        }
        prometheus :9153
        cache ${KUBE_DNS_CACHE:-30} {
           ${KUBE_DNS_CACHE:+#}disable success cluster.local
           ${KUBE_DNS_CACHE:+#}disable denial cluster.local
        }
        loop
        reload
        loadbalance
    }
    .:53 {
        ${KUBE_DNS_OUTSIDE:-template ANY ANY . {
           rcode NXDOMAIN
        \}}
    }
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  replicas: 2
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec:
      serviceAccountName: coredns
      dnsPolicy: Default
      containers:
        - name: coredns
          image: localhost/coredns:1
          args: [-conf, /etc/coredns/Corefile]
          volumeMounts: [{name: config, mountPath: /etc/coredns}]
          readinessProbe: {httpGet: {path: /ready, port: 8181}, periodSeconds: 1}
      volumes: [{name: config, configMap: {name: coredns}}]
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: 10.96.0.10
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
Y
}
