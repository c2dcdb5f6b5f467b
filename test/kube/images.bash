# The images that the rig's pods run: Rollcall's, the example app's and RabbitMQ's, by their own Dockerfiles. Rollcall's is the one that `./dev image`
# made, if no source has changed since (in a run of all tests that of the test `image`); else one put together in seconds from
# build/release by the script that fills the real one. Sourced by `dev`, after test/support/image.bash.

kube_images() {
  rollcall_archive
  app_archive
}

image_is_current() {
  local made=build/image/rollcall.tar
  [[ -e $made && -z $(find app http metrics discovery cnode membership node_name deploy/image Dockerfile CMakeLists.txt CMakePresets.json \
    -newer $made -print -quit) ]]
}

# Or the last stage of the Dockerfile, on what deploy/image/contents makes of the program of this machine.
rollcall_archive() {
  local archive=build/image/kube-rollcall.tar folder
  if image_is_current; then
    cmp -s build/image/rollcall.tar $archive || cp --preserve=timestamps build/image/rollcall.tar $archive
    return 0
  fi
  build_release
  [[ ! $archive -nt build/release/rollcall || ! $archive -nt Dockerfile ]] || return 0
  folder=$(mktemp -d)
  deploy/image/contents build/release/rollcall "$folder/image"
  sed -n '/^FROM scratch/,$p' Dockerfile | sed 's#^COPY --from=build /image /#COPY image /#' >"$folder/Dockerfile"
  image_build buildah -q -t docker.io/library/rollcall:0.1.0 "$folder" >/dev/null
  rm -rf "$folder" "$archive"
  own_buildah push -q docker.io/library/rollcall:0.1.0 "docker-archive:$archive:docker.io/library/rollcall:0.1.0"
}

app_archive() { debian_archive app deploy/examples/app; }
# Only for ./dev kube test --all.
rabbitmq_archive() { debian_archive rabbitmq test/kube/rabbitmq; }

debian_archive() { # NAME FOLDER, which holds a Dockerfile that begins with Debian 12
  local folder=$2 archive=build/image/kube-$1.tar image=docker.io/library/$1:0.1.0 key name
  key=$(find "$folder" -type f | sort | xargs sha256sum | sha256sum)
  [[ ! -e $archive || $(cat $archive.key 2>/dev/null) != "$key" ]] || return 0
  if ! image_to_be_had buildah docker.io/library/debian:12-slim || ! image_to_be_had buildah docker.io/library/debian:12; then
    make_base buildah
    for name in debian:12 debian:12-slim; do own_buildah tag localhost/rollcall-base "docker.io/library/$name"; done
  fi
  say "dev: building the image $1"
  image_build buildah -q --pull=never -t "$image" "$folder" >&2
  rm -f $archive
  own_buildah push -q "$image" "docker-archive:$archive:$image"
  echo "$key" >$archive.key
}
