// Package spec is what a user writes on a Deployment, and the names that
// Headgate writes beside it.
//
// Parse* functions read annotation values; every error names the offending part
// and shows a value that would be right. The package decides nothing, reads no
// cluster and knows no clock: admission, the command line and the decision
// (package rollout) share it, and it imports none of them.
package spec
