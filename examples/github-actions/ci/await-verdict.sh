#!/usr/bin/env bash
# Waits until an image is promoted or sent back.
#
#   await-verdict.sh NAMESPACE DEPLOYMENT IMAGE [SECONDS]
#
# IMAGE must be one that no earlier commit deployed, such as one with the commit in its tag. The default of SECONDS
# is 3600. The script reads Deployments of NAMESPACE and needs no other permission. It ends with
#
#   0  every pod runs IMAGE
#   1  Headgate sent IMAGE back; its sentence is printed
#   2  nothing of that within SECONDS, or IMAGE never came
#   3  another image took its place before there was a verdict
#
# The image and the phase are read in one request. Headgate resets the phase in the request that brings a new
# template, so the verdict on the version before is never taken for that on IMAGE.
set -euo pipefail

namespace=$1 deployment=$2 image=$3 end=$((SECONDS + ${4:-3600}))
images='{.spec.template.spec.containers[*].image}'
phase='{.metadata.annotations.headgate\.dev/phase}'
sentence='{.status.conditions[?(@.type=="headgate.dev/Rollout")].message}'

# fail CODE MESSAGE ends the script. GitHub shows what comes after ::error:: on the page of the run.
fail() {
  if [[ -n ${GITHUB_ACTIONS:-} ]]; then
    echo "::error title=$deployment was not promoted::${2//$'\n'/%0A}"
  fi
  echo "$2" >&2
  exit "$1"
}

arrived="" released="" told="nothing yet"
while [[ -z $released ]] && ((SECONDS < end)); do
  if ! found=$(kubectl --namespace "$namespace" get deployment "$deployment" --output "jsonpath=$images|$phase|$sentence"); then
    sleep 2
    continue
  fi
  now_images=${found%%|*} found=${found#*|}
  now_phase=${found%%|*} now_sentence=${found#*|}
  if [[ " $now_images " != *" $image "* ]]; then
    if [[ -n $arrived ]]; then
      fail 3 "$deployment has $now_images now, and there was no verdict on $image"
    fi
    sleep 2
    continue
  fi
  arrived=yes
  case $now_phase in
    "") released=yes ;;
    RolledBack) fail 1 "$now_sentence" ;;
    *)
      if [[ $now_sentence != "$told" ]]; then
        echo "$now_phase: $now_sentence"
        told=$now_sentence
      fi
      sleep 2
      ;;
  esac
done
if [[ -z $arrived ]]; then
  fail 2 "$image did not come to $deployment in time: does the GitOps tool apply the commit?"
fi
if [[ -z $released ]]; then
  fail 2 "there was no verdict on $image in time; Headgate says: $told"
fi

# Nothing is held. Pods may still start or end.
left=$((end - SECONDS))
kubectl --namespace "$namespace" rollout status "deployment/$deployment" --timeout "$((left > 0 ? left : 1))s" ||
  fail 2 "$deployment has $image, and not every pod of it is available in time"
