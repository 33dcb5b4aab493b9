package rollout

// Affected says which rollouts a Service or an Ingress may concern, in a form for
// which an index finds them: nobody has to look at every rollout. It names too many
// rather than too few.
type Affected struct {
	// Pods are selectors: rollouts are concerned whose stable or canary pods match one.
	Pods []PodSelector

	// Hosts are the hosts that an Ingress serves, lower case, wildcards among them:
	// rollouts of every namespace are concerned whose preview has one of them.
	Hosts []string
}

// PodSelector selects pods of one namespace by their labels.
type PodSelector struct {
	Namespace string
	Labels    map[string]string
}
