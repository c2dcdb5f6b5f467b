# A node: a network namespace with containerd, kubelet and kube-proxy of its own, and a cgroup. Sourced by rig.

machine() { # N
  local n=$1 ns=rkube-$1 dir=$S/node-$1 ip=10.210.0.1$1 ranges routes cidrs
  mkdir -p "$dir"/{cni,containerd,kubelet,pods}
  ranges="[{\"subnet\": \"10.244.$n.0/24\"}]" routes='{"dst": "0.0.0.0/0"}' cidrs=10.244.0.0/16
  network
  [[ -z ${KUBE_DUAL:-} ]] || second_family
  engine
  certificate "node-$n" "/O=system:nodes/CN=system:node:node-$n" "DNS:node-$n,IP:$ip"
  kubeconfig "node-$n" "$dir/kubelet.conf"
  certificate "proxy-$n" /CN=system:kube-proxy
  kubeconfig "proxy-$n" "$dir/proxy.conf"
  kubelet_settings >"$dir/kubelet.yaml"
  cgroup "rkube-$n"
  kubelet_start "$n"
  proxy_settings >"$dir/proxy.yaml"
  proxy_start "$n"
}

# The functions below see n, ns, dir and ip of the machine.
network() {
  local m
  ip netns add "$ns"
  ip link add "rkube-$n" type veth peer name eth0 netns "$ns"
  ip link set "rkube-$n" master $BRIDGE up
  ip -n "$ns" link set lo up
  ip -n "$ns" link set eth0 up
  ip -n "$ns" addr add "$ip/24" dev eth0
  ip -n "$ns" route add default via $CP
  nsenter --net="/run/netns/$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
  # Every pair of pods is routed, and the machine itself reaches pods directly.
  ip route add "10.244.$n.0/24" via "$ip"
  for ((m = 1; m <= nodes; m++)); do ((m == n)) || ip -n "$ns" route add "10.244.$m.0/24" via "10.210.0.1$m"; done
}
second_family() {
  local m
  ip -n "$ns" addr add "fd10:210::1$n/64" dev eth0 nodad
  ip -n "$ns" -6 route add default via fd10:210::1
  nsenter --net="/run/netns/$ns" sysctl -qw net.ipv6.conf.all.forwarding=1
  ip -6 route add "fd10:244:$n::/64" via "fd10:210::1$n"
  for ((m = 1; m <= nodes; m++)); do ((m == n)) || ip -n "$ns" -6 route add "fd10:244:$m::/64" via "fd10:210::1$m"; done
  ranges+=", [{\"subnet\": \"fd10:244:$n::/64\"}]" routes+=', {"dst": "::/0"}' cidrs+=,fd10:244::/32
}

engine() { # containerd, with the images of the rig itself
  snapshotter >"$dir/snapshotter"
  cat >"$dir/cni/10-ptp.conflist" <<Y
{"cniVersion": "0.4.0", "name": "rkube", "plugins": [
  {"type": "ptp", "mtu": 1500, "ipam": {"type": "host-local", "dataDir": "$dir/ipam", "ranges": [$ranges], "routes": [$routes]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y
  cat >"$dir/containerd.toml" <<Y
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
[grpc]
  address = "$dir/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  stream_server_address = "127.0.0.1"
  restrict_oom_score_adj = true # where root lacks CAP_SYS_RESOURCE
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$(<"$dir/snapshotter")"
    disable_snapshot_annotations = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ""
Y
  start "containerd-$n" nsenter --net="/run/netns/$ns" containerd --config "$dir/containerd.toml"
  wait_for 60 containerd ctr -a "$dir/containerd.sock" version
  import "$n" "$IMAGES/pause.tar"
  import "$n" "$IMAGES/coredns.tar"
}
import() { # N FILE
  local dir=$S/node-$1
  ctr -a "$dir/containerd.sock" -n k8s.io images import --snapshotter "$(<"$dir/snapshotter")" "$2" >/dev/null
}
# overlayfs where the file system carries it (not on another overlay, as in most containers).
snapshotter() {
  local try=$S/overlay-probe
  mkdir -p "$try"/{lower,upper,work,merged}
  if mount -t overlay overlay -o "lowerdir=$try/lower,upperdir=$try/upper,workdir=$try/work" "$try/merged" 2>/dev/null; then
    umount "$try/merged"
    echo overlayfs
  else
    echo native
  fi
  rm -rf "$try"
}

kubelet_settings() {
  cat <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $S/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $S/pki/node-$n.crt
tlsPrivateKeyFile: $S/pki/node-$n.key
containerRuntimeEndpoint: unix://$dir/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /rkube-$n
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
failSwapOn: false
failCgroupV1: false
podLogsDir: $dir/pods
nodeStatusUpdateFrequency: 3s
nodeLeaseDurationSeconds: 10
resolvConf: $S/resolv.conf
syncFrequency: 5s
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
volumePluginDir: $dir/plugins
serverTLSBootstrap: false
Y
}
kubelet_start() {
  start "kubelet-$1" nsenter --net="/run/netns/rkube-$1" kubelet --config "$S/node-$1/kubelet.yaml" --kubeconfig "$S/node-$1/kubelet.conf" --root-dir "$S/node-$1/kubelet" \
    --cert-dir "$S/node-$1/pki" --hostname-override "node-$1" --node-ip "10.210.0.1$1${KUBE_DUAL:+,fd10:210::1$1}" --node-labels "topology.kubernetes.io/zone=zone-$1,topology.kubernetes.io/region=rig"
}

proxy_start() {
  start "kube-proxy-$1" nsenter --net="/run/netns/rkube-$1" kube-proxy --config "$S/node-$1/proxy.yaml"
}
proxy_settings() {
  cat <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: node-$n
clusterCIDR: $cidrs
clientConnection: {kubeconfig: $dir/proxy.conf}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
Y
}

# Version 1 has a tree for each controller, version 2 one for all.
cgroup_version() { if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then echo 2; else echo 1; fi; }

cgroups_usable() {
  local c needed=(cpu memory pids cpuset)
  if [[ $(cgroup_version) == 1 ]]; then
    for c in "${needed[@]}"; do [[ -d /sys/fs/cgroup/$c ]] || die "needs the cgroup controller $c"; done
    mkdir /sys/fs/cgroup/memory/rkube-probe 2>/dev/null || die "needs cgroups that can be written (docker: --privileged)"
    rmdir /sys/fs/cgroup/memory/rkube-probe
    return 0
  fi
  for c in "${needed[@]}"; do
    grep -qw "$c" /sys/fs/cgroup/cgroup.controllers || die "needs the cgroup controller $c, which is not given to this machine"
  done
  delegate || die "needs cgroups that can be written and delegated (docker: --privileged --cgroupns=private)"
}
# A group that has processes cannot pass its controllers on; in a container its root has some. They move aside, as in every container that
# holds a container engine.
delegate() {
  local p root=/sys/fs/cgroup all='+cpu +memory +pids +cpuset'
  ! echo "$all" >$root/cgroup.subtree_control 2>/dev/null || return 0
  mkdir -p $root/init || return 1
  while read -r p; do echo "$p" >$root/init/cgroup.procs 2>/dev/null || true; done <$root/cgroup.procs
  echo "$all" >$root/cgroup.subtree_control
}
cgroup() { # NAME, in every hierarchy
  local c
  if [[ $(cgroup_version) == 2 ]]; then
    mkdir -p "/sys/fs/cgroup/$1"
    echo '+cpu +memory +pids +cpuset' >"/sys/fs/cgroup/$1/cgroup.subtree_control"
    return 0
  fi
  for c in /sys/fs/cgroup/*/; do mkdir -p "$c/$1"; done
  for c in cpus mems; do cat "/sys/fs/cgroup/cpuset/cpuset.$c" >"/sys/fs/cgroup/cpuset/$1/cpuset.$c"; done
}
end_cgroups() {
  local d p pass
  for pass in 1 2 3; do
    for d in /sys/fs/cgroup/rkube-* /sys/fs/cgroup/*/rkube-*; do
      [[ -d $d ]] || continue
      for p in $(find "$d" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u); do kill -KILL "$p" 2>/dev/null || true; done
    done
    sleep 0.3
    for d in /sys/fs/cgroup/rkube-* /sys/fs/cgroup/*/rkube-*; do
      [[ ! -d $d ]] || find "$d" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    done
  done
}

# What kubelet and the network plug-ins leave outside the state: cached results, links to logs.
end_leftovers() {
  rm -f /var/lib/cni/results/rkube-*
  [[ ! -d /var/log/containers ]] || find /var/log/containers -lname "$S/*" -delete
}
