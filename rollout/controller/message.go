package controller

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// messageLimit is how many characters of somebody else's message a condition
// has room for.
const messageLimit = 300

var (
	quotedPod   = regexp.MustCompile(`\b[Pp]ods? "[^"]*"`)
	podUID      = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	containerID = regexp.MustCompile(`(^|[^:0-9a-f])[0-9a-f]{32,64}\b`) // not the digest of an image
	quotaUse    = regexp.MustCompile(`, used: \S+, limited:`)           // by other pods of the namespace too
	localPort   = regexp.MustCompile(`:\d+->`)
)

// normalizeMessage is message without what changes while nothing happens, and short
// enough to be part of a condition: the second attempt of a ReplicaSet names
// another pod than the first, and a condition that was written anew for each
// would never come to rest. Canary is the name of the canary Deployment.
func normalizeMessage(message, canary string) string {
	message = quotedPod.ReplaceAllString(message, "a canary pod")
	message = podNamesOf(canary).ReplaceAllString(message, "a canary pod")
	message = podUID.ReplaceAllString(message, "...")
	message = containerID.ReplaceAllString(message, "$1...")
	message = quotaUse.ReplaceAllString(message, ", limited:")
	message = localPort.ReplaceAllString(message, "->")
	message = strings.TrimRight(strings.Join(strings.Fields(message), " "), " .:")
	if utf8.RuneCountInString(message) <= messageLimit {
		return message
	}
	return string([]rune(message)[:messageLimit-3]) + "..."
}

// podNamesOf matches the names of the pods of a Deployment, with the namespace, UID
// and attempt that a kubelet puts behind them. They are made of the name of the
// ReplicaSet and five characters, the former cut at 58 (generateName of the API
// server); the characters are those of k8s.io/apimachinery/pkg/util/rand, or
// "web-canary-config" would be a pod.
func podNamesOf(deployment string) *regexp.Regexp {
	const cut, hash, rest = 58, "-0123456789-", `(_[\w()-]*)?`
	if len(deployment+hash) <= cut {
		return regexp.MustCompile(regexp.QuoteMeta(deployment) + `(-[bcdfghjklmnpqrstvwxz2456789]{1,10}){2}` + rest)
	}
	return regexp.MustCompile(regexp.QuoteMeta(deployment[:min(len(deployment), cut)]) + `[a-z0-9-]+` + rest)
}
