#!/usr/bin/env bash
# Writes an image into a manifest of a git repository, commits and pushes.
#
#   set-image.sh CHECKOUT MANIFEST IMAGE
#
# CHECKOUT is a clone of the repository of manifests. MANIFEST is a file in it with exactly one line "image:" that
# has the same name as IMAGE, with another tag or digest. Nothing is committed if it has IMAGE already.
set -euo pipefail

checkout=$1 manifest=$2 image=$3
repository=${image%@*}
if [[ ${repository##*/} == *:* ]]; then
  repository=${repository%:*}
fi
pattern="^([[:space:]-]*image:[[:space:]]*)[\"']?${repository//./\\.}[:@][^[:space:]]*$"

cd "$checkout"
for attempt in 1 2 3 4 5; do
  found=$(grep -Ec "$pattern" "$manifest") || true
  if [[ $found != 1 ]]; then
    echo "set-image: $manifest has $found lines with an image of $repository, want 1" >&2
    exit 1
  fi
  sed -Ei "s#$pattern#\\1$image#" "$manifest"
  if git diff --quiet -- "$manifest"; then
    echo "set-image: $manifest has $image already"
    exit 0
  fi
  git commit --quiet --message "$(basename "$repository"): deploy $image" -- "$manifest"
  if git push --quiet; then
    echo "set-image: pushed $(git rev-parse --short HEAD), $manifest has $image"
    exit 0
  fi
  # Somebody else pushed first. Begin again with their commit.
  echo "set-image: the push was refused, attempt $attempt of 5" >&2
  git fetch --quiet
  git reset --quiet --hard '@{upstream}'
done
exit 1
