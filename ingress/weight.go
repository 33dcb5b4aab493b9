package ingress

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// share is which requests canary Ingresses take: weight percent of all, and
// besides them those that match.
type trafficSplit struct {
	weight int // 0..100
	match  spec.Match
}

// What a canary Ingress says about its own weight, beside canary-weight. All are
// written in one patch, annotationMatch included, so a canary-weight that differs
// from the recorded one was written by somebody else.
const (
	annotationWeight = "headgate.dev/weight"
	annotationSince  = "headgate.dev/weight-since" // RFC 3339, when Headgate last wrote this Ingress
)

const fullWeight = 100

// carried returns the highest weight that any canary Ingress may be carrying,
// the match of the first that may be matching anything, and when the last of them
// was written.
func (s snapshot) assumedSplit() (all trafficSplit, since time.Time) {
	for ing := range byName(s.ownCanaries) {
		all.weight = max(all.weight, s.weightOf(ing))
		if all.match.None() {
			all.match = s.matchOf(ing)
		}
		if at := writtenAt(ing); at.After(since) {
			since = at
		}
	}
	return all, since
}

// weightOf returns the highest weight that ing may be carrying, 0..100.
//
// If somebody edited it, that is the higher of theirs and the recorded one,
// which may still be in force. What does not parse counts as 100: ingress-nginx
// and Traefik take it for 0 but others may not, and a canary that is believed to
// have all the traffic is not scaled down. So does an Ingress that is no canary
// any more: it competes with the stable one and wins whenever it is the older.
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

// lowest returns the lowest weight that a canary Ingress says. What does not parse
// is 0 to the controllers.
func (s snapshot) lowestWeight() int {
	lowest := fullWeight
	for _, ing := range s.ownCanaries {
		weight, err := strconv.Atoi(ing.Annotations[s.weightKey()])
		if err != nil || !s.isTrue(ing, "canary") {
			weight = 0
		}
		lowest = max(0, min(lowest, weight))
	}
	return lowest
}

// version is another one whenever a canary Ingress was written.
func (s snapshot) version() string {
	var b strings.Builder
	for ing := range byName(s.ownCanaries) {
		fmt.Fprintf(&b, "%s:%s ", ing.Name, ing.ResourceVersion)
	}
	return b.String()
}

// outdates says whether s is not what somebody saw who decided on of, and has less
// traffic than that gives.
func (s snapshot) isStaleRaise(t rollout.Target, of trafficSplit) bool {
	return t.Seen != "" && t.Seen != s.version() && (len(s.ownCanaries) == 0 || of.weight > s.lowestWeight())
}

// sinceOf returns when ing was last written, or created if it does not say.
func writtenAt(ing *netv1.Ingress) time.Time {
	at, err := time.Parse(time.RFC3339Nano, ing.Annotations[annotationSince])
	if err != nil {
		return ing.CreationTimestamp.Time
	}
	return at
}

// dated says whether ing carries the time of its last write.
func hasWriteTime(ing *netv1.Ingress) bool {
	_, err := time.Parse(time.RFC3339Nano, ing.Annotations[annotationSince])
	return err == nil
}

// date records that ing is being written now.
func stampWriteTime(ing *netv1.Ingress, now time.Time) {
	ing.Annotations[annotationSince] = now.UTC().Format(time.RFC3339Nano)
}

// reweighed returns ing with another share and all else as it is.
func (d dialect) withSplit(ing *netv1.Ingress, of trafficSplit) *netv1.Ingress {
	out := ing.DeepCopy()
	d.writeSplit(out, of)
	return out
}

// writeShare makes ing a canary that takes of and nothing else.
func (d dialect) writeSplit(ing *netv1.Ingress, of trafficSplit) {
	maps.DeleteFunc(ing.Annotations, func(key, _ string) bool { return d.isCanaryKey(key) })
	ing.Annotations = overlay(ing.Annotations, map[string]string{
		d.canaryKey():    "true",
		d.weightKey():    strconv.Itoa(of.weight),
		annotationWeight: strconv.Itoa(of.weight),
	})
	d.writeMatch(ing, of.match)
}
