# ./dev image: builds the image as the Dockerfile says, with docker, podman or buildah, whichever works, and writes it to
# build/image/rollcall.tar. Where no registry can be reached the build stage starts from a Debian 12 made here, by the
# machine's own apt. Sourced by `dev`: say, die and install are its.

image_folder=build/image
image_packages=(buildah mmdebstrap jq)

image_tool() {
  local tool
  if [[ -n ${ROLLCALL_IMAGE_TOOL:-} ]]; then
    echo "$ROLLCALL_IMAGE_TOOL"
    return 0
  fi
  for tool in docker podman; do
    if command -v "$tool" >/dev/null && timeout 20 "$tool" info >/dev/null 2>&1; then
      echo "$tool"
      return 0
    fi
  done
  echo buildah
}

# Without a daemon, and with a store of its own: nothing of it is left on the machine when build/ goes.
own_store=(--root "$PWD/$image_folder/storage" --runroot "$PWD/$image_folder/run")
own_buildah() {
  choose_driver
  buildah --storage-driver "$store_driver" "${own_store[@]}" "$@"
}

# overlay where the file system carries it, else vfs. buildah finds that out for a store that is new, and then stumbles over what
# the attempt left behind: so it tries in another place.
store_driver=
choose_driver() {
  [[ -z $store_driver ]] || return 0
  local folder
  mkdir -p $image_folder
  folder=$(mktemp -d "$PWD/$image_folder/driver.XXXXXX")
  store_driver=$(buildah --root "$folder/root" --runroot "$folder/run" info --format '{{.store.GraphDriverName}}')
  rm -rf "$folder"
}

# image_build TOOL ARGUMENTS...
image_build() {
  local tool=$1
  shift
  case $tool in
    docker) docker build --network host "$@" ;;
    podman) podman build --network host --format docker "$@" ;;
    buildah)
      # vfs would copy the whole tree for every layer.
      local layers=--layers
      choose_driver
      [[ $store_driver != vfs ]] || layers=--layers=false
      own_buildah build --isolation chroot --network host --format docker "$layers" "$@"
      ;;
    *) die "ROLLCALL_IMAGE_TOOL is docker, podman or buildah, not $tool" ;;
  esac
}

image_is_local() {
  local tool=$1
  [[ $tool != buildah ]] || tool=own_buildah
  "$tool" inspect --type image "$2" >/dev/null 2>&1
}

# image_to_be_had TOOL IMAGE: here already, or got from a registry.
image_to_be_had() {
  image_is_local "$1" "$2" && return 0
  local pull=("$1" pull -q "$2")
  if [[ $1 == buildah ]]; then
    choose_driver
    pull=(buildah --storage-driver "$store_driver" "${own_store[@]}" pull -q "$2")
  fi
  timeout 60 "${pull[@]}" >/dev/null 2>&1
}

# The files of the machine's apt that list Debian's own packages for SUITE and its updates.
apt_source_files() {
  apt-get indextargets --format '$(CODENAME)|$(SOURCESENTRY)' 'Identifier: Packages' 'Origin: Debian' 2>/dev/null |
    sed -nE "s/^$1(-[a-z]+)?\|(.*):[0-9]+\$/\2/p" | sort -u
}

# make_base TOOL: a minimal Debian 12, as the image localhost/rollcall-base. It asks the servers this machine's apt asks, in
# the same way (proxies, checks), and goes on doing so inside; it is made again after a week, or when those change.
make_base() {
  local suite=bookworm sources options key keys include=()
  install "${image_packages[@]}"
  mapfile -t sources < <(apt_source_files $suite)
  if ((!${#sources[@]})); then
    if ((EUID)); then sudo apt-get update -qq; else apt-get update -qq; fi
    mapfile -t sources < <(apt_source_files $suite)
  fi
  ((${#sources[@]})) || die "no registry is reachable, and the apt of this machine knows no Debian 12 to make a base of"
  options=$(apt-config dump | grep -E '^Acquire::(http|https|ftp|Retries|Check-|ForceIP|Languages)' | grep -v Auto-Detect || true)
  key=$({ echo "$options"; cat "${sources[@]}"; } | sha256sum)
  if [[ $(cat $image_folder/base.key 2>/dev/null) == "$key" && -n $(find $image_folder/base.key -mtime -7) ]] &&
    image_is_local "$1" localhost/rollcall-base; then
    return 0
  fi
  say "dev: no registry is reachable: making a Debian 12 of ${sources[*]}"
  rm -f $image_folder/base.key
  mkdir -p $image_folder/base
  echo "$options" >$image_folder/apt.conf
  keys=($(ls -d /etc/apt/trusted.gpg.d /etc/apt/keyrings 2>/dev/null))
  ! grep -q https: "${sources[@]}" || include=(--include=ca-certificates)
  mmdebstrap --variant=apt "${include[@]}" --aptopt=$image_folder/apt.conf \
    --customize-hook="copy-in ${keys[*]} /etc/apt" \
    $suite $image_folder/base/base.tar "${sources[@]}" </dev/null >&2
  printf 'FROM scratch\nADD base.tar /\nCMD ["/bin/bash"]\n' >$image_folder/base/Dockerfile
  image_build "$1" -q -t localhost/rollcall-base $image_folder/base >/dev/null
  rm -rf $image_folder/base
  echo "$key" >$image_folder/base.key
}

# What is in the archive: the large files by name, the rest summed up.
image_contents() {
  local layer
  for layer in $(tar -xOf "$1" manifest.json | jq -r '.[0].Layers[]'); do
    tar -xOf "$1" "$layer" | tar -tv --numeric-owner
  done | awk '
    $1 ~ /^d/ { next }
    { bytes = $3; path = $6; total += bytes; ++files }
    path ~ /^\/?usr\/share\// { licences += bytes; next }
    path ~ /^\/?var\/lib\/dpkg\// { versions += bytes; next }
    { printf "%10d  /%s\n", bytes, path }
    END {
      printf "%10d  /usr/share: licences\n%10d  /var/lib/dpkg/status.d: versions of the packages\n", licences, versions
      printf "%10d  bytes in %d files\n", total, files
    }'
}

# make_image [TAG]
make_image() {
  local version tool base revision tag lock archive=$image_folder/rollcall.tar
  version=$(sed -nE 's/^project\(rollcall VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
  tag=${1:-rollcall:$version}
  tool=$(image_tool)
  install jq
  [[ $tool != buildah ]] || install "${image_packages[@]}"
  if [[ $tool == buildah ]] && ((EUID)); then
    command -v sudo >/dev/null || die "building with buildah needs root or sudo"
    exec sudo --preserve-env=ROLLCALL_IMAGE_TOOL,ROLLCALL_IMAGE_BASE,ROLLCALL_NO_INSTALL,JOBS ./dev image "$tag"
  fi
  mkdir -p $image_folder
  exec {lock}>$image_folder/lock
  flock $lock
  base=${ROLLCALL_IMAGE_BASE:-$(sed -n 's/^ARG BASE=//p' Dockerfile)}
  if ! image_to_be_had "$tool" "$base"; then
    [[ -z ${ROLLCALL_IMAGE_BASE:-} ]] || die "no such image: $base"
    make_base "$tool"
    base=localhost/rollcall-base
  fi
  revision=$(git rev-parse --short=12 HEAD 2>/dev/null) || revision=unknown
  [[ $revision == unknown || -z $(git status --porcelain 2>/dev/null) ]] || revision+=-changed
  say "dev: building $tag with $tool from $base"
  image_build "$tool" --build-arg BASE="$base" --build-arg REVISION="$revision" \
    --build-arg CREATED="$(date -u +%Y-%m-%dT%H:%M:%SZ)" -t "$tag" . >&2
  rm -f "$archive"
  case $tool in
    docker) docker save -o "$archive" "$tag" ;;
    podman) podman save -q --format docker-archive -o "$archive" "$tag" ;;
    buildah) own_buildah push -q "$tag" "docker-archive:$archive:$tag" ;;
  esac
  image_contents "$archive"
  say "built: $tag, in $archive (docker load -i, podman load -i, ctr images import)"
}
