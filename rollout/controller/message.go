package controller

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// messageLimit is how many characters of a foreign message fit into a condition.
const messageLimit = 300

var (
	quotedPod   = regexp.MustCompile(`\b[Pp]ods? "[^"]*"`)
	podUID      = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	containerID = regexp.MustCompile(`(^|[^:0-9a-f])[0-9a-f]{32,64}\b`) // not the digest of an image
	quotaUse    = regexp.MustCompile(`, used: \S+, limited:`)           // by other pods of the namespace too
	localPort   = regexp.MustCompile(`:\d+->`)
)

// normalizeMessage makes a message of Kubernetes fit for a condition: it replaces what
// differs from one attempt to the next, and cuts what is too long. Otherwise each
// attempt would change the condition. canary is the name of the canary Deployment.
//
//	before  pods "web-canary-5d8f7c9b6d-x2x9k" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2
//	after   a canary pod is forbidden: exceeded quota: q, requested: pods=1, limited: pods=2
func normalizeMessage(message, canary string) string {
	return normalizeFor(canary, "a canary pod", message)
}

// normalizeFor does so for pods of any deployment, which the result calls pod.
func normalizeFor(deployment, pod, message string) string {
	message = quotedPod.ReplaceAllString(message, pod)
	message = podNamesOf(deployment).ReplaceAllString(message, pod)
	message = podUID.ReplaceAllString(message, "...")
	message = containerID.ReplaceAllString(message, "$1...")
	message = quotaUse.ReplaceAllString(message, ", limited:")
	message = localPort.ReplaceAllString(message, "->")
	return shorten(strings.TrimRight(strings.Join(strings.Fields(message), " "), " .:"), messageLimit)
}

// shorten returns text, or its beginning and three dots, with at most limit characters.
func shorten(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-3]) + "..."
}

// podNamesOf returns an expression that matches the names of the pods of deployment,
// together with the namespace, UID and attempt that a kubelet appends to them.
//
// The name of a pod is the name of its ReplicaSet, a dash and five characters, such
// as web-canary-5d8f7c9b6d-x2x9k. The API server cuts the name of the ReplicaSet and
// the dash at 58 characters (generateName), so that 58 + 5 = 63. Hash and suffix use
// only the characters of k8s.io/apimachinery/pkg/util/rand: with others,
// web-canary-config would match too.
func podNamesOf(deployment string) *regexp.Regexp {
	const cut, hash, rest = 58, "-0123456789-", `(_[\w()-]*)?`
	if len(deployment+hash) <= cut {
		return regexp.MustCompile(regexp.QuoteMeta(deployment) + `(-[bcdfghjklmnpqrstvwxz2456789]{1,10}){2}` + rest)
	}
	return regexp.MustCompile(regexp.QuoteMeta(deployment[:min(len(deployment), cut)]) + `[a-z0-9-]+` + rest)
}
