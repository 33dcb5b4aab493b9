package ingress

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// trafficSplit says which requests go to the canary: weight percent of all
// requests, and in addition every request that has the header or cookie of match.
type trafficSplit struct {
	weight int // 0..100
	match  spec.Match
}

// What Headgate records in a canary Ingress about its own write. The records and
// the annotations that controllers read are written in one patch. So if
// canary-weight differs from annotationWeight, somebody else wrote one of them.
const (
	annotationWeight = "headgate.dev/weight"
	annotationSince  = "headgate.dev/weight-since" // RFC 3339, when Headgate last wrote this Ingress
)

const fullWeight = 100

// assumedSplit returns the split that Headgate must assume to be in force: the
// highest weight of any canary Ingress, and the match of the first of them that
// matches anything. since is the time of the latest write. From web-canary with
// weight 10, written at 12:01, and admin-canary with weight 50, written at 12:00,
// come weight 50 and 12:01. Without canary Ingresses everything is zero.
func (s snapshot) assumedSplit() (split trafficSplit, since time.Time) {
	for ing := range byName(s.canaries()) {
		split.weight = max(split.weight, s.weightOf(ing))
		if split.match.None() {
			split.match = s.matchOf(ing)
		}
		if at := writtenAt(ing); at.After(since) {
			since = at
		}
	}
	return split, since
}

// weightOf returns the highest weight that may be in force for ing, 0..100.
//
//	canary  canary-weight  recorded  weightOf
//	true    25             25        25   as Headgate wrote it
//	true    60             25        60   somebody raised it
//	true    5              25        25   somebody lowered it: 25 may still be in force
//	true    150            -         100  controllers take every request
//	true    10%            10        100  does not parse
//	false   10             10        100  no canary any more
//
// ingress-nginx and Traefik take a weight that does not parse as 0, but other
// controllers may not. 100 is the safe assumption: the caller does not scale down a
// canary that may have all the traffic. An Ingress that is no canary any more
// competes with the stable Ingress, and takes all requests if it is the older one.
func (d dialect) weightOf(ing *netv1.Ingress) int {
	weight, err := strconv.Atoi(ing.Annotations[d.weightKey()])
	if err != nil || !d.isTrue(ing, "canary") {
		return fullWeight
	}
	if recorded, err := strconv.Atoi(ing.Annotations[annotationWeight]); err == nil {
		weight = max(weight, recorded)
	}
	return min(max(weight, 0), fullWeight)
}

// writtenWeights returns the lowest and the highest weight that controllers read from
// any canary Ingress, 0..100. It ignores what Headgate recorded. A weight that does
// not parse is 0 to controllers, and so is the weight of an Ingress that is no canary
// any more. From the weights 50, 10 and -5 come 0 and 50. Without canary Ingresses
// they are 100 and 0.
func (s snapshot) writtenWeights() (lowest, highest int) {
	lowest = fullWeight
	for _, ing := range s.canaries() {
		weight, err := strconv.Atoi(ing.Annotations[s.weightKey()])
		if err != nil || !s.isTrue(ing, "canary") {
			weight = 0
		}
		weight = max(0, min(weight, fullWeight))
		lowest, highest = min(lowest, weight), max(highest, weight)
	}
	return lowest, highest
}

func (s snapshot) lowestWeight() int {
	lowest, _ := s.writtenWeights()
	return lowest
}

// version changes whenever a canary Ingress is created, written or deleted. It is
// for example "admin-canary:41 web-canary:57 ", with their resource versions, and
// "" without canary Ingresses.
func (s snapshot) version() string {
	var b strings.Builder
	for ing := range byName(s.canaries()) {
		fmt.Fprintf(&b, "%s:%s ", ing.Name, ing.ResourceVersion)
	}
	return b.String()
}

// isStaleRaise says whether split would send more traffic to the canary than the
// canary Ingresses do now, although they changed after the caller decided on it.
// Somebody may have lowered the weight in the meantime:
//
//	seen at     now at       split  isStaleRaise
//	10          10, same     50     false  nothing changed
//	10          5, written   50     true
//	10          5, written   3      false  it lowers the weight further
//	10          deleted      0      true   creating them again could bring traffic back
func (s snapshot) isStaleRaise(t rollout.Target, split trafficSplit) bool {
	changed := t.Seen != "" && t.Seen != s.version()
	return changed && (len(s.canaries()) == 0 || split.weight > s.lowestWeight())
}

// writtenAt returns when Headgate last wrote ing. If the record is missing or does
// not parse, it is when ing was created.
func writtenAt(ing *netv1.Ingress) time.Time {
	at, err := time.Parse(time.RFC3339Nano, ing.Annotations[annotationSince])
	if err != nil {
		return ing.CreationTimestamp.Time
	}
	return at
}

// hasWriteTime says whether ing records when Headgate last wrote it.
func hasWriteTime(ing client.Object) bool {
	_, err := time.Parse(time.RFC3339Nano, ing.GetAnnotations()[annotationSince])
	return err == nil
}

// recordWriteTime records in ing that Headgate writes it now.
func recordWriteTime(ing client.Object, now time.Time) {
	ing.SetAnnotations(overlay(ing.GetAnnotations(), map[string]string{
		annotationSince: now.UTC().Format(time.RFC3339Nano),
	}))
}

// withSplit returns a copy of ing with another split and no other change.
func (d dialect) withSplit(ing *netv1.Ingress, split trafficSplit) *netv1.Ingress {
	out := ing.DeepCopy()
	d.writeSplit(out, split)
	return out
}

// writeSplit makes ing a canary with this split and removes every other rule that
// takes requests.
func (d dialect) writeSplit(ing *netv1.Ingress, split trafficSplit) {
	maps.DeleteFunc(ing.Annotations, func(key, _ string) bool { return d.isCanaryKey(key) })
	ing.Annotations = overlay(ing.Annotations, map[string]string{
		d.canaryKey():    "true",
		d.weightKey():    strconv.Itoa(split.weight),
		annotationWeight: strconv.Itoa(split.weight),
	})
	d.writeMatch(ing, split.match)
}
