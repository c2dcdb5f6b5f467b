# ./dev release VERSION [--dry-run]: what a release consists of. Sourced by `dev`: say, die and install are its.
# --dry-run changes no file that git knows and makes no commit or tag: it shows what would be changed, and builds what is there now.

release_version_now() { sed -nE 's/^project\(rollcall VERSION ([0-9.]+).*/\1/p' CMakeLists.txt; }

# release_set_version FROM TO: in the places that name the version, and in what calls the image by it; test/unit/modules holds them
# equal.
release_set_version() {
  local from=${1//./\\.}
  sed -i -E "s/^(project\(rollcall VERSION )$from/\\1$2/" CMakeLists.txt
  sed -i -E "s/^(ARG VERSION=)$from/\\1$2/" Dockerfile
  sed -i -E "s/^((appVersion|version): )$from/\\1$2/" deploy/chart/rollcall/Chart.yaml
  sed -i -E "s/^( *newTag: )$from/\\1$2/" deploy/base/kustomization.yaml
  git grep -lzE "rollcall:$from\\b" -- ':!CHANGELOG.md' | xargs -0 sed -i -E "s/(rollcall:)$from\\b/\\1$2/g"
  sed -i -E "s/^## Unreleased.*/## $2 ($(date -u +%Y-%m-%d))/" CHANGELOG.md
}

# release_artifacts VERSION FOLDER
release_artifacts() {
  local version=$1 folder=$2 machine
  machine=$(uname -m)
  mkdir -p "$folder"
  ./dev build
  install -m 755 --strip-program=strip --strip build/release/rollcall "$folder/rollcall-$version-linux-$machine"
  ./dev image "rollcall:$version"
  cp build/image/rollcall.tar "$folder/rollcall-$version-image-$machine.tar"
  # What `helm package` makes: the chart's folder under its name.
  tar --owner=0 --group=0 --sort=name --mtime=@0 -C deploy/chart -czf "$folder/rollcall-chart-$version.tgz" rollcall
  (cd "$folder" && sha256sum rollcall-* >SHA256SUMS && cat SHA256SUMS)
}

# make_release VERSION [--dry-run]
make_release() {
  local version=${1:-} dry=${2:-} now folder
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "usage: ./dev release VERSION [--dry-run], VERSION as in 1.2.3"
  [[ -z $dry || $dry == --dry-run ]] || die "not an option of release: $dry"
  [[ -z $(git status --porcelain) ]] || die "there are changes that are not committed"
  ! git rev-parse -q --verify "refs/tags/v$version" >/dev/null || die "the tag v$version is there already"
  grep -q '^## Unreleased' CHANGELOG.md || die "CHANGELOG.md has no heading '## Unreleased'"
  now=$(release_version_now)
  folder=build/release-$version
  if [[ -n $dry ]]; then
    release_set_version "$now" "$version"
    git --no-pager diff --stat
    git checkout -q -- .
    release_artifacts "$now" "$folder"
    say "nothing was committed; the artifacts in $folder are those of $now"
    return
  fi
  release_set_version "$now" "$version"
  git commit -qam "release: $version"
  git tag -a "v$version" -m "rollcall $version"
  release_artifacts "$version" "$folder"
  say "committed and tagged v$version; in $folder is what is published. Next: ./dev test on it, then git push --follow-tags"
}
